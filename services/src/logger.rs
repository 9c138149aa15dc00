//! The logger as a pure machine: what to write when, and what to keep until it is safe.
//!
//! Records are gathered and written in batches, with one fdatasync for all that was written in [`SYNC`] (group commit). A
//! record is kept in memory until the fdatasync *after* its write has succeeded: a failed fdatasync may have thrown the
//! kernel's copy away, and a second one would falsely succeed. What is kept is bounded; at the bound the machine stops
//! reading ([`Logger::wants_more`]), libzmq's queues fill, and the senders notice.
//!
//! One [`Job`] is with the disk at a time, on a thread of its own, so that a slow disk does not keep records from
//! being taken. Time is an argument.

pub mod args;
pub mod format;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::backoff::Backoff;

/// Records wait this long for others to be written with.
pub const GATHER: Duration = Duration::from_millis(5);
/// Written records are made safe this long after the first of them. With [`GATHER`] and the disk's own time the whole
/// is below the 50 ms that are promised.
pub const SYNC: Duration = Duration::from_millis(20);
/// Bytes that are worth a write by themselves. Buffers of this size come round again and again: fresh memory would cost more
/// than the writing.
pub const BATCH: usize = 256 << 10;
/// Batches in one job at most.
const BATCHES: usize = 16;
/// Written bytes that are worth an fdatasync by themselves; they are kept until then.
const SYNC_BYTES: usize = 16 << 20;
/// A job that takes longer than this is trouble worth telling.
const HANGS: Duration = Duration::from_secs(5);
/// When told to stop: silence of this long means that everything has arrived.
const QUIET: Duration = Duration::from_millis(100);
/// A failed rotation is tried again after this; meanwhile the file grows on.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);
/// Empty buffers that are kept for the next batches.
const SPARES: usize = 64;

/// What the disk is asked to do, one at a time.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// Open the file for appending, make it and its folder where they are missing, end a torn last line.
    Open,
    /// Append the batches, one after the other.
    Write {
        /// At least one.
        batches: Vec<Vec<u8>>,
        /// What of the first is written already.
        from: usize,
    },
    /// fdatasync, and see that the file is still the one at its path.
    Sync,
    /// Move the file to `.1`, that to `.2` and so on, and open a new one.
    Rotate,
}

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is open and has this size.
    Opened(Result<u64, String>),
    /// All was written, or up to there, because of that.
    Wrote {
        /// The batches of the job.
        batches: Vec<Vec<u8>>,
        /// How many of them are written as a whole.
        whole: usize,
        /// What of the next one is written.
        to: usize,
        /// Why no more.
        error: Option<Trouble>,
    },
    /// What was written is safe, or not.
    Synced(Result<(), String>),
    /// The file is a new one, or not.
    Rotated(Result<(), String>),
}

/// Why something could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub why: String,
    /// The volume is full: the file is as it was, and writing goes on where it stopped once there is room.
    pub full: bool,
}

