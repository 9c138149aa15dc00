//! Client, broker, worker and logger over `ZeroMQ`: four state machines without sockets, clocks or files, and one loop each.
//!
//! In reading order:
//!
//! 1. [`wire`]: the frames of each dialect and the messages that they stand for;
//! 2. [`broker`]: the broker's machine, what goes in ([`broker::Event`]) and what comes out ([`broker::Outbox`],
//!    [`broker::Notice`]);
//! 3. [`worker`], [`client`], [`logger`]: the other machines, each with its events, its actions and its command line;
//! 4. [`audit`]: clients that count every answer, by which a broker is judged;
//! 5. [`backoff`], [`logsink`], [`trace`]: what they share;
//! 6. [`status`], [`metrics`], [`health`]: what they say of themselves;
//! 7. [`config`]: settings of the four command lines;
//! 8. [`io`]: the only place that knows sockets and signals.
//!
//! Who wants a worker of his own begins at [`worker::serve`].

pub mod audit;
pub mod backoff;
pub mod broker;
pub mod client;
pub mod config;
pub mod health;
pub mod io;
pub mod logger;
pub mod logsink;
pub mod metrics;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod status;
pub mod trace;
pub mod wire;
pub mod worker;
