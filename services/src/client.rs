//! The client as a pure machine: Lazy Pirates, any number of them side by side.
//!
//! Each *lane* has one request open at a time, as a REQ socket must. A request that is not answered in time is sent
//! again from a fresh socket under a fresh identity, so that a late answer can never pass for the answer to the next
//! request; its body, `<id>-<n>`, stays the same, so that whoever works can tell a repetition. Time is an argument.

pub mod args;
pub mod summary;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::backoff::Backoff;
use crate::wire::{Refusal, refusal_word};

/// Delays before a broker that is busy or stopping is asked again.
pub const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What the client is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Identity; the bodies begin with it.
    pub id: String,
    /// How many requests; none = as many as fit into the duration.
    pub requests: Option<u64>,
    /// Requests open at a time.
    pub concurrency: usize,
    /// Requests a second, evenly spaced; none = each lane asks as soon as it was answered.
    pub rate: Option<f64>,
    /// No new requests after this.
    pub duration: Option<Duration>,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How often to ask at most.
    pub tries: u32,
    /// Take any text for an answer, not only one that begins with the request.
    pub any_reply: bool,
}

/// What happens to the client.
#[derive(Debug)]
pub enum Event {
    /// A message came on a lane; its frames after the delimiter.
    Reply(usize, Vec<Vec<u8>>),
    /// Nothing but the time.
    Tick,
    /// Ask nothing new.
    Stop,
}

/// What the loop has to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Close the lane's socket, if there is one, and connect a fresh one with this identity.
    Open {
        /// The lane.
        lane: usize,
        /// For `ZMQ_ROUTING_ID`.
        identity: String,
    },
    /// Send this body on the lane.
    Send {
        /// The lane.
        lane: usize,
        /// `<id>-<n>`
        body: String,
    },
    /// A request has come to its end.
    Tell(Outcome),
    /// All requests have.
    End,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Number of the request.
    pub n: u64,
    /// The answer, or why there is none.
    pub reply: Result<String, String>,
    /// Since it was first sent, or since it should have been when there is a rate.
    pub took: Duration,
    /// How often it was sent again.
    pub retries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Free,
    Waits { n: u64, since: Duration, tries: u32, until: Duration },
    Pauses { n: u64, since: Duration, tries: u32, until: Duration },
}

/// The machine.
#[derive(Debug)]
pub struct Client {
    plan: Plan,
    lanes: Vec<Lane>,
    fresh: Vec<bool>,
    backoff: Backoff,
    next: u64,
    identities: u64,
    wrong: u64,
    stopped: bool,
    ended: bool,
}

impl Client {
    /// A client that begins at its first tick, at time zero.
    #[must_use]
    pub fn new(plan: Plan, backoff: Backoff) -> Self {
        let lanes = plan.concurrency.max(1);
        Self {
            plan,
            lanes: vec![Lane::Free; lanes],
            fresh: vec![true; lanes],
            backoff,
            next: 1,
            identities: 0,
            wrong: 0,
            stopped: false,
            ended: false,
        }
    }

    /// Takes an event at `now` and appends what is to be done to `actions`.
    pub fn handle(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) {
        if self.ended {
            return;
        }
        match event {
            Event::Reply(lane, frames) => self.reply(now, lane, &frames, actions),
            Event::Tick => {}
            Event::Stop => self.stopped = true,
        }
        for lane in 0..self.lanes.len() {
            self.turn(now, lane, actions);
        }
        if self.is_over(now) && self.lanes.iter().all(|lane| *lane == Lane::Free) {
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
        let exhausted = self.stopped || self.plan.requests.is_some_and(|most| self.next > most);
        let begin = if exhausted { Duration::MAX } else { self.due(self.next).min(self.plan.duration.unwrap_or(Duration::MAX)) };
        let lane = |lane: &Lane| match *lane {
            Lane::Free => begin,
            Lane::Waits { until, .. } | Lane::Pauses { until, .. } => until,
        };
        self.lanes.iter().map(lane).min().unwrap_or(Duration::MAX)
    }

    /// Replies that were not the client's own. With a correct broker there is none.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// Requests begun so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.next - 1
    }

    /// The body of request `n`.
    #[must_use]
    pub fn body(&self, n: u64) -> String {
        format!("{}-{n}", self.plan.id)
    }

