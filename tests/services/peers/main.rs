//! Worker, client and logger as real processes.

mod client;
mod logger;
mod processes;
mod worker;
