//! The sockets of the services that connect: worker, client, and everybody's way to the logger.

pub mod audit;
pub mod client;
mod link;
mod worker;

pub use link::{Link, LinkEvent, Resolver, poll};
pub use worker::{Work, run, serve};
