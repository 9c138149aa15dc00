//! The client: asks, checks that each reply is its own, and measures.

use std::process::ExitCode;

use cbw_services::audit::args::AuditArgs;
use cbw_services::client::args::ClientArgs;
use cbw_services::{io, trace};
use clap::{Parser, Subcommand};

/// Sends `<id>-1`, `<id>-2`, … and exits with 0 when each was answered by its own reply
#[derive(Parser)]
#[command(name = "client", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    instead: Option<Instead>,
}

#[derive(Subcommand)]
enum Instead {
    /// Asks unguessable questions, never twice, and counts every answer; exit code 0 when each got exactly its own
    Audit(AuditArgs),
}

fn main() -> ExitCode {
    let Program { client, instead } = Program::parse();
    let outcome = match instead {
        Some(Instead::Audit(args)) => io::peer::audit::run(&args),
        None => io::peer::client::run(&client),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => trace::fail(&*error),
    }
}
