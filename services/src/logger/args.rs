//! The logger's command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::config::{self, CommonArgs, LOGGER_PORT};

/// `logger PORT FILE`
#[derive(Debug, Clone, Args)]
pub struct LoggerServiceArgs {
    /// Port to listen on
    #[arg(env = "LOGGER_PORT", default_value_t = LOGGER_PORT, value_parser = config::port)]
    pub port: u16,
    /// File to append to; without one it is `logs` in the folder that `LOGGER_DIR` names
    pub file: Option<PathBuf>,
    /// Folder of the file `logs`
    #[arg(long = "dir", value_name = "DIR", env = "LOGGER_DIR", default_value = "/var/log/cbw")]
    pub dir: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "HOST", env = "LOGGER_BIND", default_value = "*")]
    pub bind: String,
    /// Start a new file at this size
    #[arg(long, value_name = "SIZE", env = "ROTATE", value_parser = config::size)]
    pub rotate: Option<u64>,
    /// How many old files to keep, `FILE.1` being the youngest
    #[arg(long, value_name = "COUNT", env = "KEEP", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub keep: u32,
    /// Records kept in memory while they cannot be written
    #[arg(long, value_name = "SIZE", env = "MEMORY", default_value = "64MiB", value_parser = config::size)]
    pub memory: u64,
    /// How long to go on writing after SIGTERM
    #[arg(long, value_name = "DURATION", env = "DRAIN", default_value = "4s", value_parser = config::duration)]
    pub drain: Duration,
    /// Metrics and trace
    #[command(flatten)]
    pub common: CommonArgs,
}

impl LoggerServiceArgs {
    /// The file to append to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| Path::join(&self.dir, "logs"))
    }
}
