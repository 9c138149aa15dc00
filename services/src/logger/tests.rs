use std::time::Duration;

use proptest::prelude::*;

use super::{BATCH, Job, Limits, Logger, Outcome, Trouble};
use crate::backoff::Backoff;

const MS: Duration = Duration::from_millis(1);

fn logger(memory: usize, rotate: Option<u64>) -> Logger {
    with_batches(memory, rotate, BATCH)
}

fn with_batches(memory: usize, rotate: Option<u64>, batch: usize) -> Logger {
    Logger::new(Limits { memory, rotate, batch }, Backoff::seeded(100 * MS, 1000 * MS, 1))
}

/// A disk in memory that can be full, failing, slow or empty-handed.
#[derive(Default)]
struct Disk {
    /// Jobs under way: when each ends, and how long the file was when it began.
    under_way: Vec<(Duration, Job, usize)>,
    sync_takes: Duration,
    write_takes: Duration,
    files: Vec<Vec<u8>>,
    safe: usize,
    room: Option<usize>,
    broken: bool,
    bad_sync: bool,
    /// A failed fdatasync has taken something with it, perhaps half of a line.
    has_lost: bool,
}

impl Disk {
    fn file(&mut self) -> &mut Vec<u8> {
        if self.files.is_empty() {
            self.files.push(Vec::new());
        }
        self.files.last_mut().unwrap()
    }

    fn begin(&mut self, now: Duration, job: Job) {
        let others = |is_sync: fn(&Job) -> bool| self.under_way.iter().any(|(_, job, _)| is_sync(job));
        let (takes, clash) = match job {
            Job::Sync => (self.sync_takes, others(|job| !matches!(job, Job::Write { .. }))),
            Job::Write { .. } => (self.write_takes, others(|job| *job != Job::Sync)),
            Job::Open | Job::Rotate => (Duration::ZERO, others(|_| true)),
        };
        assert!(!clash, "{job:?} during {:?}", self.under_way);
        let length = self.file().len();
        self.under_way.push((now + takes, job, length));
    }

    fn next_end(&self) -> Duration {
        self.under_way.iter().map(|(end, ..)| *end).min().unwrap_or(Duration::MAX)
    }

    /// The outcome of a job that has ended by `now`.
    fn outcome(&mut self, now: Duration) -> Option<Outcome> {
        let next = self.under_way.iter().position(|(end, ..)| *end <= now.min(self.next_end()))?;
        let (_, job, length) = self.under_way.remove(next);
        Some(self.end(job, length))
    }

    /// A job does what it does when it ends.
    fn end(&mut self, job: Job, length: usize) -> Outcome {
        let broken = self.broken;
        match job {
            Job::Open if broken => Outcome::Opened(Err("no".to_owned())),
            Job::Open => {
                if self.file().last().is_some_and(|&byte| byte != b'\n') {
                    self.file().push(b'\n');
                }
                Outcome::Opened(Ok(self.file().len() as u64))
            }
            Job::Write { batches, from } if broken => {
                Outcome::Wrote { batches, whole: 0, to: from, error: Some(Trouble { why: "no".to_owned(), full: false }) }
            }
            Job::Write { batches, mut from } => {
                let mut whole = 0;
                for bytes in &batches {
                    let room = self.room.unwrap_or(usize::MAX);
                    let to = bytes.len().min(from.saturating_add(room));
                    self.room = self.room.map(|room| room - (to - from));
                    self.file().extend_from_slice(&bytes[from..to]);
                    if to < bytes.len() {
                        from = to;
                        break;
                    }
                    (whole, from) = (whole + 1, 0);
                }
                let error = (whole < batches.len()).then(|| Trouble { why: "full".to_owned(), full: true });
                Outcome::Wrote { batches, whole, to: from, error }
            }
            Job::Sync if std::mem::take(&mut self.bad_sync) || broken => {
                // What a failed fsync does: the pages are clean and gone.
                let safe = self.safe;
                self.file().truncate(safe);
                self.has_lost = true;
                Outcome::Synced(Err("input/output error".to_owned()))
            }
            Job::Sync => {
                // What was written since it began may be safe or not.
                self.safe = length;
                Outcome::Synced(Ok(()))
            }
            Job::Rotate => {
                self.files.push(Vec::new());
                self.safe = 0;
                Outcome::Rotated(Ok(()))
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.files.concat()).unwrap()
    }
}

fn take(logger: &mut Logger, now: Duration, line: &str) {
    logger.take(now, |bytes| bytes.extend_from_slice(format!("{line}\n").as_bytes()));
}

/// Runs whatever is due until `end`.
fn run(logger: &mut Logger, disk: &mut Disk, now: &mut Duration, end: Duration) {
    for _ in 0..100_000 {
        loop {
            if let Some(outcome) = disk.outcome(*now) {
                logger.finished(*now, outcome);
            } else if let Some(job) = logger.next_job(*now) {
                disk.begin(*now, job);
            } else {
                break;
            }
        }
        let next = logger.next_timeout().min(disk.next_end());
        if next > end || logger.ended(*now).is_some() {
            *now = end.max(*now);
            return;
        }
        *now = next.max(*now + Duration::from_micros(1));
    }
    panic!("the machine spins");
}

#[test]
fn a_record_is_safe_within_the_promise() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk::default(), MS);
    run(&mut logger, &mut disk, &mut now, MS);
    take(&mut logger, now, "one");
    run(&mut logger, &mut disk, &mut now, MS + 50 * MS);
    assert_eq!((disk.text().as_str(), disk.safe, logger.held()), ("one\n", 4, 0));
}

