//! The client's command line.

use std::time::Duration;

use clap::Args;

use super::Plan;
use crate::config::{self, CommonArgs, FRONTEND_PORT, LoggerArgs};

/// `client ID REQUESTS BROKER_HOST BROKER_PORT [LOGGER_HOST LOGGER_PORT]`
#[derive(Debug, Clone, Args)]
pub struct ClientArgs {
    /// Identity; `HN` stands for `CLI_` and the host's name
    #[arg(env = "ID", default_value = "HN", value_parser = config::identity)]
    pub id: String,
    /// How many requests to send: 10, or with `--duration` as many as fit
    #[arg(env = "REQUESTS")]
    pub requests: Option<u64>,
    /// Host of the broker
    #[arg(env = "BROKER_HOST", default_value = "localhost", value_parser = config::host)]
    pub broker_host: String,
    /// Port of the broker's frontend
    #[arg(env = "BROKER_PORT", default_value_t = FRONTEND_PORT, value_parser = config::port)]
    pub broker_port: u16,
    /// Where to log
    #[command(flatten)]
    pub logger: LoggerArgs,
    /// How long to wait for a reply before asking again from a fresh socket
    #[arg(long, value_name = "DURATION", env = "REQUEST_TIMEOUT", default_value = "2500ms", value_parser = config::duration)]
    pub request_timeout: Duration,
    /// How often to ask before a request has failed
    #[arg(long, value_name = "COUNT", env = "REQUEST_TRIES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub request_tries: u32,
    /// Send so many requests a second, evenly spaced; latencies then count from when a request was due
    #[arg(long, value_name = "PER_SECOND", value_parser = config::rate)]
    pub rate: Option<f64>,
    /// Requests open at a time, each on a connection of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency: u32,
    /// Send requests for so long
    #[arg(long, value_name = "DURATION", value_parser = config::duration)]
    pub duration: Option<Duration>,
    /// Take any text for a reply, not only one that begins with the request, as workers with a program of their own send
    #[arg(long)]
    pub any_reply: bool,
    /// Print results as JSON lines, and the summary as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Print no results, only the summary
    #[arg(long)]
    pub quiet: bool,
    /// Metrics and trace
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ClientArgs {
    /// What the client is to do.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            id: config::identity_or_host_name(&self.id, "CLI"),
            requests: self.requests.or_else(|| self.duration.is_none().then_some(10)),
            concurrency: self.concurrency as usize,
            rate: self.rate,
            duration: self.duration,
            timeout: self.request_timeout.max(Duration::from_millis(1)),
            tries: self.request_tries,
            any_reply: self.any_reply,
        }
    }
}
