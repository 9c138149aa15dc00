//! The broker: gives each client's request to the worker that has been ready longest, and the reply back.

use std::process::ExitCode;

use cbw_services::broker::args::BrokerArgs;
use cbw_services::{health, io, trace};
use clap::{Parser, Subcommand};

/// Gives each client's request to the worker that has been ready longest, and the reply back
#[derive(Parser)]
#[command(name = "broker", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(subcommand)]
    probe: Option<Probe>,
}

#[derive(Subcommand)]
enum Probe {
    /// Asks the broker that runs here whether it works and listens on both ports; exit code 0 when it does
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
    let Program { broker, probe } = Program::parse();
    if let Some(probe) = probe {
        let frontend = (broker.frontend_host.as_str(), broker.frontend_port);
        let backend = (broker.backend_host.as_str(), broker.backend_port);
        return match probe {
            Probe::Healthcheck => health::told(&health::broker(broker.common.metrics(), frontend, backend)),
            Probe::Ask { page, leash } => health::answered(&health::ask(broker.common.metrics(), &page, leash)),
        };
    }
    match io::broker::run(&broker) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trace::fail(&*error),
    }
}
