//! The broker as a process, with real sockets of libzmq around it.

// What goes wrong here is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;
mod harness;
mod hostile;
mod life;