    fn is_over(&self, now: Duration) -> bool {
        self.stopped || self.plan.requests.is_some_and(|most| self.next > most) || self.plan.duration.is_some_and(|end| now >= end)
    }

    /// When request `n` should be sent.
    fn due(&self, n: u64) -> Duration {
        match self.plan.rate {
            #[allow(clippy::cast_precision_loss)] // 2^53 requests are not reached
            Some(rate) if rate > 0.0 => Duration::try_from_secs_f64((n - 1) as f64 / rate).unwrap_or(Duration::MAX),
            _ => Duration::ZERO,
        }
    }

    /// Does what is due on a lane.
    fn turn(&mut self, now: Duration, lane: usize, actions: &mut Vec<Action>) {
        match self.lanes[lane] {
            Lane::Free if !self.is_over(now) && now >= self.due(self.next) => {
                let n = self.next;
                self.next += 1;
                let since = if self.plan.rate.is_some() { self.due(n) } else { now };
                self.send(now, lane, n, since, 1, actions);
            }
            Lane::Waits { n, since, tries, until } if now >= until => {
                self.fresh[lane] = true;
                if tries < self.plan.tries {
                    self.send(now, lane, n, since, tries + 1, actions);
                } else {
                    let why = format!("no answer within {} ms, {tries} times", self.plan.timeout.as_millis());
                    self.end(now, lane, Err(why), actions);
                }
            }
            Lane::Pauses { n, since, tries, until } if now >= until => self.send(now, lane, n, since, tries + 1, actions),
            _ => {}
        }
    }

    fn send(&mut self, now: Duration, lane: usize, n: u64, since: Duration, tries: u32, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.fresh[lane]) {
            let identity = self.identity();
            actions.push(Action::Open { lane, identity });
        }
        actions.push(Action::Send { lane, body: self.body(n) });
        self.lanes[lane] = Lane::Waits { n, since, tries, until: now + self.plan.timeout };
    }

    /// The client's own name first, so that it is the one that is seen in the broker; then names of which none is used twice.
    fn identity(&mut self) -> String {
        let number = self.identities;
        self.identities += 1;
        if number == 0 { self.plan.id.clone() } else { format!("{}~{number}", self.plan.id) }
    }

    fn reply(&mut self, now: Duration, lane: usize, frames: &[Vec<u8>], actions: &mut Vec<Action>) {
        let Some(&Lane::Waits { n, since, tries, .. }) = self.lanes.get(lane) else { return };
        let text = String::from_utf8_lossy(&frames.concat()).into_owned();
        let refused = refusal_word(frames).is_some();
        // No worker answered: asking again would only give a request that kills its workers more of them.
        let final_refusal = refused && refusal_word(frames) != Some("busy") && text != Refusal::Stopping.text();
        let own = self.plan.any_reply || is_own(&text, &self.body(n));
        if final_refusal || (refused && tries >= self.plan.tries) {
            self.end(now, lane, Err(text), actions);
        } else if refused {
            self.lanes[lane] = Lane::Pauses { n, since, tries, until: now + self.backoff.delay() };
        } else if own {
            self.backoff.reset();
            self.end(now, lane, Ok(text), actions);
        } else {
            // A REQ socket hears no second reply to one request: ask anew.
            self.wrong += 1;
            self.fresh[lane] = true;
            self.lanes[lane] = Lane::Waits { n, since, tries, until: now };
        }
    }

    fn end(&mut self, now: Duration, lane: usize, reply: Result<String, String>, actions: &mut Vec<Action>) {
        if let Lane::Waits { n, since, tries, .. } | Lane::Pauses { n, since, tries, .. } = self.lanes[lane] {
            actions.push(Action::Tell(Outcome { n, reply, took: now.saturating_sub(since), retries: tries - 1 }));
            self.lanes[lane] = Lane::Free;
        }
    }
}

/// Whether a reply answers the request `body`: it begins with it, and not with that of a longer number.
fn is_own(reply: &str, body: &str) -> bool {
    reply.strip_prefix(body).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Who answered, when the reply is the lab's echo `<body> <worker>`.
#[must_use]
pub fn worker_of<'a>(reply: &'a str, body: &str) -> Option<&'a str> {
    reply.strip_prefix(body)?.strip_prefix(' ').filter(|worker| !worker.is_empty())
}
