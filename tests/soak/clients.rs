//! Those who ask, and a plain REQ worker.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cbw_bench::blocking::Blocking;
use cbw_bench::chance::Chance;
use cbw_bench::service::local;

use crate::account::{Tally, count};

/// REQ clients; every second one has a name and comes back under it.
const REQ_CLIENTS: u64 = 8;
const DEALER_CLIENTS: u64 = 2;
/// Requests that a DEALER client keeps open.
const OPEN: usize = 16;
/// Lazy Pirate's time-out (the Guide's 2,500 ms).
const TIMEOUT: Duration = Duration::from_millis(2500);
/// After this long without an answer or an error a request counts as lost.
const LOST: Duration = Duration::from_mins(2);
/// A wait for what should not come, after the last answer.
const SILENCE: Duration = Duration::from_secs(2);

/// Starts all clients.
pub fn start(port: u16, tally: &Arc<Tally>, seed: u64) -> Vec<JoinHandle<()>> {
    let req = (0..REQ_CLIENTS).map(|number| {
        let tally = Arc::clone(tally);
        std::thread::spawn(move || Req::new(port, number, seed).run(&tally))
    });
    let dealer = (0..DEALER_CLIENTS).map(|number| {
        let tally = Arc::clone(tally);
        std::thread::spawn(move || Dealer::new(port, number).run(&tally))
    });
    req.chain(dealer).collect()
}

fn is_error(body: &[u8]) -> bool {
    body.starts_with(b"!cbw ")
}

/// The number in `NAME-NUMBER WORKER`, when the name is right.
fn answered_number(body: &[u8], name: &str) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let (asked, _worker) = text.split_once(' ')?;
    asked.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
}

/// One request at a time, asked again from a fresh connection when nothing comes.
struct Req {
    port: u16,
    name: String,
    named: bool,
    chance: Chance,
    connection: Option<Blocking>,
    number: u64,
    last_settled: u64,
}

impl Req {
    fn new(port: u16, number: u64, seed: u64) -> Self {
        Self {
            port,
            name: format!("req{number}"),
            named: number.is_multiple_of(2),
            chance: Chance::new(seed ^ (number + 1)),
            connection: None,
            number: 0,
            last_settled: 0,
        }
    }

    fn run(mut self, tally: &Tally) {
        while !tally.stop.load(Ordering::Relaxed) {
            if self.chance.below(200) == 0 && self.withdraw().is_ok() {
                count(&tally.withdrawn);
            }
            self.number += 1;
            count(&tally.sent);
            let begin = Instant::now();
            while begin.elapsed() < LOST && self.last_settled < self.number {
                if self.attempt(tally).is_err() {
                    self.connection = None;
                    std::thread::sleep(Duration::from_millis(20 + self.chance.below(50)));
                }
                if self.last_settled < self.number {
                    count(&tally.resent);
                    self.connection = None;
                }
            }
            if self.last_settled < self.number {
                count(&tally.unanswered);
            }
            std::thread::sleep(Duration::from_millis(self.chance.below(6)));
        }
        // Whatever comes now is one too many.
        if let Some(mut connection) = self.connection.take() {
            while let Ok(Some(_)) = connection.receive(SILENCE) {
                count(&tally.duplicate);
            }
        }
    }

    /// Asks and goes away at once. A client with a name comes back under it, and must not be given this answer.
    fn withdraw(&mut self) -> io::Result<()> {
        self.number += 1;
        let body = format!("{}-{}", self.name, self.number);
        self.connected()?.send(&[b"", body.as_bytes()])?;
        self.connection = None;
        Ok(())
    }

    fn connected(&mut self) -> io::Result<&mut Blocking> {
        let fresh = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let identity: &[u8] = if self.named { self.name.as_bytes() } else { b"" };
            Blocking::connect(local(self.port), "REQ", identity, TIMEOUT)?
        };
        Ok(self.connection.insert(fresh))
    }

    /// One try at the request in hand.
    fn attempt(&mut self, tally: &Tally) -> io::Result<()> {
        let body = format!("{}-{}", self.name, self.number);
        let (name, number) = (self.name.clone(), self.number);
        let connection = self.connected()?;
        connection.send(&[b"", body.as_bytes()])?;
        let until = Instant::now() + TIMEOUT;
        loop {
            let Some(frames) = connection.receive(until.saturating_duration_since(Instant::now()))? else {
                return Ok(());
            };
            match &frames[..] {
                [empty, reply] if empty.is_empty() && is_error(reply) => {
                    count(&tally.errors);
                    self.last_settled = number;
                    std::thread::sleep(Duration::from_millis(20));
                    return Ok(());
                }
                [empty, reply] if empty.is_empty() && answered_number(reply, &name) == Some(number) => {
                    count(&tally.answered);
                    self.last_settled = number;
                    return Ok(());
                }
                [_, reply] if answered_number(reply, &name).is_some() => count(&tally.duplicate),
                _ => count(&tally.wrong),
            }
        }
    }
}