#[test]
fn many_records_are_one_write_and_one_sync() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk::default(), MS);
    run(&mut logger, &mut disk, &mut now, MS);
    for n in 0..1000 {
        take(&mut logger, now, &format!("record {n}"));
    }
    run(&mut logger, &mut disk, &mut now, MS + 50 * MS);
    assert_eq!(logger.counters().syncs, 1);
    assert_eq!(disk.text().lines().count(), 1000);
}

#[test]
fn a_full_disk_stops_the_reading_and_loses_nothing() {
    let (mut logger, mut disk, mut now) = (logger(1000, None), Disk { room: Some(105), ..Disk::default() }, MS);
    let mut taken = 0;
    while taken < 10_000 && logger.wants_more() {
        take(&mut logger, now, &format!("record {taken}"));
        taken += 1;
        let end = now + MS;
        run(&mut logger, &mut disk, &mut now, end);
    }
    assert!(logger.held() >= 1000 && taken < 200, "{taken} records");
    assert!(logger.trouble().is_some());
    disk.room = None;
    let end = now + 2000 * MS;
    run(&mut logger, &mut disk, &mut now, end);
    assert_eq!(disk.text(), (0..taken).fold(String::new(), |text, n| text + &format!("record {n}\n")));
    assert!(logger.wants_more() && logger.trouble().is_none());
}

#[test]
fn a_failed_sync_writes_again() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk { bad_sync: true, ..Disk::default() }, MS);
    run(&mut logger, &mut disk, &mut now, MS);
    take(&mut logger, now, "one");
    take(&mut logger, now, "two");
    run(&mut logger, &mut disk, &mut now, Duration::from_secs(2));
    assert_eq!(disk.text(), "one\ntwo\n");
    assert!(logger.trouble().is_none());
}

#[test]
fn a_stop_takes_what_has_arrived_and_makes_it_safe() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk::default(), MS);
    take(&mut logger, now, "before");
    logger.stop(now, now + 4000 * MS);
    take(&mut logger, now, "arrived");
    run(&mut logger, &mut disk, &mut now, 201 * MS);
    assert_eq!(logger.ended(now), Some(0));
    assert_eq!((disk.text().as_str(), disk.safe), ("before\narrived\n", 15));
}

#[test]
fn a_stop_with_a_broken_disk_tells_what_is_lost() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk { broken: true, ..Disk::default() }, MS);
    take(&mut logger, now, "lost");
    logger.stop(now, now + 4000 * MS);
    run(&mut logger, &mut disk, &mut now, 5001 * MS);
    assert_eq!(logger.ended(now), Some(5));
}

#[test]
fn a_file_is_rotated_between_lines() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, Some(100)), Disk::default(), MS);
    for n in 0..100 {
        take(&mut logger, now, &format!("record {n:03}"));
        let end = now + 10 * MS;
        run(&mut logger, &mut disk, &mut now, end);
    }
    assert!(logger.counters().rotations >= 9);
    assert!(disk.files.iter().all(|file| file.is_empty() || file.ends_with(b"\n")));
    assert_eq!(disk.text().lines().count(), 100);
}

#[test]
fn a_disk_that_hangs_is_trouble() {
    let mut logger = logger(1 << 20, None);
    assert_eq!(logger.next_job(MS), Some(Job::Open));
    let later = logger.next_timeout();
    assert_eq!(logger.next_job(later), None);
    assert!(logger.trouble().is_some_and(|trouble| trouble.contains("has not answered")));
}

