//! Worker, client and logger as real processes.

// What goes wrong here is a failed test, and figures are small.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod client;
mod dashboard;
#[path = "../free_port.rs"]
mod free_port;
mod logger;
mod network;
mod processes;
mod system;
mod worker;
