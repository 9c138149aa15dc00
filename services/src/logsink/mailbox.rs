//! A bounded box between busy threads that have records and one slow thread that takes them in batches.
//!
//! What it costs the busy side is a lock that is hardly ever contended and the formatting; when the box is full it
//! costs one atomic load and an addition. The taker is woken once a batch, not once a record: a futex call costs more than
//! the record.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records in the order in which they were put in, in one piece of memory.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// The records, each without anything round it.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let record = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            record
        })
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

/// The box. One thread takes; any number put in.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<State>,
    filled: Condvar,
    limit: usize,
    full: AtomicBool,
    dropped: AtomicU64,
    reported: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    taker_waits: bool,
    closed: bool,
}

impl Mailbox {
    /// A box that holds about `limit` bytes: the record that passes the limit is the last one taken.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            limit,
            full: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            reported: AtomicU64::new(0),
        }
    }

    /// Puts in the record that `write` appends to the buffer; never waits for the taker. When the box is full the record is
    /// dropped and counted, and `write` is not called.
    pub fn put(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.refuses() {
            return;
        }
        let mut state = self.lock();
        state.batch.push_with(write);
        // An index entry is memory too: empty records must not pass for free.
        if state.batch.bytes.len() + state.batch.ends.len() * size_of::<usize>() >= self.limit {
            self.full.store(true, Ordering::Relaxed);
        }
        let wake = mem::take(&mut state.taker_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Whether the box is full; the record that somebody has for it counts as dropped then.
    pub fn refuses(&self) -> bool {
        let full = self.full.load(Ordering::Relaxed);
        if full {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        full
    }

    /// Swaps what is in the box for the (emptied) `batch`, after waiting that long at most for a first record.
    /// Returns false when the box is closed and nothing is left.
    pub fn take(&self, batch: &mut Batch, wait: Duration) -> bool {
        batch.clear();
        let deadline = Instant::now() + wait;
        let mut state = self.lock();
        while state.batch.is_empty() && !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.taker_waits = true;
            state = self.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.taker_waits = false;
        mem::swap(&mut state.batch, batch);
        self.full.store(false, Ordering::Relaxed);
        !(state.closed && batch.is_empty())
    }

    /// Says that nothing more will come, so that the taker ends when it has taken everything.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Whether [`Mailbox::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// For the taker: how many records were dropped since it last asked, which it reports.
    pub fn take_dropped(&self) -> u64 {
        let dropped = self.dropped();
        dropped - self.reported.swap(dropped, Ordering::Relaxed)
    }

    /// How many records were dropped in all.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn records_come_out_whole_and_in_order() {
        let mailbox = Mailbox::new(1000);
        for text in ["one", "", "three\nlines"] {
            mailbox.put(|buffer| buffer.extend_from_slice(text.as_bytes()));
        }
        let mut batch = Batch::default();
        assert!(mailbox.take(&mut batch, Duration::ZERO));
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b"one"[..], b"", b"three\nlines"]);
        assert!(mailbox.take(&mut batch, Duration::ZERO), "an open box may be empty");
        assert!(batch.is_empty());
    }

    #[test]
    fn a_full_box_drops_counts_and_recovers() {
        let mailbox = Mailbox::new(100);
        for _ in 0..50 {
            mailbox.put(|buffer| buffer.extend_from_slice(&[b'x'; 42]));
        }
        let mut batch = Batch::default();
        mailbox.take(&mut batch, Duration::ZERO);
        assert_eq!((batch.len(), mailbox.take_dropped()), (2, 48));
        mailbox.put(|buffer| buffer.push(b'y'));
        mailbox.take(&mut batch, Duration::ZERO);
        assert_eq!((batch.len(), mailbox.take_dropped()), (1, 0));
    }

    #[test]
    fn a_closed_box_is_emptied_first() {
        let mailbox = Arc::new(Mailbox::new(1 << 20));
        let taker = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                let (mut batch, mut records) = (Batch::default(), 0);
                while mailbox.take(&mut batch, Duration::from_secs(60)) {
                    records += batch.len();
                }
                records
            })
        };
        for _ in 0..10_000 {
            mailbox.put(|buffer| buffer.push(b'x'));
        }
        mailbox.close();
        assert_eq!(taker.join().unwrap(), 10_000);
    }
}
