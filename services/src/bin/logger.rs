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
}

fn main() -> ExitCode {
    let program = Program::parse();
    if let Some(Probe::Healthcheck) = program.probe {
        return health::told(&health::logger(&program.logger));
    }
    match io::logger::run(&program.logger) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => trace::fail(&*error),
    }
}
