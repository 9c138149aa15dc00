//! The worker's command line.

use std::time::Duration;

use clap::Args;

use crate::config::{self, BACKEND_PORT, CommonArgs, LoggerArgs};
use crate::wire::Dialect;

/// What every worker takes, whatever its work: `ID BROKER_HOST BROKER_PORT [LOGGER_HOST LOGGER_PORT]`.
#[derive(Debug, Clone, Args)]
pub struct WorkerArgs {
    /// Identity; `HN` stands for `WOR_` and the host's name
    #[arg(env = "ID", default_value = "HN", value_parser = config::identity)]
    pub id: String,
    /// Host of the broker
    #[arg(env = "BROKER_HOST", default_value = "localhost", value_parser = config::host)]
    pub broker_host: String,
    /// Port of the broker's backend
    #[arg(env = "BROKER_PORT", default_value_t = BACKEND_PORT, value_parser = config::port)]
    pub broker_port: u16,
    /// Where to log
    #[command(flatten)]
    pub logger: LoggerArgs,
    /// How to speak to the broker: `ppp`; for brokers that only know REQ workers `cbw-short`, `cbw-long` or `guide`
    #[arg(long, value_name = "DIALECT", env = "DIALECT", default_value = "ppp", value_parser = super::dialect::parse)]
    pub dialect: Dialect,
    /// How long the request in hand may still take after SIGTERM
    #[arg(long, value_name = "DURATION", env = "DRAIN", default_value = "4s", value_parser = config::duration)]
    pub drain: Duration,
    /// Metrics and trace
    #[command(flatten)]
    pub common: CommonArgs,
}

impl WorkerArgs {
    /// The identity, with the host's name in place of `HN`.
    #[must_use]
    pub fn identity(&self) -> String {
        config::identity_or_host_name(&self.id, "WOR")
    }
}
