//! The auditor: clients that ask unguessable questions, never ask twice, and count every answer.
//!
//! It is the measure by which a broker is judged (`cbwgen verify`), so it is the opposite of the [`crate::client`], which does all
//! it can to get an answer: here a request that is lost stays lost, an answer that comes twice is told, and so is one that
//! belongs to somebody else. Each client is a DEALER with several requests open. Time is an argument.

pub mod args;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::trace::Quoted;
use crate::wire::refusal_word;

/// What the auditor is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Nobody else's word: the clients' identities and all bodies contain it.
    pub token: String,
    /// How many clients.
    pub clients: usize,
    /// Requests of each client; none = until it is told to finish.
    pub requests: Option<u64>,
    /// Requests that a client has open at most.
    pub window: usize,
    /// Requests a second of all clients, evenly spaced; none = as soon as the window allows.
    pub rate: Option<f64>,
    /// How long an answer may take before it counts as missing.
    pub timeout: Duration,
    /// How long to listen for answers that nobody should get after all is answered.
    pub linger: Duration,
}

/// What happens to the auditor.
#[derive(Debug)]
pub enum Event {
    /// A message came to a client; its frames after the delimiter.
    Reply(usize, Vec<Vec<u8>>),
    /// Nothing but the time.
    Tick,
    /// Ask nothing new.
    Finish,
}

/// What the loop has to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this body, after a delimiter.
    Send {
        /// The client.
        client: usize,
        /// The question.
        body: String,
    },
    /// Tell this.
    Tell(Fact),
    /// It is over.
    End,
}

/// What became of a request, or what should not have come.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The client's identity.
    pub client: String,
    /// Number of its request; none when the answer tells none.
    pub n: Option<u64>,
    /// When the request was sent, since the start.
    pub sent: Duration,
    /// Since then.
    pub took: Duration,
    /// What it was.
    pub what: What,
}

/// See [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The right answer, the first time, from this worker.
    Answered(String),
    /// An error reply of the broker.
    Refused(String),
    /// Nothing within the time.
    Unanswered,
    /// Another answer to a request that had one, or was given up.
    Again,
    /// Something that belongs to nobody here or to another client.
    Foreign(String),
}

impl What {
    /// The word in the JSON lines.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Refused(_) => "refused",
            Self::Unanswered => "unanswered",
            Self::Again => "again",
            Self::Foreign(_) => "foreign",
        }
    }
}

/// One JSON object.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"what\":\"{}\",\"client\":{}", self.what.word(), Quoted(&self.client))?;
        if let Some(n) = self.n {
            write!(f, ",\"n\":{n}")?;
        }
        write!(f, ",\"sent\":{:.6},\"took\":{:.6}", self.sent.as_secs_f64(), self.took.as_secs_f64())?;
        match &self.what {
            What::Answered(worker) => write!(f, ",\"worker\":{}", Quoted(worker))?,
            What::Refused(text) | What::Foreign(text) => write!(f, ",\"text\":{}", Quoted(text))?,
            What::Unanswered | What::Again => {}
        }
        f.write_str("}")
    }
}

/// How many of each there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as `What` is")]
pub struct Account {
    pub sent: u64,
    pub answered: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub again: u64,
    pub foreign: u64,
}

impl Account {
    /// Whether each request has exactly its own answer.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sent == self.answered && self.again == 0 && self.foreign == 0
    }
}

/// One JSON object.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, refused, unanswered, again, foreign } = self;
        write!(
            f,
            "{{\"what\":\"end\",\"requests\":{sent},\"answered\":{answered},\"refused\":{refused},\"unanswered\":{unanswered},\"again\":{again},\"foreign\":{foreign}}}"
        )
    }
}

#[derive(Debug, Default)]
struct Asker {
    next: u64,
    /// Requests without an answer, by number: when they were sent and their bodies.
    open: BTreeMap<u64, (Duration, String)>,
}

/// The machine.
#[derive(Debug)]
pub struct Audit<R> {
    plan: Plan,
    askers: Vec<Asker>,
    random: R,
    account: Account,
    finish: bool,
    settled: Option<Duration>,
    ended: bool,
}

impl<R: FnMut() -> u64> Audit<R> {
    /// An auditor that begins at its first tick, at time zero. What `random` gives makes the questions unguessable.
    #[must_use]
    pub fn new(plan: Plan, random: R) -> Self {
        let askers = (0..plan.clients.max(1)).map(|_| Asker::default()).collect();
        Self { plan, askers, random, account: Account::default(), finish: false, settled: None, ended: false }
    }

    /// A client's identity on the wire.
    #[must_use]
    pub fn identity(&self, client: usize) -> String {
        format!("AUD_{}_{client}", self.plan.token)
    }

