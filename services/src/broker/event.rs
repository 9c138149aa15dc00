//! What goes into the broker's machine and what comes out of it.

use std::time::Duration;

use crate::wire::{Dialect, Malformed, Refusal};

/// What happens to the broker. Messages are whole, with the peer's identity first, and their frames are taken out.
#[derive(Debug)]
pub enum Event<'a, F> {
    /// A message from a client.
    FromClient(&'a mut Vec<F>),
    /// A message from a worker.
    FromWorker(&'a mut Vec<F>),
    /// A REQ socket with this identity is connected to the backend and may have registered with an earlier broker.
    WorkerSeen(&'a [u8]),
    /// The connection of this worker is gone.
    WorkerGone(&'a [u8]),
    /// A message to this worker could not be delivered.
    Undelivered {
        /// The worker's identity.
        worker: &'a [u8],
        /// It was a request; otherwise a heartbeat.
        work: bool,
    },
    /// The connection of this client is gone.
    ClientGone(&'a [u8]),
    /// A reply to this client could not be delivered.
    ReplyUndelivered(&'a [u8]),
    /// Nothing but the time: [`Broker::next_timeout`](super::Broker::next_timeout) has come.
    Tick,
    /// Take no new requests, finish the work in hand by `until`, refuse the rest.
    Drain {
        /// When the work that is still in hand is refused too.
        until: Duration,
    },
}

/// The side of the broker that a message leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// To a client.
    Frontend,
    /// To a worker.
    Backend,
}

/// The messages to send, in order. It is kept between calls, so that sending allocates nothing.
#[derive(Debug)]
pub struct Outbox<F> {
    /// The frames of all messages, one after the other, each message with its peer's identity first.
    pub frames: Vec<F>,
    /// Where each message goes, and how many frames it has.
    pub messages: Vec<(Side, usize)>,
}

impl<F> Default for Outbox<F> {
    fn default() -> Self {
        Self { frames: Vec::new(), messages: Vec::new() }
    }
}

impl<F> Outbox<F> {
    /// Appends the message that `write` puts at the end of the frames.
    pub(super) fn put(&mut self, side: Side, write: impl FnOnce(&mut Vec<F>)) {
        let before = self.frames.len();
        write(&mut self.frames);
        self.messages.push((side, self.frames.len() - before));
    }
}

/// What the broker tells those who watch it. Identities are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A request was accepted.
    Request {
        /// Number of the request, unique in the life of the broker.
        id: u64,
        /// Who asks.
        client: &'a [u8],
    },
    /// A request was given to a worker.
    Dispatch {
        /// Number of the request.
        id: u64,
        /// Who asks.
        client: &'a [u8],
        /// Who works.
        worker: &'a [u8],
        /// 1 the first time, one more each time that it is given again.
        attempt: u32,
    },
    /// An answer was passed on.
    Reply {
        /// Number of the request.
        id: u64,
        /// Who asked.
        client: &'a [u8],
        /// Who answered.
        worker: &'a [u8],
        /// Since the request was accepted.
        took: Duration,
    },
    /// A worker did not answer within the deadline.
    Timeout {
        /// Number of the request.
        id: u64,
        /// Who asks.
        client: &'a [u8],
        /// Who did not answer.
        worker: &'a [u8],
    },
    /// A request waits again, ahead of the others, because its worker is gone or too late.
    Redispatch {
        /// Number of the request.
        id: u64,
        /// Who asks.
        client: &'a [u8],
        /// Who lost it.
        worker: &'a [u8],
    },
    /// A client got an error reply.
    Refused {
        /// Who asked.
        client: &'a [u8],
        /// Why there is no answer.
        why: Refusal,
    },
    /// A request or an answer was dropped without a reply.
    Drop {
        /// The peer that it came from.
        peer: &'a [u8],
        /// Why.
        why: DropReason,
    },
    /// A worker is there.
    WorkerUp {
        /// Its identity.
        worker: &'a [u8],
        /// How it speaks.
        dialect: Dialect,
        /// It did not register, but is believed to be free (after a restart of the broker).
        adopted: bool,
    },
    /// A worker is gone.
    WorkerDown {
        /// Its identity.
        worker: &'a [u8],
        /// How that was noticed.
        why: DownReason,
    },
}

impl Notice<'_> {
    /// The name of the event in `/events` and in log lines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request { .. } => "request",
            Self::Dispatch { .. } => "dispatch",
            Self::Reply { .. } => "reply",
            Self::Timeout { .. } => "timeout",
            Self::Redispatch { .. } => "redispatch",
            Self::Refused { .. } => "refused",
            Self::Drop { .. } => "drop",
            Self::WorkerUp { .. } => "worker_up",
            Self::WorkerDown { .. } => "worker_down",
        }
    }
}

/// Why a message went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// It cannot be understood.
    Malformed(Malformed),
    /// A worker answers what was answered, refused or withdrawn already.
    LateReply,
    /// A worker answers a request that it does not have.
    UnaskedReply,
    /// The client asked again before it was answered: its earlier request is withdrawn.
    Withdrawn,
    /// The client is gone: its request, or the reply to it, is of no use any more.
    ClientGone,
}

impl DropReason {
    /// The reason in words, also the `reason` label of the metric.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed(why) => why.reason(),
            Self::LateReply => "late reply",
            Self::UnaskedReply => "unasked reply",
            Self::Withdrawn => "withdrawn",
            Self::ClientGone => "client gone",
        }
    }
}

/// How the broker noticed that a worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownReason {
    /// Its connection is closed, or a message to it could not be delivered.
    Unreachable,
    /// Its heartbeats stopped (ppp).
    Silent,
    /// Another registered under its identity, or the same anew.
    Replaced,
}

impl DownReason {
    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
        }
    }
}

/// Whoever wants to know what the broker does. `now` is the monotonic time since the broker's start.
pub trait Watch {
    /// Whether anybody listens. When nobody does, notices are not even made.
    fn listens(&self) -> bool {
        true
    }

    /// Takes a notice.
    fn notice(&mut self, now: Duration, notice: Notice<'_>);
}

/// Nobody listens.
impl Watch for () {
    fn listens(&self) -> bool {
        false
    }

    fn notice(&mut self, _now: Duration, _notice: Notice<'_>) {}
}
