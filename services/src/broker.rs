//! The broker as a pure machine: events in, messages and notices out, the time as an argument.
//!
//! Reading order: `event` (what goes in and comes out), `snapshot` (what can be seen from outside), `entry` (what is
//! remembered), `list` and `table` (in which structures), `requests` and `workers` (the rules), `timers` (what happens when
//! nothing happens). `args` is the command line.
//!
//! Every message costs constant time, however many workers, clients and requests there are.

pub mod args;
mod entry;
mod event;
mod list;
mod requests;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod timers;
mod workers;

use std::time::Duration;

use slab::Slab;

use self::entry::{ALIVE, BEATS, Client, QUEUE, Request, State, TURN, Worker};
pub use self::event::{DownReason, DropReason, Event, Notice, Outbox, Side, Watch};
use self::list::List;
pub use self::snapshot::{Counters, Snapshot, WorkerState, WorkerStatus};
use self::table::Table;
use crate::metrics::Histogram;
use crate::wire::{Dialect, Frame};

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a worker may take for a request.
    pub deadline: Duration,
    /// How often a request is given to another worker before the client gets an error reply.
    pub retries: u32,
    /// Most requests that may wait for a worker.
    pub queue: usize,
    /// Most bytes of requests that the broker holds, in hand of workers or waiting. One request alone may be larger.
    pub queue_bytes: usize,
    /// Interval of the broker's heartbeats to ppp workers (RFC 6).
    pub heartbeat: Duration,
    /// After how many intervals without a sign of life a ppp worker counts as dead.
    pub liveness: u32,
    /// The dialect that an adopted REQ worker is first spoken to in, when it is not known from before.
    pub adopt: Dialect,
    /// Tells this run of the broker from earlier ones, see `docs/protocol.md`, "After a restart". Any number that is not repeated.
    pub nonce: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            retries: 3,
            queue: 100_000,
            queue_bytes: 256 << 20,
            heartbeat: Duration::from_secs(1),
            liveness: 3,
            adopt: Dialect::CbwLong,
            nonce: 0,
        }
    }
}

/// Most workers that are remembered, those that are only seen or gone included; the oldest of these give way.
const WORKERS_MAX: usize = 65_536;
/// How often a worker that is gone is tried before it is forgotten: with the default deadline, a quarter of an hour.
const TRIES_MAX: u32 = 450;

/// The broker.
#[derive(Debug)]
pub struct Broker<F> {
    config: Config,
    workers: Table<Worker>,
    clients: Table<Client>,
    requests: Slab<Request<F>>,
    /// Free workers, the one that has been ready longest first.
    ready: List<TURN>,
    /// REQ workers that wait out the grace, in the order in which it ends.
    seen: List<TURN>,
    /// REQ workers that have waited it out and may be gone.
    candidates: List<TURN>,
    /// REQ workers that are late, by since when.
    late: List<TURN>,
    /// ppp workers whose silence counts, by when they were last heard.
    alive: List<ALIVE>,
    /// ppp workers, by when their next heartbeat is due.
    beats: List<BEATS>,
    /// Requests that wait for their first worker.
    waiting: List<QUEUE>,
    /// Requests that lost their worker.
    again: List<QUEUE>,
    /// Requests in hand of workers, by deadline.
    given: List<QUEUE>,
    /// Answers that are held back, by when they are due.
    held: List<QUEUE>,
    held_bytes: usize,
    next_id: u64,
    /// When draining: until when.
    drain: Option<Duration>,
    now: Duration,
    counters: Counters,
    latency: Histogram,
}

/// What every rule needs: the time, where messages go, and who watches.
struct Context<'a, F, W> {
    now: Duration,
    out: &'a mut Outbox<F>,
    watch: &'a mut W,
}

impl<F, W: Watch> Context<'_, F, W> {
    fn tell(&mut self, notice: Notice<'_>) {
        if self.watch.listens() {
            self.watch.notice(self.now, notice);
        }
    }
}

impl<F: Frame> Broker<F> {
    /// A broker without peers.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            workers: Table::default(),
            clients: Table::default(),
            requests: Slab::new(),
            ready: List::default(),
            seen: List::default(),
            candidates: List::default(),
            late: List::default(),
            alive: List::default(),
            beats: List::default(),
            waiting: List::default(),
            again: List::default(),
            given: List::default(),
            held: List::default(),
            held_bytes: 0,
            next_id: 1,
            drain: None,
            now: Duration::ZERO,
            counters: Counters::default(),
            latency: Histogram::default(),
        }
    }

    /// Takes in what happens at `now`, the monotonic time since the start. Puts the messages to send into `out` and tells
    /// `watch` what the broker did.
    ///
    /// A message to a worker that cannot be delivered comes back as [`Event::Undelivered`], at once, so that the next worker
    /// gets the request.
    pub fn handle<W: Watch>(&mut self, now: Duration, event: Event<'_, F>, out: &mut Outbox<F>, watch: &mut W) {
        self.now = self.now.max(now);
        let context = &mut Context { now: self.now, out, watch };
        match event {
            Event::FromClient(frames) => self.client_said(frames, context),
            Event::FromWorker(frames) => self.worker_said(frames, context),
            Event::WorkerSeen(id) => self.worker_seen(id, context),
            Event::WorkerGone(id) => self.worker_gone(id, context),
            Event::Undelivered { worker, work } => self.undelivered(worker, work, context),
            Event::ClientGone(id) => self.client_gone(id, context),
            Event::ReplyUndelivered(id) => self.reply_undelivered(id, context),
            Event::Tick => {}
            Event::Drain { until } => self.drain = Some(until),
        }
        self.expire(context);
        self.dispatch(context);
        self.finish_drain(context);
    }

    /// Whether the broker takes no new requests and every client has its reply.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drain.is_some() && self.clients.len() == 0
    }

    /// Whether a request that comes now can only wait: others wait already, so no worker is ready.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        !(self.waiting.is_empty() && self.again.is_empty())
    }

    /// How long clients waited for their replies.
    #[must_use]
    pub fn latency(&self) -> &Histogram {
        &self.latency
    }

    /// How often each thing has happened.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the broker looks like from outside. Costs time for every worker, so it is made only when somebody asks.
    #[must_use]
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let mut workers: Vec<_> = self
            .workers
            .iter()
            .map(|worker| WorkerStatus {
                id: worker.id.to_vec(),
                dialect: worker.dialect,
                state: match worker.state {
                    State::Ready => WorkerState::Ready,
                    State::Working(_) => WorkerState::Working,
                    State::Late(_) => WorkerState::Late,
                    State::Seen { .. } | State::Candidate => WorkerState::Seen,
                },
                since: now.saturating_sub(worker.since),
            })
            .collect();
        workers.sort_by(|a, b| a.id.cmp(&b.id));
        Snapshot {
            uptime: now,
            ready: self.ready.len(),
            working: self.given.len(),
            pending: self.waiting.len() + self.again.len(),
            held_bytes: self.held_bytes,
            draining: self.drain.is_some(),
            workers,
            counters: self.counters,
        }
    }
}