    /// What there was so far.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// Takes an event at `now` and appends what is to be done to `actions`.
    pub fn handle(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) {
        if self.ended {
            return;
        }
        match event {
            Event::Reply(client, frames) => self.reply(now, client, &frames, actions),
            Event::Tick => {}
            Event::Finish => self.finish = true,
        }
        self.give_up(now, actions);
        self.ask(now, actions);
        if self.asks_no_more() && self.askers.iter().all(|asker| asker.open.is_empty()) {
            let settled = *self.settled.get_or_insert(now);
            if now >= settled + self.plan.linger {
                self.ended = true;
                actions.push(Action::End);
            }
        }
    }

    /// When a tick is due.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        if let Some(settled) = self.settled {
            return settled + self.plan.linger;
        }
        let oldest = self.askers.iter().filter_map(|asker| Some(asker.open.first_key_value()?.1.0 + self.plan.timeout)).min();
        let next = if self.asks_no_more() || self.plan.rate.is_none() { Duration::MAX } else { self.due() };
        oldest.unwrap_or(Duration::MAX).min(next)
    }

    fn asks_no_more(&self) -> bool {
        self.finish || self.plan.requests.is_some_and(|most| self.askers.iter().all(|asker| asker.next >= most))
    }

    /// When the next request of all should be sent.
    fn due(&self) -> Duration {
        match self.plan.rate {
            #[allow(clippy::cast_precision_loss)] // 2^53 requests are not reached
            Some(rate) if rate > 0.0 => Duration::try_from_secs_f64(self.account.sent as f64 / rate).unwrap_or(Duration::MAX),
            _ => Duration::ZERO,
        }
    }

    /// Asks what may be asked now; the clients take turns.
    fn ask(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let most = self.plan.requests.unwrap_or(u64::MAX);
        while !self.finish && now >= self.due() {
            let may_ask = |asker: &Asker| asker.next < most && asker.open.len() < self.plan.window;
            let Some(client) =
                (0..self.askers.len()).filter(|&client| may_ask(&self.askers[client])).min_by_key(|&client| self.askers[client].next)
            else {
                return;
            };
            let body = format!("{}-{}-{:016x}", self.identity(client), self.askers[client].next + 1, (self.random)());
            let asker = &mut self.askers[client];
            asker.next += 1;
            asker.open.insert(asker.next, (now, body.clone()));
            self.account.sent += 1;
            actions.push(Action::Send { client, body });
        }
    }

    fn give_up(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for client in 0..self.askers.len() {
            while let Some(oldest) = self.askers[client].open.first_entry()
                && now >= oldest.get().0 + self.plan.timeout
            {
                let (n, (sent, _)) = oldest.remove_entry();
                self.account.unanswered += 1;
                self.tell(client, Some(n), sent, now, What::Unanswered, actions);
            }
        }
    }

    fn reply(&mut self, now: Duration, client: usize, frames: &[Vec<u8>], actions: &mut Vec<Action>) {
        let refusal = refusal_word(frames).map(str::to_owned);
        let text = String::from_utf8_lossy(&frames.concat()).into_owned();
        let asker = &mut self.askers[client];
        if let Some(word) = refusal {
            // An error reply does not say to which request; the broker answers the oldest first.
            let Some((n, (sent, _))) = asker.open.pop_first() else {
                self.account.foreign += 1;
                return self.tell(client, None, now, now, What::Foreign(text), actions);
            };
            self.account.refused += 1;
            return self.tell(client, Some(n), sent, now, What::Refused(word), actions);
        }
        let own = format!("{}-", self.identity(client));
        let n: Option<u64> = text.strip_prefix(&own).and_then(|rest| rest.split('-').next()?.parse().ok());
        let asker = &mut self.askers[client];
        let Some(n) = n.filter(|n| (1..=asker.next).contains(n)) else {
            self.account.foreign += 1;
            return self.tell(client, None, now, now, What::Foreign(text), actions);
        };
        let Some((sent, body)) = asker.open.get(&n).cloned() else {
            self.account.again += 1;
            return self.tell(client, Some(n), now, now, What::Again, actions);
        };
        let Some(worker) = text.strip_prefix(&body) else {
            self.account.foreign += 1;
            return self.tell(client, Some(n), sent, now, What::Foreign(text), actions);
        };
        asker.open.remove(&n);
        self.account.answered += 1;
        self.tell(client, Some(n), sent, now, What::Answered(worker.trim_start().to_owned()), actions);
    }

    fn tell(&self, client: usize, n: Option<u64>, sent: Duration, now: Duration, what: What, actions: &mut Vec<Action>) {
        actions.push(Action::Tell(Fact { client: self.identity(client), n, sent, took: now.saturating_sub(sent), what }));
    }
}
