//! The client: asks, checks that each reply is its own, and measures.

use std::process::ExitCode;

use cbw_services::client::args::ClientArgs;
use cbw_services::{io, trace};
use clap::Parser;

/// Sends `<id>-1`, `<id>-2`, … and exits with 0 when each was answered by its own reply
#[derive(Parser)]
#[command(name = "client", version)]
struct Program {
    #[command(flatten)]
    client: ClientArgs,
}

fn main() -> ExitCode {
    match io::peer::client::run(&Program::parse().client) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => trace::fail(&*error),
    }
}
