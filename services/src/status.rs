//! What a service says of itself over HTTP: `/metrics`, `/healthz`, `/readyz`, and on a broker `/status` and `/events`.
//!
//! Nothing is shared with the service's loop but one question and its answer: the HTTP side asks through the [`Hub`], the loop
//! is woken, sees [`Hub::asked`] and gives a [`Report`]. So a figure costs nothing until somebody wants it, the state
//! machines need no locks, and a loop that hangs is unhealthy because it does not answer.

mod http;
pub mod wake;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use self::http::serve;
use self::wake::Waker;
use crate::logsink::mailbox::Mailbox;

/// How long a loop may take to answer before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What a service's loop says when it is asked.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Why the service cannot do its work, if it cannot: `/healthz` says 503 with this text.
    pub unhealthy: Option<String>,
    /// Why it does not take work now, if it does not: `/readyz` says 503 with this text.
    pub unready: Option<String>,
    /// `/metrics`, see [`crate::metrics::Exposition`].
    pub metrics: String,
    /// `/status`, a JSON document; none = no such page.
    pub status: Option<String>,
}

/// The place where the HTTP side and the loop meet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    asked: AtomicBool,
    answer: Mutex<Answer>,
    answered: Condvar,
    waker: Waker,
    events: Option<Events>,
}

#[derive(Debug, Default)]
struct Answer {
    number: u64,
    report: Arc<Report>,
}

impl Hub {
    /// A hub whose questions wake the loop by `waker`.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        Self::with(waker, None)
    }

    /// As [`Hub::new`], with a stream of events at `/events`.
    #[must_use]
    pub fn with_events(waker: Waker) -> Self {
        Self::with(waker, Some(Events::default()))
    }

    fn with(waker: Waker, events: Option<Events>) -> Self {
        Self {
            shared: Arc::new(Shared { asked: AtomicBool::new(false), answer: Mutex::default(), answered: Condvar::new(), waker, events }),
        }
    }

    /// For the loop: whether somebody waits for [`Hub::answer`]. One atomic load.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.shared.asked.load(Ordering::Acquire)
    }

    /// For the loop: answers everybody who asked.
    pub fn answer(&self, report: Report) {
        self.shared.asked.store(false, Ordering::Release);
        let mut answer = self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.number += 1;
        answer.report = Arc::new(report);
        drop(answer);
        self.shared.answered.notify_all();
    }

    /// For the HTTP side: asks the loop and waits [`PATIENCE`] at most.
    #[must_use]
    pub fn ask(&self) -> Option<Arc<Report>> {
        let deadline = Instant::now() + PATIENCE;
        let mut answer = self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = answer.number;
        self.shared.asked.store(true, Ordering::Release);
        self.shared.waker.wake();
        while answer.number == before {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            answer = self.shared.answered.wait_timeout(answer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(Arc::clone(&answer.report))
    }

    /// The stream of events, where there is one.
    #[must_use]
    pub fn events(&self) -> Option<&Events> {
        self.shared.events.as_ref()
    }
}

/// Bytes of events that wait for one slow reader at most; what comes after that is counted and told.
const EVENTS_LIMIT: usize = 1 << 20;

/// A stream of JSON lines to whoever listens at `/events`.
#[derive(Debug, Default)]
pub struct Events {
    listeners: AtomicUsize,
    boxes: Mutex<Vec<Arc<Mailbox>>>,
}

impl Events {
    /// For the loop: whether anybody listens. One atomic load, so that an event costs nothing when nobody does.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// For the loop: tells an event, a JSON object on one line. Never blocks on a slow reader.
    pub fn publish(&self, event: &str) {
        for mailbox in self.boxes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            mailbox.put(|buffer| buffer.extend_from_slice(event.as_bytes()));
        }
    }

    fn subscribe(&self) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::new(EVENTS_LIMIT));
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.push(Arc::clone(&mailbox));
        self.listeners.store(boxes.len(), Ordering::Relaxed);
        mailbox
    }

    fn unsubscribe(&self, mailbox: &Arc<Mailbox>) {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.retain(|other| !Arc::ptr_eq(other, mailbox));
        self.listeners.store(boxes.len(), Ordering::Relaxed);
    }
}
