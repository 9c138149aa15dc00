//! The broker as a process, with real sockets of libzmq around it.

mod faults;
mod harness;
mod hostile;
mod life;