#[test]
fn nothing_is_written_after_a_reopening_that_failed() {
    let (mut logger, mut disk, mut now) = (with_batches(2000, None, 1), Disk { room: Some(5), ..Disk::default() }, MS);
    take(&mut logger, now, "one");
    take(&mut logger, now, "two");
    run(&mut logger, &mut disk, &mut now, 700 * MS);
    assert_eq!(disk.text(), "one\nt", "the disk is full");
    disk.broken = true;
    logger.reopen();
    run(&mut logger, &mut disk, &mut now, 700 * MS);
    assert!(!logger.is_open());
    (disk.room, disk.broken) = (None, false);
    run(&mut logger, &mut disk, &mut now, 3000 * MS);
    assert_eq!(disk.text(), "one\nt\ntwo\n", "opening ends the torn line");
}

#[test]
fn a_long_sync_does_not_hold_up_writing() {
    let (mut logger, mut disk, mut now) = (logger(1 << 20, None), Disk { sync_takes: 2000 * MS, ..Disk::default() }, MS);
    take(&mut logger, now, "before");
    run(&mut logger, &mut disk, &mut now, 100 * MS);
    take(&mut logger, now, "meanwhile");
    run(&mut logger, &mut disk, &mut now, 110 * MS);
    assert_eq!((disk.text().as_str(), logger.counters().syncs), ("before\nmeanwhile\n", 0));
    disk.bad_sync = true;
    run(&mut logger, &mut disk, &mut now, 9000 * MS);
    assert_eq!((disk.text().as_str(), logger.held()), ("before\nmeanwhile\n", 0), "a failed one is made up for");
}

#[derive(Debug, Clone)]
enum Fate {
    Take(u8),
    Pass(u64),
    Room(Option<usize>),
    Broken(bool),
    BadSync,
    SyncTakes(u32),
    WriteTakes(u32),
    Reopen,
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (0_u8..50).prop_map(Fate::Take),
        6 => (0_u64..2000).prop_map(Fate::Pass),
        1 => proptest::option::of(0_usize..300).prop_map(Fate::Room),
        1 => any::<bool>().prop_map(Fate::Broken),
        1 => Just(Fate::BadSync),
        1 => (0_u32..900).prop_map(Fate::SyncTakes),
        1 => (0_u32..90).prop_map(Fate::WriteTakes),
        1 => Just(Fate::Reopen),
    ]
}

proptest! {
    /// Whatever the disk does: every record is there in the end, whole, and in order when the last copy of each counts.
    #[test]
    fn no_record_is_lost(fates in proptest::collection::vec(any_fate(), 0..60), rotate in proptest::option::of(50_u64..500), batch in 1_usize..500) {
        let (mut logger, mut disk, mut now, mut next) = (with_batches(2000, rotate, batch), Disk::default(), MS, 0);
        for fate in fates {
            match fate {
                Fate::Take(count) => for _ in 0..count {
                    if logger.wants_more() {
                        take(&mut logger, now, &format!("<{next}:{next}>"));
                        next += 1;
                    }
                },
                Fate::Pass(ms) => { let end = now + MS * u32::try_from(ms).unwrap(); run(&mut logger, &mut disk, &mut now, end); }
                Fate::Room(room) => disk.room = room,
                Fate::Broken(broken) => disk.broken = broken,
                Fate::BadSync => disk.bad_sync = true,
                Fate::SyncTakes(ms) => disk.sync_takes = MS * ms,
                Fate::WriteTakes(ms) => disk.write_takes = MS * ms,
                Fate::Reopen => logger.reopen(),
            }
            prop_assert!(logger.held() <= 2100);
        }
        (disk.room, disk.broken, disk.bad_sync) = (None, false, false);
        logger.stop(now, now + 60_000 * MS);
        let end = now + 60_000 * MS;
        run(&mut logger, &mut disk, &mut now, end);
        prop_assert_eq!(logger.ended(now), Some(0));
        let mut seen = std::collections::BTreeSet::new();
        for line in disk.text().lines().rev() {
            if let Some((n, again)) = line.strip_prefix('<').and_then(|line| line.strip_suffix('>')?.split_once(':')) {
                let Some(n) = n.parse().ok().filter(|_| n == again) else {
                    prop_assert!(disk.has_lost, "two lines in one: {}", line);
                    continue;
                };
                prop_assert!(seen.contains(&n) || n + 1 == seen.first().copied().unwrap_or(next), "{} out of order", n);
                seen.insert(n);
            }
        }
        prop_assert_eq!(seen.len(), usize::try_from(next).unwrap());
    }
}
