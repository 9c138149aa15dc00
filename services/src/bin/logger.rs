//! The logger: what the other services send, in a file that survives them.

use std::process::ExitCode;

use cbw_services::logger::args::LoggerServiceArgs;
use cbw_services::{health, io, trace};
use clap::{Parser, Subcommand};

/// Appends each message that it gets to a file, with a time stamp, safe on the disk within 50 ms
#[derive(Parser)]
#[command(name = "logger", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(flatten)]
    logger: LoggerServiceArgs,
    #[command(subcommand)]
    probe: Option<Probe>,
}

#[derive(Subcommand)]
enum Probe {
    /// Asks the logger that runs here whether it can write; exit code 0 when it can
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
        Some(Probe::Healthcheck) => return health::told(&health::logger(&program.logger)),
        Some(Probe::Ask { page, leash }) => return health::answered(&health::ask(program.logger.common.metrics(), &page, leash)),
        None => {}
    }
    match io::logger::run(&program.logger) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => trace::fail(&*error),
    }
}