/// What the machine is set to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes kept in memory at most.
    pub memory: usize,
    /// Size at which the file is rotated.
    pub rotate: Option<u64>,
    /// Size of a batch, [`BATCH`] but for tests.
    pub batch: usize,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records taken.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Successful fdatasyncs.
    pub syncs: u64,
    /// Jobs that failed.
    pub failures: u64,
    /// Files rotated.
    pub rotations: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// Reading what has arrived.
    Reading {
        quiet_at: Duration,
        last: Duration,
        until: Duration,
    },
    /// Writing it.
    Writing {
        until: Duration,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Logger {
    limits: Limits,
    backoff: Backoff,
    /// What is gathered, since when.
    gathered: Vec<u8>,
    since: Option<Duration>,
    /// Batches to write, before what is gathered; of the first, `from` bytes are written.
    queue: VecDeque<Vec<u8>>,
    from: usize,
    /// Batches that are written but not yet safe, since when.
    written: Vec<Vec<u8>>,
    unsafe_since: Option<Duration>,
    spares: Vec<Vec<u8>>,
    held: usize,
    open: bool,
    reopen: bool,
    size: u64,
    busy_since: Option<Duration>,
    retry: Duration,
    rotate_again: Duration,
    trouble: Option<String>,
    stop: Stop,
    counters: Counters,
}

impl Logger {
    /// A logger that opens its file at the first call of [`Logger::next_job`].
    #[must_use]
    pub fn new(limits: Limits, backoff: Backoff) -> Self {
        Self {
            limits,
            backoff,
            gathered: Vec::new(),
            since: None,
            queue: VecDeque::new(),
            from: 0,
            written: Vec::new(),
            unsafe_since: None,
            spares: Vec::new(),
            held: 0,
            open: false,
            reopen: false,
            size: 0,
            busy_since: None,
            retry: Duration::ZERO,
            rotate_again: Duration::ZERO,
            trouble: None,
            stop: Stop::No,
            counters: Counters::default(),
        }
    }

    /// Takes a record, the line (with its end) that `write` appends.
    pub fn take(&mut self, now: Duration, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.gathered.len();
        write(&mut self.gathered);
        self.held += self.gathered.len() - before;
        self.counters.records += 1;
        if self.gathered.len() >= self.limits.batch {
            self.cut();
        } else {
            self.since.get_or_insert(now);
        }
        if let Stop::Reading { quiet_at, .. } = &mut self.stop {
            *quiet_at = now + QUIET;
        }
    }

    /// What is gathered is a batch.
    fn cut(&mut self) {
        self.since = None;
        let spare = self.spares.pop().unwrap_or_else(|| Vec::with_capacity(self.limits.batch * 5 / 4));
        self.queue.push_back(std::mem::replace(&mut self.gathered, spare));
    }

    /// Whether there is room for more records. When not, leave them where they are.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.held < self.limits.memory && !matches!(self.stop, Stop::Writing { .. })
    }

    /// Write to a new file from now on (SIGHUP: somebody moved the old one).
    pub fn reopen(&mut self) {
        self.reopen = true;
        self.retry = Duration::ZERO;
    }

    /// Take what has arrived, write it, and end; at `until` at the latest.
    pub fn stop(&mut self, now: Duration, until: Duration) {
        if self.stop == Stop::No {
            let half = now + until.saturating_sub(now) / 2;
            self.stop = Stop::Reading { quiet_at: now + QUIET, last: half, until };
        }
    }

    /// What the disk should do now; none when it is busy or nothing is due.
    pub fn next_job(&mut self, now: Duration) -> Option<Job> {
        if let Stop::Reading { quiet_at, last, until } = self.stop
            && (now >= quiet_at || now >= last)
        {
            self.stop = Stop::Writing { until };
        }
        if let Some(since) = self.busy_since {
            if now >= since + HANGS && self.trouble.is_none() {
                self.trouble = Some(format!("the disk has not answered for {} s", HANGS.as_secs()));
            }
            return None;
        }
        if now < self.retry {
            return None;
        }
        let job = self.due_job(now)?;
        self.busy_since = Some(now);
        Some(job)
    }

    fn due_job(&mut self, now: Duration) -> Option<Job> {
        if !self.open {
            return Some(Job::Open);
        }
        let stopping = matches!(self.stop, Stop::Writing { .. });
        let to_write = !self.queue.is_empty() || !self.gathered.is_empty();
        let rotate = self.limits.rotate.is_some_and(|limit| self.size >= limit) && now >= self.rotate_again && self.from == 0;
        if let Some(since) = self.unsafe_since {
            let kept: usize = self.written.iter().map(Vec::len).sum();
            let must = self.reopen || rotate || (stopping && !to_write);
            if must || now >= since + SYNC || kept >= SYNC_BYTES.min(self.limits.memory / 2) {
                return Some(Job::Sync);
            }
        }
        if self.reopen {
            self.reopen = false;
            self.begin_line_again();
            return Some(Job::Open);
        }
        if rotate {
            return Some(Job::Rotate);
        }
        if self.queue.is_empty() {
            if now < self.since? + GATHER && !stopping {
                return None;
            }
            self.cut();
        }
        let count = self.queue.len().min(BATCHES);
        Some(Job::Write { batches: self.queue.drain(..count).collect(), from: self.from })
    }

    /// Takes note of how the job ended.
    pub fn finished(&mut self, now: Duration, outcome: Outcome) {
        self.busy_since = None;
        match outcome {
            Outcome::Opened(Ok(size)) => {
                self.open = true;
                self.size = size;
                if self.held == 0 {
                    self.trouble = None;
                }
            }
            Outcome::Opened(Err(why)) => {
                self.open = false;
                self.failed(now, why);
            }
            Outcome::Wrote { batches, whole, to, error } => self.wrote(now, batches, whole, to, error),
            Outcome::Synced(Ok(())) => {
                self.counters.syncs += 1;
                self.unsafe_since = None;
                self.held -= self.written.iter().map(Vec::len).sum::<usize>();
                for mut batch in self.written.drain(..) {
                    if self.spares.len() < SPARES && batch.capacity() <= 2 * self.limits.batch {
                        batch.clear();
                        self.spares.push(batch);
                    }
                }
                self.well();
            }
            Outcome::Synced(Err(why)) => {
                // Some of it may be on the disk: a line twice is better than a line lost.
                self.from = 0;
                for batch in self.written.drain(..).rev() {
                    self.queue.push_front(batch);
                }
                self.unsafe_since = None;
                self.open = false;
                self.failed(now, why);
            }
            Outcome::Rotated(Ok(())) => {
                self.counters.rotations += 1;
                self.size = 0;
            }
            Outcome::Rotated(Err(why)) => {
                self.counters.failures += 1;
                self.rotate_again = now + ROTATE_AGAIN;
                self.trouble = Some(format!("cannot rotate: {why}"));
            }
        }
    }

    fn wrote(&mut self, now: Duration, mut batches: Vec<Vec<u8>>, whole: usize, to: usize, error: Option<Trouble>) {
        let rest = batches.split_off(whole.min(batches.len()));
        let new = (batches.iter().map(Vec::len).sum::<usize>() + to).saturating_sub(self.from) as u64;
        self.size += new;
        self.counters.bytes += new;
        if new > 0 {
            self.unsafe_since.get_or_insert(now);
        }
        self.written.append(&mut batches);
        self.from = to;
        for batch in rest.into_iter().rev() {
            self.queue.push_front(batch);
        }
        if let Some(trouble) = error {
            if !trouble.full {
                self.open = false;
                self.begin_line_again();
            }
            self.failed(now, trouble.why);
        }
    }

    /// The line that was cut off will be written again as a whole: opening a file ends a torn line.
    fn begin_line_again(&mut self) {
        if let Some(written) = self.queue.front().and_then(|batch| batch.get(..self.from)) {
            self.from = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        }
    }

    fn failed(&mut self, now: Duration, why: String) {
        self.counters.failures += 1;
        self.trouble = Some(why);
        self.retry = now + self.backoff.delay();
    }

    fn well(&mut self) {
        self.trouble = None;
        self.backoff.reset();
    }

    /// When [`Logger::next_job`] may have something new to say.
    #[must_use]
    pub fn next_timeout(&self) -> Duration {
        let stop = match self.stop {
            Stop::No => Duration::MAX,
            Stop::Reading { quiet_at, last, .. } => quiet_at.min(last),
            Stop::Writing { until } => until,
        };
        let work = if let Some(since) = self.busy_since {
            if self.trouble.is_none() { since + HANGS } else { Duration::MAX }
        } else if !self.open || self.reopen || !self.queue.is_empty() {
            self.retry
        } else {
            let write = self.since.map_or(Duration::MAX, |since| since + GATHER);
            let sync = self.unsafe_since.map_or(Duration::MAX, |since| since + SYNC);
            self.retry.max(write.min(sync))
        };
        work.min(stop)
    }

    /// Whether everything is done after [`Logger::stop`]: the bytes that could not be saved.
    #[must_use]
    pub fn ended(&self, now: Duration) -> Option<usize> {
        match self.stop {
            Stop::Writing { until } if (self.held == 0 && self.busy_since.is_none()) || now >= until => Some(self.held),
            _ => None,
        }
    }

    /// What is wrong with the disk, if anything is.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether the file is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Bytes in memory that are not safe yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
