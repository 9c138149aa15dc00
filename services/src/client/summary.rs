//! What a client says in the end.

use std::fmt;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

use super::Outcome;
use crate::trace::Quoted;

/// Counts and latencies of all requests; an HDR histogram keeps three digits of each latency in some kB.
#[derive(Debug)]
pub struct Summary {
    latencies: Histogram<u64>,
    failed: u64,
    retries: u64,
}

impl Summary {
    /// A summary of nothing yet.
    pub fn new() -> Result<Self, CreationError> {
        Ok(Self { latencies: Histogram::new(3)?, failed: 0, retries: 0 })
    }

    /// Takes note of a request that has ended.
    pub fn add(&mut self, outcome: &Outcome) {
        self.retries += u64::from(outcome.retries);
        if outcome.reply.is_ok() {
            // The histogram grows as it must; a day is more than any time limit.
            let us = u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX).min(24 * 3600 * 1_000_000);
            let _ = self.latencies.record(us);
        } else {
            self.failed += 1;
        }
    }

    /// Requests that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.latencies.len()
    }

    /// Requests that were not.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Requests that were sent again, each time counted.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// The figures as they are shown: names and values, latencies in ms.
    fn figures(&self, wrong: u64, elapsed: Duration) -> [(&'static str, f64); 13] {
        #[allow(clippy::cast_precision_loss)] // counts and microseconds below 2^53
        let ms = |us: u64| us as f64 / 1000.0;
        #[allow(clippy::cast_precision_loss)]
        let count = |n: u64| n as f64;
        let at = |quantile| ms(self.latencies.value_at_quantile(quantile));
        [
            ("answered", count(self.answered())),
            ("failed", count(self.failed)),
            ("wrong", count(wrong)),
            ("retries", count(self.retries)),
            ("seconds", elapsed.as_secs_f64()),
            ("per_second", count(self.answered()) / elapsed.as_secs_f64().max(1e-9)),
            ("min_ms", ms(self.latencies.min())),
            ("mean_ms", self.latencies.mean() / 1000.0),
            ("p50_ms", at(0.5)),
            ("p95_ms", at(0.95)),
            ("p99_ms", at(0.99)),
            ("p99_9_ms", at(0.999)),
            ("max_ms", ms(self.latencies.max())),
        ]
    }

    /// One JSON object on one line.
    #[must_use]
    pub fn json(&self, wrong: u64, elapsed: Duration) -> String {
        let figures: Vec<_> =
            self.figures(wrong, elapsed).iter().map(|(name, value)| format!("{}:{}", Quoted(name), rounded(*value))).collect();
        format!("{{{}}}", figures.join(","))
    }

    /// Two lines for people.
    #[must_use]
    pub fn text(&self, wrong: u64, elapsed: Duration) -> String {
        use fmt::Write as _;
        let mut text = String::new();
        for (place, (name, value)) in self.figures(wrong, elapsed).into_iter().enumerate() {
            let separator = match place {
                0 => "",
                6 => "\n",
                _ => "  ",
            };
            let name = name.replace("p99_9", "p99.9").replace('_', " ");
            let _ = write!(text, "{separator}{name} {}", rounded(value));
        }
        text
    }
}

/// Three decimals are microseconds; what is whole is shown whole.
fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_for_people_and_for_programs() {
        let mut summary = Summary::new().unwrap();
        for ms in 1..=100 {
            summary.add(&Outcome { n: ms, reply: Ok("x".to_owned()), took: Duration::from_millis(ms), retries: 0 });
        }
        summary.add(&Outcome { n: 101, reply: Err("x".to_owned()), took: Duration::ZERO, retries: 2 });
        let value: serde_json::Value = serde_json::from_str(&summary.json(0, Duration::from_secs(2))).unwrap();
        assert_eq!(
            (&value["answered"], &value["failed"], &value["retries"], &value["per_second"]),
            (&100.into(), &1.into(), &2.into(), &50.into())
        );
        assert!((value["p50_ms"].as_f64().unwrap() - 50.0).abs() < 0.1);
        assert!(
            summary
                .text(0, Duration::from_secs(2))
                .starts_with("answered 100  failed 1  wrong 0  retries 2  seconds 2  per second 50\nmin ms 1 ")
        );
    }
}
