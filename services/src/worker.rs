//! The worker as a pure machine: a Paranoid Pirate (`ZeroMQ` RFC 6) that does one request at a time.
//!
//! Time is an argument, as the time since some beginning. Events go in by [`Worker::handle`], actions come out; when
//! [`Worker::next_timeout`] has come, a [`Event::Tick`] is due. The loop that owns the socket is `io::peer`, the work itself
//! is done by [`work`].
//!
//! Reading order: [`Event`], [`Action`], [`Worker::handle`].

pub mod args;
pub mod dialect;
pub mod exec;
#[cfg(test)]
mod tests;
pub mod work;

use std::collections::VecDeque;
use std::time::Duration;

pub use crate::io::peer::serve;
pub use crate::worker::work::Request;

use crate::backoff::Backoff;
use crate::wire::peer::ToWorker;
use crate::wire::{Dialect, Frame, Frames};

/// How often the worker says that it is alive, and expects the broker to (RFC 6 suggests 1 s).
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence of this many heartbeats means that the broker is gone.
pub const LIVENESS: u32 = 3;
/// A connection that is not made by then is tried at the next address.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Delays between attempts. The Guide's 1 s to 32 s would leave workers idle for half a minute after a restart of the broker;
/// an attempt a second costs nothing.
pub const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Requests that may wait behind the one in hand. Our broker gives a busy worker nothing; the Guide's does, since it takes
/// the heartbeat of a busy worker for a sign that it is free.
pub const WAITING: usize = 1000;

/// What happens to the worker.
#[derive(Debug)]
pub enum Event<F> {
    /// The connection that [`Action::Connect`] asked for is made.
    Up,
    /// It could not be made, or it is gone.
    Down,
    /// A message from the broker.
    Heard(Vec<F>),
    /// The work of this number is done; the body is the answer, or an error reply.
    Done(u64, Frames<F>),
    /// Nothing but the time.
    Tick,
    /// End, once the request in hand is answered, or at `until` at the latest.
    Stop {
        /// When the grace period is over.
        until: Duration,
    },
}

/// What the loop has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<F> {
    /// Close the socket, if there is one, resolve the broker's name anew and connect a fresh one.
    Connect,
    /// Close the socket.
    Disconnect,
    /// Send this.
    Send(Vec<F>),
    /// Do the work of this number and tell [`Event::Done`].
    Begin {
        /// Number of the work.
        job: u64,
        /// Who asks.
        client: F,
        /// The body's frames.
        body: Frames<F>,
    },
    /// Nothing is left to do.
    End,
}

/// What can be seen from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests taken.
    pub requests: u64,
    /// Answers (and error replies) sent.
    pub replies: u64,
    /// Answers that nobody waited for any more, since the connection they were asked on is gone.
    pub stale: u64,
    /// Messages that are not of the protocol, and requests beyond [`WAITING`].
    pub dropped: u64,
    /// Connections lost.
    pub losses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Down { retry: Duration },
    Connecting { until: Duration },
    Up { heard: Duration, beat: Duration, announced: bool },
}

/// A request and the connection that it came by.
#[derive(Debug)]
struct InHand<F> {
    job: u64,
    client: F,
    connection: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Worker<F> {
    dialect: Dialect,
    link: Link,
    connection: u64,
    backoff: Backoff,
    job: u64,
    in_hand: Option<InHand<F>>,
    waiting: VecDeque<(F, Frames<F>)>,
    stop: Option<Duration>,
    ended: bool,
    counters: Counters,
}

impl<F: Frame + Clone> Worker<F> {
    /// A worker that connects at its first tick.
    #[must_use]
    pub fn new(dialect: Dialect, backoff: Backoff) -> Self {
        Self {
            dialect,
            link: Link::Down { retry: Duration::ZERO },
            connection: 0,
            backoff,
            job: 0,
            in_hand: None,
            waiting: VecDeque::new(),
            stop: None,
            ended: false,
            counters: Counters::default(),
        }
    }

    /// Takes an event at `now` and appends what is to be done to `actions`.
    pub fn handle(&mut self, now: Duration, event: Event<F>, actions: &mut Vec<Action<F>>) {
        if self.ended {
            return;
        }
        match event {
            Event::Up => self.up(now, actions),
            Event::Down => self.down(now, actions),
            Event::Heard(frames) => self.heard(now, frames, actions),
            Event::Done(job, body) => self.done(now, job, body, actions),
            Event::Tick => {}
            Event::Stop { until } => {
                let until = self.stop.map_or(until, |earlier| earlier.min(until));
                self.stop = Some(until);
            }
        }
        self.run_timers(now, actions);
        if self.stop.is_some_and(|until| self.in_hand.is_none() || now >= until) {
            self.ended = true;
            actions.push(Action::End);
        }
    }

