//! The loops: the only place that knows sockets and signals.

pub mod logger;
pub mod peer;

pub mod broker;
