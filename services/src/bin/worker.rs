//! The worker: answers requests, by itself or with any program.

use std::process::ExitCode;
use std::time::Duration;

use cbw_services::io::peer::{Work, run};
use cbw_services::worker::args::WorkerArgs;
use cbw_services::worker::exec::Exec;
use cbw_services::{config, health, trace};
use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

/// Answers requests that the broker gives it: `<body> <id>`, or whatever a command makes of them
#[derive(Parser)]
#[command(name = "worker", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(flatten)]
    worker: WorkerArgs,
    /// How long an answer takes
    #[arg(long, value_name = "DURATION", env = "SERVICE_TIME", default_value = "0", value_parser = config::duration)]
    service_time: Duration,
    /// Run this for each request: the body on its standard input, the reply from its standard output, an exit code other
    /// than 0 fails the request
    #[arg(long, value_name = "COMMAND", env = "EXEC")]
    exec: Option<String>,
    /// How long the command may take
    #[arg(long, value_name = "DURATION", env = "EXEC_TIMEOUT", default_value = "30s", value_parser = config::duration)]
    exec_timeout: Duration,
    #[command(subcommand)]
    probe: Option<Probe>,
}

#[derive(Subcommand)]
enum Probe {
    /// Asks the worker that runs here whether it is registered with the broker; exit code 0 when it is
    Healthcheck,
    /// Prints a page of the status server of the service that runs here
    Ask {
        /// `/status`, `/events`, `/metrics`, `/healthz` or `/readyz`
        page: String,
        /// End when standard input ends
        #[arg(long)]
        leash: bool,
    },
}

fn main() -> ExitCode {
    let program = Program::parse();
    match program.probe {
        Some(Probe::Healthcheck) => return health::told(&health::worker(&program.worker)),
        Some(Probe::Ask { page, leash }) => return health::answered(&health::ask(program.worker.common.metrics(), &page, leash)),
        None => {}
    }
    let work = match program.exec.as_deref().filter(|command| !command.is_empty()) {
        None => Work::Echo(program.service_time),
        Some(command) => match Exec::new(command, program.exec_timeout) {
            Ok(exec) => Work::Exec(exec),
            Err(mistake) => Program::command().error(ErrorKind::ValueValidation, mistake).exit(),
        },
    };
    match run(&program.worker, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trace::fail(&*error),
    }
}
