//! How a service logs to the logger without ever waiting for it.
//!
//! The service's threads put records into a bounded [`mailbox`]; a thread of its own (`io::logger::start_sink`) sends them, one
//! message a record, over a PUSH socket in a context of its own, so that neither a dead logger nor a slow name server can
//! hold up the service's traffic. While there is no logger the box fills; what comes after that is dropped and counted,
//! and the count is the first record that the logger gets when it is back.

pub mod mailbox;

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::mailbox::Mailbox;

/// Bytes that wait for a logger at most: half a minute of a service that traces 1,000 requests a second.
pub const LIMIT: usize = 4 << 20;

/// The box of this process, for its figures.
static HERE: OnceLock<Arc<Mailbox>> = OnceLock::new();

/// How many records this process has dropped; none when it has no logger.
#[must_use]
pub fn dropped_here() -> Option<u64> {
    HERE.get().map(|mailbox| mailbox.dropped())
}

/// The near end: cheap to clone and to use from any thread.
#[derive(Debug, Clone)]
pub struct LogSink {
    mailbox: Arc<Mailbox>,
}

impl LogSink {
    /// The near end of a box.
    #[must_use]
    pub fn new(mailbox: Arc<Mailbox>) -> Self {
        let _ = HERE.set(Arc::clone(&mailbox));
        Self { mailbox }
    }

    /// Logs one record, the text that `write` appends to the buffer; without a time stamp, which the logger gives.
    /// Never blocks.
    pub fn log(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.mailbox.put(write);
    }

    /// Whether a record would be dropped now, for whoever can save the work of making it; it counts as dropped then.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.mailbox.refuses()
    }
}

/// Owns a thread that empties a mailbox. Dropping it closes the box and gives the thread a moment to finish.
#[derive(Debug)]
pub struct Outlet {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
    grace: Duration,
}

impl Outlet {
    /// Takes charge of `thread`, which ends by itself once `mailbox` is closed; it has `grace` for that.
    #[must_use]
    pub fn new(mailbox: Arc<Mailbox>, thread: JoinHandle<()>, grace: Duration) -> Self {
        Self { mailbox, thread: Some(thread), grace }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.mailbox.close();
        let deadline = Instant::now() + self.grace;
        let Some(thread) = self.thread.take() else { return };
        // A thread can only be joined without a time limit, and the far end may hang.
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = thread.join();
    }
}
