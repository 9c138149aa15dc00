//! The broker as a process, with real sockets of libzmq around it.

// What goes wrong here is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;
#[path = "../free_port.rs"]
mod free_port;
mod harness;
mod hostile;
mod life;
