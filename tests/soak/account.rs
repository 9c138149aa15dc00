//! What became of the requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts of all clients together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Clients begin no further requests.
    pub stop: AtomicBool,
    /// Requests begun.
    pub sent: AtomicU64,
    /// Requests that got their own answer.
    pub answered: AtomicU64,
    /// Requests that got an explicit error (`!cbw …`).
    pub errors: AtomicU64,
    /// Requests that a client gave up for another one; no answer to them may be seen.
    pub withdrawn: AtomicU64,
    /// Requests sent once more, because the connection was lost or nothing came in time.
    pub resent: AtomicU64,
    /// Answers to another's or to a withdrawn request.
    pub wrong: AtomicU64,
    /// Second answers.
    pub duplicate: AtomicU64,
    /// Requests that got nothing in two minutes.
    pub unanswered: AtomicU64,
}

/// Adds one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// Whether all requests ended as they should, and there were some.
    pub fn clean(&self) -> bool {
        let [sent, answered, errors, wrong, duplicate, unanswered] =
            [&self.sent, &self.answered, &self.errors, &self.wrong, &self.duplicate, &self.unanswered]
                .map(|counter| counter.load(Ordering::Relaxed));
        answered > 0 && sent == answered + errors && wrong + duplicate + unanswered == 0
    }

    /// One line.
    pub fn line(&self) -> String {
        [
            ("sent", &self.sent),
            ("answered", &self.answered),
            ("explicit errors", &self.errors),
            ("resent", &self.resent),
            ("withdrawn", &self.withdrawn),
            ("unanswered", &self.unanswered),
            ("wrong", &self.wrong),
            ("duplicate", &self.duplicate),
        ]
        .map(|(name, counter)| format!("{name} {}", counter.load(Ordering::Relaxed)))
        .join(", ")
    }
}
