//! The broker's command line.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Config;
use crate::config::{self, BACKEND_PORT, CommonArgs, FRONTEND_PORT, LoggerArgs};
use crate::wire::Dialect;

/// `broker FRONTEND_PORT BACKEND_PORT [LOGGER_HOST LOGGER_PORT]`
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// Port for clients
    #[arg(env = "FRONTEND_PORT", value_parser = config::port, default_value_t = FRONTEND_PORT)]
    pub frontend_port: u16,
    /// Port for workers
    #[arg(env = "BACKEND_PORT", value_parser = config::port, default_value_t = BACKEND_PORT)]
    pub backend_port: u16,
    /// The logger
    #[command(flatten)]
    pub logger: LoggerArgs,
    /// Address or name to listen on for clients; `*` = every interface
    #[arg(long, value_name = "HOST", env = "FRONTEND_HOST", default_value = "*", value_parser = bind_host)]
    pub frontend_host: String,
    /// Address or name to listen on for workers; `*` = every interface
    #[arg(long, value_name = "HOST", env = "BACKEND_HOST", default_value = "*", value_parser = bind_host)]
    pub backend_host: String,
    /// How long a worker may take for a request
    #[arg(long, value_name = "DURATION", env = "DEADLINE", default_value = "2s", value_parser = positive)]
    pub deadline: Duration,
    /// How often a request is given to another worker before the client gets an error reply
    #[arg(long, value_name = "COUNT", env = "RETRIES", default_value_t = 3)]
    pub retries: u32,
    /// Most requests that may wait; more get a busy reply
    #[arg(long, value_name = "COUNT", env = "QUEUE", default_value_t = 100_000)]
    pub queue: usize,
    /// Most bytes of requests that may be held; more get a busy reply
    #[arg(long, value_name = "SIZE", env = "QUEUE_BYTES", default_value = "256MiB", value_parser = config::size)]
    pub queue_bytes: u64,
    /// Most bytes of one frame; who sends more is disconnected
    #[arg(long, value_name = "SIZE", env = "MAX_FRAME", default_value = "64MiB", value_parser = config::size)]
    pub max_frame: u64,
    /// Time for the work in hand after SIGTERM
    #[arg(long, value_name = "DURATION", env = "DRAIN", default_value = "4s", value_parser = config::duration)]
    pub drain: Duration,
    /// Interval of heartbeats to ppp workers (RFC 6), which count as dead after three without a sign of life
    #[arg(long, value_name = "DURATION", env = "HEARTBEAT", default_value = "1s", value_parser = positive)]
    pub heartbeat: Duration,
    /// Interval of ZMTP pings to silent workers; `0` = none, for peers older than libzmq 4.3.0 (libzmq#3060)
    #[arg(long, value_name = "DURATION", env = "PING", default_value = "10s", value_parser = config::duration)]
    pub ping: Duration,
    /// How long to learn the names of workers of an earlier broker before the backend opens; `0` = not at all
    #[arg(long, value_name = "DURATION", env = "DOOR", default_value = "300ms", value_parser = config::duration)]
    pub door: Duration,
    /// What a worker of an earlier broker is first spoken to in
    #[arg(long, value_name = "DIALECT", env = "ADOPT", value_enum, default_value_t = Adopt::CbwLong)]
    pub adopt: Adopt,
    /// libzmq's threads for input and output
    #[arg(long, value_name = "COUNT", env = "IO_THREADS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub io_threads: u16,
    /// Metrics and trace
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A dialect of REQ workers, see [`Dialect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Adopt {
    /// `client, body…`
    CbwShort,
    /// `client, '', body…`
    CbwLong,
    /// `client, '', body…`
    Guide,
}

impl BrokerArgs {
    /// The machine's settings. `nonce` is any number that no other run of the broker has.
    #[must_use]
    pub fn config(&self, nonce: u64) -> Config {
        Config {
            deadline: self.deadline,
            retries: self.retries,
            queue: self.queue,
            queue_bytes: usize::try_from(self.queue_bytes).unwrap_or(usize::MAX),
            heartbeat: self.heartbeat,
            adopt: match self.adopt {
                Adopt::CbwShort => Dialect::CbwShort,
                Adopt::CbwLong => Dialect::CbwLong,
                Adopt::Guide => Dialect::Guide,
            },
            nonce,
            ..Config::default()
        }
    }
}

/// Parses a host to listen on; an empty one, as Compose makes of an unset variable, is every interface.
fn bind_host(text: &str) -> Result<String, String> {
    if matches!(text, "" | "*") { Ok("*".to_owned()) } else { config::host(text) }
}

/// Parses a duration that cannot be zero.
fn positive(text: &str) -> Result<Duration, String> {
    match config::duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all")),
        time => Ok(time),
    }
}
