//! The auditor's command line.

use std::time::Duration;

use clap::Args;

use super::Plan;
use crate::config::{self, FRONTEND_PORT};

/// `client audit`
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Host of the broker
    #[arg(env = "BROKER_HOST", default_value = "localhost", value_parser = config::host)]
    pub broker_host: String,
    /// Port of the broker's frontend
    #[arg(env = "BROKER_PORT", default_value_t = FRONTEND_PORT, value_parser = config::port)]
    pub broker_port: u16,
    /// Nobody else's word; the clients are `AUD_TOKEN_0`, `AUD_TOKEN_1`, … [default: a random one]
    #[arg(long, value_name = "TOKEN", value_parser = config::identity)]
    pub token: Option<String>,
    /// How many clients ask side by side
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub clients: u16,
    /// How many requests each client sends [default: as many as fit until standard input ends or SIGTERM comes]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub requests: Option<u64>,
    /// Requests that a client has open at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub window: u16,
    /// Send so many requests a second in all, evenly spaced
    #[arg(long, value_name = "PER_SECOND", value_parser = config::rate)]
    pub rate: Option<f64>,
    /// How long an answer may take before it counts as missing
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = config::duration)]
    pub timeout: Duration,
    /// How long to listen, at the end, for answers that should not come
    #[arg(long, value_name = "DURATION", default_value = "300ms", value_parser = config::duration)]
    pub linger: Duration,
}

impl AuditArgs {
    /// What the auditor is to do; `random` makes up a token when none was given.
    #[must_use]
    pub fn plan(&self, random: u64) -> Plan {
        Plan {
            token: self.token.clone().unwrap_or_else(|| format!("{random:016x}")),
            clients: usize::from(self.clients),
            requests: self.requests,
            window: usize::from(self.window),
            rate: self.rate,
            timeout: self.timeout.max(Duration::from_millis(1)),
            linger: self.linger,
        }
    }
}