/// Many requests open on one connection; they are sent again only when the connection was lost.
struct Dealer {
    port: u16,
    name: String,
    open: BTreeMap<u64, Instant>,
    number: u64,
}

impl Dealer {
    fn new(port: u16, number: u64) -> Self {
        Self { port, name: format!("dealer{number}"), open: BTreeMap::new(), number: 0 }
    }

    fn run(mut self, tally: &Tally) {
        while !tally.stop.load(Ordering::Relaxed) || !self.open.is_empty() {
            if self.connected(tally).is_err() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Asks until the connection is lost or all is done.
    fn connected(&mut self, tally: &Tally) -> io::Result<()> {
        let mut connection = Blocking::connect(local(self.port), "DEALER", b"", TIMEOUT)?;
        let again: Vec<u64> = self.open.keys().copied().collect();
        for number in again {
            count(&tally.resent);
            self.send(&mut connection, number)?;
        }
        loop {
            let stopping = tally.stop.load(Ordering::Relaxed);
            while !stopping && self.open.len() < OPEN {
                self.number += 1;
                count(&tally.sent);
                self.open.insert(self.number, Instant::now());
                self.send(&mut connection, self.number)?;
            }
            if self.open.is_empty() {
                while let Some(_late) = connection.receive(SILENCE)? {
                    count(&tally.duplicate);
                }
                return Ok(());
            }
            let Some(frames) = connection.receive(Duration::from_millis(500))? else {
                self.give_up_the_lost(tally);
                continue;
            };
            self.settle(&frames, tally);
        }
    }

    fn send(&self, connection: &mut Blocking, number: u64) -> io::Result<()> {
        // The number also goes into the envelope, which comes back with errors too.
        let (envelope, body) = (number.to_be_bytes(), format!("{}-{number}", self.name));
        connection.send(&[&envelope, b"", body.as_bytes()])
    }

    fn settle(&mut self, frames: &[Vec<u8>], tally: &Tally) {
        let [envelope, empty, reply] = frames else {
            return count(&tally.wrong);
        };
        let Ok(number) = envelope[..].try_into().map(u64::from_be_bytes) else {
            return count(&tally.wrong);
        };
        let own = empty.is_empty() && answered_number(reply, &self.name) == Some(number);
        if !own && !is_error(reply) {
            count(&tally.wrong);
        } else if self.open.remove(&number).is_none() {
            count(&tally.duplicate);
        } else if own {
            count(&tally.answered);
        } else {
            count(&tally.errors);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn give_up_the_lost(&mut self, tally: &Tally) {
        self.open.retain(|_, since| {
            let lost = since.elapsed() >= LOST;
            if lost {
                count(&tally.unanswered);
            }
            !lost
        });
    }
}

/// A worker as libzmq's REQ makes it: it registers once in its life, reconnects without a word, and answers what it is sent.
pub fn req_worker(dialect: &str, name: &str, port: u16) -> Result<()> {
    let (registration, envelope): (&[&[u8]], usize) = match dialect {
        "short" => (&[b"", b"", b""], 2),
        "long" => (&[b"", b"", b"", b""], 3),
        "guide" => (&[b"", b"READY"], 3),
        other => bail!("no dialect `{other}`"),
    };
    let mut registered = false;
    let mut owed: Option<Vec<Vec<u8>>> = None;
    loop {
        let Ok(mut connection) = Blocking::connect(local(port), "REQ", name.as_bytes(), Duration::from_secs(1)) else {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let mut serve = || -> io::Result<()> {
            if !registered {
                connection.send(registration)?;
                registered = true;
            }
            loop {
                if let Some(answer) = &owed {
                    let frames: Vec<&[u8]> = answer.iter().map(Vec::as_slice).collect();
                    connection.send(&frames)?;
                    owed = None;
                }
                let Some(mut frames) = connection.receive(Duration::from_secs(1))? else {
                    continue;
                };
                if frames.len() <= envelope {
                    continue;
                }
                std::thread::sleep(Duration::from_millis(2));
                if let Some(last) = frames.last_mut() {
                    last.extend_from_slice(format!(" {name}").as_bytes());
                }
                owed = Some(frames);
            }
        };
        // The broker is gone: connect again.
        let _ = serve();
    }
}