    /// When a tick is due.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        if self.ended {
            return Duration::MAX;
        }
        let link = match self.link {
            Link::Down { retry } => retry,
            Link::Connecting { until } => until,
            Link::Up { heard, beat, announced } => {
                let beat = if announced && !self.dialect.is_req() { beat } else { Duration::MAX };
                let silence = if self.is_listening() { heard + HEARTBEAT * LIVENESS } else { Duration::MAX };
                beat.min(silence)
            }
        };
        self.stop.map_or(link, |until| until.min(link))
    }

    /// Whether the broker has been heard on the present connection and knows of the worker.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        matches!(self.link, Link::Up { announced: true, .. })
    }

    /// Whether a request is in hand.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.in_hand.is_some()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn up(&mut self, now: Duration, actions: &mut Vec<Action<F>>) {
        if !matches!(self.link, Link::Connecting { .. }) {
            return;
        }
        self.link = Link::Up { heard: now, beat: now + HEARTBEAT, announced: false };
        // A busy worker registers when it is free: READY asks for work.
        if self.in_hand.is_none() {
            self.announce(now, actions);
        }
    }

    fn announce(&mut self, now: Duration, actions: &mut Vec<Action<F>>) {
        if let Link::Up { heard, beat, announced: announced @ false } = &mut self.link {
            *announced = true;
            (*heard, *beat) = (now, now + HEARTBEAT);
            actions.push(Action::Send(dialect::ready(self.dialect)));
        }
    }

    fn down(&mut self, now: Duration, actions: &mut Vec<Action<F>>) {
        if matches!(self.link, Link::Down { .. }) {
            return;
        }
        if matches!(self.link, Link::Up { .. }) {
            self.counters.losses += 1;
        }
        // The broker gives what it gave us to another worker.
        self.waiting.clear();
        self.link = Link::Down { retry: now + self.backoff.delay() };
        actions.push(Action::Disconnect);
    }

    fn heard(&mut self, now: Duration, frames: Vec<F>, actions: &mut Vec<Action<F>>) {
        let Link::Up { heard, .. } = &mut self.link else { return };
        *heard = now;
        match dialect::understand(self.dialect, frames) {
            Ok(ToWorker::Heartbeat) => self.backoff.reset(),
            Ok(ToWorker::Work { client, body }) => {
                self.backoff.reset();
                if self.in_hand.is_none() {
                    self.begin(client, body, actions);
                } else if self.waiting.len() < WAITING {
                    self.waiting.push_back((client, body));
                } else {
                    self.counters.dropped += 1;
                }
            }
            Err(_) => self.counters.dropped += 1,
        }
    }

    fn begin(&mut self, client: F, body: Frames<F>, actions: &mut Vec<Action<F>>) {
        self.job += 1;
        self.counters.requests += 1;
        self.in_hand = Some(InHand { job: self.job, client: client.clone(), connection: self.connection });
        actions.push(Action::Begin { job: self.job, client, body });
    }

    fn done(&mut self, now: Duration, job: u64, body: Frames<F>, actions: &mut Vec<Action<F>>) {
        let Some(done) = self.in_hand.take_if(|in_hand| in_hand.job == job) else { return };
        let connected = if let Link::Up { heard, .. } = &mut self.link {
            // Nobody listened to the broker's silence while there was work; it begins to count now.
            *heard = now;
            true
        } else {
            false
        };
        if connected && done.connection == self.connection {
            self.counters.replies += 1;
            actions.push(Action::Send(dialect::reply(self.dialect, done.client, body)));
        } else {
            // On a new connection the answer would be one to work that the broker never gave.
            self.counters.stale += 1;
        }
        if let Some((client, body)) = self.waiting.pop_front() {
            self.begin(client, body, actions);
        } else if self.stop.is_none() {
            self.announce(now, actions);
        }
    }

    /// Whether silence means anything: brokers of REQ workers say nothing without need, nor does the Guide's to a busy one.
    fn is_listening(&self) -> bool {
        self.in_hand.is_none() && !self.dialect.is_req()
    }

    fn run_timers(&mut self, now: Duration, actions: &mut Vec<Action<F>>) {
        match self.link {
            Link::Down { retry } if now >= retry && (self.stop.is_none() || self.in_hand.is_some()) => {
                self.connection += 1;
                self.link = Link::Connecting { until: now + CONNECT_TIMEOUT };
                actions.push(Action::Connect);
            }
            Link::Connecting { until } if now >= until => self.down(now, actions),
            Link::Up { heard, .. } if self.is_listening() && now >= heard + HEARTBEAT * LIVENESS => self.down(now, actions),
            Link::Up { beat, announced: true, heard } if now >= beat => {
                if let Some(heartbeat) = dialect::heartbeat(self.dialect) {
                    self.link = Link::Up { heard, beat: now + HEARTBEAT, announced: true };
                    actions.push(Action::Send(heartbeat));
                }
            }
            _ => {}
        }
    }
}
