//! The logger as a pure machine: what to write when, and what to keep until it is safe.
//!
//! Records are gathered and written in batches, with one fdatasync for all that was written in [`SYNC`] (group commit). A
//! record is kept in memory until the fdatasync *after* its write has succeeded: a failed fdatasync may have thrown the
//! kernel's copy away, and a second one would falsely succeed. What is kept is bounded; at the bound the machine stops
//! reading ([`Logger::wants_more`]), libzmq's queues fill, and the senders notice.
//!
//! The disk works on threads of its own, so that a slow one does not keep records from being taken: one for [`Job::Sync`], one for
//! the other jobs, each with one job at a time. Records are written while an fdatasync is under way, however long that takes: what is
//! written survives the logger's own death. Time is an argument.

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

/// What the disk is asked to do.
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
    /// fdatasync, and see that the file is still the one at its path. Writes may go on meanwhile, and nothing else.
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

/// An fdatasync: since when, and what it makes safe.
#[derive(Debug)]
struct Syncing {
    since: Duration,
    batches: Vec<Vec<u8>>,
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
    /// The fdatasync that is under way.
    syncing: Option<Syncing>,
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
            syncing: None,
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

    /// What the disk should do now; none when it is busy or nothing is due. Ask again until there is none.
    pub fn next_job(&mut self, now: Duration) -> Option<Job> {
        if let Stop::Reading { quiet_at, last, until } = self.stop
            && (now >= quiet_at || now >= last)
        {
            self.stop = Stop::Writing { until };
        }
        if self.hangs_at().is_some_and(|at| now >= at) && self.trouble.is_none() {
            self.trouble = Some(format!("the disk has not answered for {} s", HANGS.as_secs()));
        }
        if now < self.retry {
            return None;
        }
        if self.sync_is_due(now) {
            self.unsafe_since = None;
            self.syncing = Some(Syncing { since: now, batches: std::mem::take(&mut self.written) });
            return Some(Job::Sync);
        }
        if self.busy_since.is_some() || self.waits_for_sync(now) {
            return None;
        }
        let job = self.due_job(now)?;
        self.busy_since = Some(now);
        Some(job)
    }

    /// When the job that the disk has had longest takes too long.
    fn hangs_at(&self) -> Option<Duration> {
        let since = self.busy_since.into_iter().chain(self.syncing.as_ref().map(|syncing| syncing.since)).min()?;
        Some(since + HANGS)
    }

    /// Since when there is something to make safe, if that can be done now.
    fn to_sync_since(&self) -> Option<Duration> {
        self.unsafe_since.filter(|_| self.open && self.syncing.is_none())
    }

    fn sync_is_due(&self, now: Duration) -> bool {
        let Some(since) = self.to_sync_since() else { return false };
        let stopping = matches!(self.stop, Stop::Writing { .. });
        let idle = self.busy_since.is_none() && self.queue.is_empty() && self.gathered.is_empty();
        let kept: usize = self.written.iter().map(Vec::len).sum();
        let must = self.busy_since.is_none() && (self.reopen || self.rotates(now));
        must || (stopping && idle) || now >= since + SYNC || kept >= SYNC_BYTES.min(self.limits.memory / 2)
    }

    /// Whether the next job is one that cannot be done during an fdatasync, and there is one.
    fn waits_for_sync(&self, now: Duration) -> bool {
        self.syncing.is_some() && (!self.open || self.reopen || self.rotates(now))
    }

    fn rotates(&self, now: Duration) -> bool {
        self.limits.rotate.is_some_and(|limit| self.size >= limit) && now >= self.rotate_again && self.from == 0
    }

    fn due_job(&mut self, now: Duration) -> Option<Job> {
        if !self.open {
            return Some(Job::Open);
        }
        if self.reopen {
            self.reopen = false;
            self.begin_line_again();
            return Some(Job::Open);
        }
        if self.rotates(now) {
            return Some(Job::Rotate);
        }
        if self.queue.is_empty() {
            let stopping = matches!(self.stop, Stop::Writing { .. });
            if self.gathered.is_empty() || (now < self.since? + GATHER && !stopping) {
                return None;
            }
            self.cut();
        }
        let count = self.queue.len().min(BATCHES);
        Some(Job::Write { batches: self.queue.drain(..count).collect(), from: self.from })
    }

    /// Takes note of how the job ended.
    pub fn finished(&mut self, now: Duration, outcome: Outcome) {
        if !matches!(outcome, Outcome::Synced(_)) {
            self.busy_since = None;
        }
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
            Outcome::Rotated(Ok(())) => {
                self.counters.rotations += 1;
                self.size = 0;
            }
            Outcome::Rotated(Err(why)) => {
                self.counters.failures += 1;
                self.rotate_again = now + ROTATE_AGAIN;
                self.trouble = Some(format!("cannot rotate: {why}"));
            }
            Outcome::Wrote { batches, whole, to, error } => self.wrote(now, batches, whole, to, error),
            Outcome::Synced(result) => self.synced(now, result),
        }
    }

    fn synced(&mut self, now: Duration, result: Result<(), String>) {
        let Some(Syncing { batches, .. }) = self.syncing.take() else { return };
        if let Err(why) = result {
            // What was written since is no safer. Some of it all may be on the disk: a line twice is better than a line lost.
            self.written.splice(..0, batches);
            self.open = false;
            // A write that is under way finds the file closed when it ends, and does the same.
            if self.busy_since.is_none() {
                self.take_back(Vec::new());
            }
            return self.failed(now, why);
        }
        self.counters.syncs += 1;
        self.held -= batches.iter().map(Vec::len).sum::<usize>();
        for mut batch in batches {
            if self.spares.len() < SPARES && batch.capacity() <= 2 * self.limits.batch {
                batch.clear();
                self.spares.push(batch);
            }
        }
        // A write may have failed meanwhile.
        if now >= self.retry {
            self.well();
        }
    }

    /// All that is not safe is to be written again, from its beginning; `last` was written last.
    fn take_back(&mut self, last: Vec<Vec<u8>>) {
        for batch in self.written.drain(..).chain(last).rev() {
            self.queue.push_front(batch);
        }
        self.from = 0;
        self.unsafe_since = None;
    }

    fn wrote(&mut self, now: Duration, mut batches: Vec<Vec<u8>>, whole: usize, to: usize, error: Option<Trouble>) {
        if !self.open {
            // An fdatasync has failed meanwhile.
            self.take_back(batches);
            if let Some(trouble) = error {
                self.failed(now, trouble.why);
            }
            return;
        }
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
        let hangs = self.hangs_at().filter(|_| self.trouble.is_none()).unwrap_or(Duration::MAX);
        let sync = self.to_sync_since().map_or(Duration::MAX, |since| self.retry.max(since + SYNC));
        // (a rotation that failed and may be tried again only later holds up writing for as long as an fdatasync takes)
        let job = if self.busy_since.is_some() || self.waits_for_sync(Duration::MAX) {
            Duration::MAX
        } else if !self.open || self.reopen || !self.queue.is_empty() {
            self.retry
        } else {
            self.retry.max(self.since.map_or(Duration::MAX, |since| since + GATHER))
        };
        hangs.min(sync).min(job).min(stop)
    }

    /// Whether everything is done after [`Logger::stop`]: the bytes that could not be saved.
    #[must_use]
    pub fn ended(&self, now: Duration) -> Option<usize> {
        match self.stop {
            Stop::Writing { until } if (self.held == 0 && self.busy_since.is_none() && self.syncing.is_none()) || now >= until => {
                Some(self.held)
            }
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
