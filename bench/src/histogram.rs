//! Latencies and their quantiles.

use std::time::Duration;

/// Every sample kept, in microseconds: a run has a few hundred thousand, and the quantiles are exact.
#[derive(Debug, Default)]
pub struct Histogram {
    samples: Vec<u32>,
}

impl Histogram {
    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        self.samples.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The latencies in µs at these per mille, 0 without samples.
    pub fn per_mille<const N: usize>(&mut self, points: [usize; N]) -> [u32; N] {
        self.samples.sort_unstable();
        let last = self.samples.len().saturating_sub(1);
        points.map(|point| self.samples.get((self.samples.len() * point / 1000).min(last)).copied().unwrap_or(0))
    }
}
