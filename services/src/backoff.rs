//! Waiting longer after each failure, and never in step with others.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Delays that double from `least` to `most`, each shortened by up to a half at random: after a broker's restart a hundred
/// workers must not all knock in the same millisecond.
#[derive(Debug, Clone)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    /// Delays seeded by the operating system.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self::seeded(least, most, RandomState::new().hash_one(0))
    }

    /// Delays that are the same for the same seed, for tests and simulations.
    #[must_use]
    pub fn seeded(least: Duration, most: Duration, seed: u64) -> Self {
        Self { least, most, next: least, random: seed | 1 }
    }

    /// How long to wait after this failure.
    pub fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.most);
        // xorshift64: the delays need spreading, not secrecy
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let per_mille = u32::try_from(self.random % 501).unwrap_or(0);
        full * (1000 - per_mille) / 1000
    }

    /// Begins again after a success.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_most_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::seeded(ms(100), ms(1000), 7);
        for full in [100, 200, 400, 800, 1000, 1000] {
            let delay = backoff.delay();
            assert!(delay >= ms(full / 2) && delay <= ms(full), "{delay:?} of {full} ms");
        }
        backoff.reset();
        assert!(backoff.delay() <= ms(100));
    }

    #[test]
    fn two_of_them_do_not_keep_step() {
        let delays = |seed| {
            let mut backoff = Backoff::seeded(Duration::from_millis(100), Duration::from_secs(2), seed);
            (0..8).map(|_| backoff.delay()).collect::<Vec<_>>()
        };
        assert_ne!(delays(3), delays(99));
    }
}
