//! The broker as a pure machine: events in, messages and notices out, the time as an argument.
//!
//! Reading order: `event` (what goes in and comes out), `snapshot` (what can be seen from outside).

mod event;
mod snapshot;

pub use event::{DownReason, DropReason, Event, Notice, Outbox, Side, Watch};
pub use snapshot::{Counters, Snapshot, WorkerState, WorkerStatus};
