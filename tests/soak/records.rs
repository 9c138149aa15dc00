//! Records for the logger, and what became of them.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use cbw_bench::blocking::Blocking;
use cbw_bench::service::local;

const SENDERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(2);
/// What the logger promises is 50 ms from taking a record to the disk; on a machine that is busy with all the rest a record
/// may wait a little before it is taken.
const ON_DISK: Duration = Duration::from_millis(500);

/// What was sent when, and when the logger was away.
#[derive(Debug, Default)]
pub struct Records {
    /// Senders end.
    pub stop: AtomicBool,
    sent: [Mutex<Vec<Instant>>; SENDERS],
    away: Mutex<Vec<(Instant, Instant)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Records {
    /// The logger was signalled to end at `from` and listened again at `to`.
    pub fn was_away(&self, from: Instant, to: Instant) {
        locked(&self.away).push((from, to));
    }

    /// Reads the logger's file.
    pub fn account(&self, file: &Path) -> Result<Account> {
        let sent = self.sent.each_ref().map(|times| locked(times).clone());
        let mut seen: Vec<Vec<u32>> = sent.iter().map(|times| vec![0; times.len()]).collect();
        let mut account = Account { sent: sent.iter().map(Vec::len).sum(), ..Account::default() };
        let mut last = [None; SENDERS];
        for line in BufReader::new(File::open(file)?).split(b'\n') {
            let line = line?;
            let Some((sender, number)) = parse(&String::from_utf8_lossy(&line)) else {
                continue;
            };
            let Some(times) = seen.get_mut(sender).and_then(|times| times.get_mut(number)) else {
                account.torn += 1;
                continue;
            };
            *times += 1;
            account.unordered += usize::from(last[sender] > Some(number));
            last[sender] = Some(number);
        }
        let away = locked(&self.away);
        for (sent, seen) in sent.iter().zip(&seen) {
            for (when, times) in sent.iter().zip(seen) {
                match times {
                    0 if away.iter().any(|(from, to)| *when + ON_DISK >= *from && *when <= *to + ON_DISK) => {
                        account.in_flight += 1;
                    }
                    0 => account.lost += 1,
                    1 => account.kept += 1,
                    _ => account.twice += 1,
                }
            }
        }
        Ok(account)
    }
}

/// `… soak sender=0 record=17 end`, whatever stands before it.
fn parse(line: &str) -> Option<(usize, usize)> {
    let (_, rest) = line.split_once("soak sender=")?;
    let (sender, rest) = rest.split_once(" record=")?;
    let (record, _) = rest.split_once(" end")?;
    Some((sender.parse().ok()?, record.parse().ok()?))
}

/// What became of the records.
#[derive(Debug, Default)]
pub struct Account {
    sent: usize,
    kept: usize,
    /// Missing, and not sent round an end of the logger.
    lost: usize,
    /// Missing, but sent when the logger was about to end or away: a PUSH socket's loss, not the logger's.
    in_flight: usize,
    twice: usize,
    unordered: usize,
    torn: usize,
}

impl Account {
    /// Whether the logger kept its word.
    pub fn clean(&self) -> bool {
        self.kept > 0 && self.lost + self.twice + self.unordered + self.torn == 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "sent {}, kept {}, lost {}, in flight when the logger ended {}, twice {}, out of order {}, torn {}",
            self.sent, self.kept, self.lost, self.in_flight, self.twice, self.unordered, self.torn
        )
    }
}

/// Starts the senders.
pub fn start(port: u16, records: &Arc<Records>) -> Vec<JoinHandle<()>> {
    (0..SENDERS)
        .map(|sender| {
            let records = Arc::clone(records);
            std::thread::spawn(move || send(port, sender, &records))
        })
        .collect()
}

fn send(port: u16, sender: usize, records: &Records) {
    let mut connection = None;
    let mut number = 0;
    while !records.stop.load(Ordering::Relaxed) {
        let fresh = || Blocking::connect(local(port), "PUSH", b"", Duration::from_secs(1));
        let Some(mut made) = connection.take().or_else(|| fresh().ok()) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        locked(&records.sent[sender]).push(Instant::now());
        let record = format!("soak sender={sender} record={number} end");
        number += 1;
        // A failed send leaves a gap, which is in flight when the logger is away and lost when it is not.
        if made.send(&[record.as_bytes()]).is_ok() && made.receive(PAUSE).is_ok() {
            connection = Some(made);
        }
    }
}
