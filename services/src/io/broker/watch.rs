//! What the broker tells of its work: trace lines, and events for whoever listens at `/events`.
//!
//! The life of workers and what goes wrong are told at `info` and `warn`; each reply at `debug`, which a logger gets by default
//! ([`crate::trace`]) and the standard output does not; the steps before it at `trace`. So without a logger a request costs the
//! checks that nobody wants to know of it, and with one a line.

use std::fmt::Write as _;
use std::time::Duration;

use tracing::{Level, debug, enabled, info, trace, warn};

use crate::broker::{DropReason, Notice, Watch};
use crate::status::Hub;
use crate::trace::{Quoted, Replies};

/// Tells notices on.
pub struct Watcher {
    hub: Hub,
    replies: Option<Replies>,
    line: String,
}

impl Watcher {
    /// Tells trace, and the listeners of `hub`. Each reply goes to `replies`, if there are any, instead of to trace.
    pub fn new(hub: Hub, replies: Option<Replies>) -> Self {
        Self { hub, replies, line: String::new() }
    }
}

impl Watch for Watcher {
    fn notice(&mut self, now: Duration, notice: Notice<'_>) {
        match (&notice, &self.replies) {
            (Notice::Reply { id, client, worker, took }, Some(replies)) => replies.tell(*id, Name(client), Name(worker), *took),
            _ => tell(&notice),
        }
        if let Some(events) = self.hub.events().filter(|events| events.wanted()) {
            self.line.clear();
            json(&mut self.line, now, &notice);
            events.publish(&self.line);
        }
    }
}

/// An identity for people: text where it is text, hexadecimal where libzmq made it up.
pub struct Name<'a>(pub &'a [u8]);

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if !text.contains(char::is_control) => f.write_str(text),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

fn tell(notice: &Notice<'_>) {
    match *notice {
        Notice::Request { .. } | Notice::Dispatch { .. } if !enabled!(Level::TRACE) => {}
        Notice::Reply { .. } if !enabled!(Level::DEBUG) => {}
        Notice::Request { id, client } => trace!(id, client = %Name(client), "request"),
        Notice::Dispatch { id, client, worker, attempt } => {
            trace!(id, client = %Name(client), worker = %Name(worker), attempt, "dispatch");
        }
        Notice::Reply { id, client, worker, took } => {
            debug!(id, client = %Name(client), worker = %Name(worker), ?took, "reply");
        }
        Notice::Timeout { id, client, worker } => {
            warn!(id, client = %Name(client), worker = %Name(worker), "the worker did not answer within the deadline");
        }
        Notice::Redispatch { id, client, worker } => {
            info!(id, client = %Name(client), lost_by = %Name(worker), "the request goes to another worker");
        }
        Notice::Refused { client, why } => debug!(client = %Name(client), error = why.text(), "error reply"),
        Notice::Drop { peer, why: why @ DropReason::Malformed(_) } => debug!(peer = %Name(peer), why = why.reason(), "malformed message"),
        Notice::Drop { peer, why } => debug!(peer = %Name(peer), why = why.reason(), "dropped"),
        Notice::WorkerUp { worker, dialect, adopted } => info!(worker = %Name(worker), %dialect, adopted, "a worker is ready"),
        Notice::WorkerDown { worker, why } => info!(worker = %Name(worker), why = why.reason(), "a worker is gone"),
    }
}

/// One JSON object: `event`, `t` (seconds since the broker's start, monotonic), and what the notice names.
fn json(line: &mut String, now: Duration, notice: &Notice<'_>) {
    let _ = write!(line, "{{\"event\":\"{}\",\"t\":{:.6}", notice.name(), now.as_secs_f64());
    let mut peer = |key: &str, id: &[u8]| {
        let _ = write!(line, ",\"{key}\":{}", Quoted(&Name(id).to_string()));
    };
    match *notice {
        Notice::Request { client, .. } | Notice::Refused { client, .. } => peer("client", client),
        Notice::Dispatch { client, worker, .. }
        | Notice::Reply { client, worker, .. }
        | Notice::Timeout { client, worker, .. }
        | Notice::Redispatch { client, worker, .. } => {
            peer("client", client);
            peer("worker", worker);
        }
        Notice::Drop { peer: id, .. } => peer("peer", id),
        Notice::WorkerUp { worker, .. } | Notice::WorkerDown { worker, .. } => peer("worker", worker),
    }
    let _ = match *notice {
        Notice::Request { id, .. } | Notice::Timeout { id, .. } | Notice::Redispatch { id, .. } => write!(line, ",\"id\":{id}}}"),
        Notice::Dispatch { id, attempt, .. } => write!(line, ",\"id\":{id},\"attempt\":{attempt}}}"),
        Notice::Reply { id, took, .. } => write!(line, ",\"id\":{id},\"took\":{:.6}}}", took.as_secs_f64()),
        Notice::Refused { why, .. } => write!(line, ",\"error\":{}}}", Quoted(why.text())),
        Notice::Drop { why, .. } => write!(line, ",\"why\":\"{}\"}}", why.reason()),
        Notice::WorkerUp { dialect, adopted, .. } => write!(line, ",\"dialect\":\"{dialect}\",\"adopted\":{adopted}}}"),
        Notice::WorkerDown { why, .. } => write!(line, ",\"why\":\"{}\"}}", why.reason()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::DownReason;
    use crate::wire::{Dialect, Refusal};

    fn line(notice: &Notice<'_>) -> serde_json::Value {
        let mut line = String::new();
        json(&mut line, Duration::from_millis(1500), notice);
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn every_notice_is_one_json_object() {
        let (client, worker) = (&b"CLI \"1\""[..], &[0, 1, 2, 3, 4][..]);
        let id = 7;
        let took = Duration::from_micros(250);
        for notice in [
            Notice::Request { id, client },
            Notice::Dispatch { id, client, worker, attempt: 1 },
            Notice::Reply { id, client, worker, took },
            Notice::Timeout { id, client, worker },
            Notice::Redispatch { id, client, worker },
            Notice::Refused { client, why: Refusal::Busy },
            Notice::Drop { peer: client, why: DropReason::LateReply },
            Notice::WorkerUp { worker, dialect: Dialect::Ppp, adopted: false },
            Notice::WorkerDown { worker, why: DownReason::Silent },
        ] {
            let value = line(&notice);
            assert_eq!(value["event"], notice.name());
            assert_eq!(value["t"], 1.5);
        }
        let reply = line(&Notice::Reply { id, client, worker, took });
        assert_eq!(reply["client"], "CLI \"1\"");
        assert_eq!(reply["worker"], "0x0001020304");
        assert_eq!(reply["took"], 0.000_25);
    }
}
