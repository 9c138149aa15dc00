//! Figures of a service in Prometheus' text format, with the names and base units that its conventions ask for.

use std::fmt::Write as _;
use std::fs;

/// Builds the text, one family after the other.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// An exposition that begins with what is said of every process.
    #[must_use]
    pub fn of_process(role: &str) -> Self {
        let mut figures = Self::default();
        figures.family("cbw_build_info", "gauge", "Version of the service; the value is always 1.");
        let _ = writeln!(figures.text, "cbw_build_info{{role=\"{role}\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        if let Some(process) = Process::of_this_one() {
            if let Some(start) = process.start {
                figures.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", start);
            }
            figures.gauge("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", process.cpu_seconds);
            figures.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.resident_bytes);
            figures.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual_bytes);
            figures.gauge("process_open_fds", "Number of open file descriptors.", process.open_fds);
            figures.gauge("process_threads", "Number of OS threads.", process.threads);
        }
        if let Some(dropped) = crate::logsink::dropped_here() {
            figures.counter("cbw_log_dropped_records_total", "Records that the logger did not take in time.", dropped);
        }
        figures
    }

    /// A number that only grows; the name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.text, "{name} {value}");
    }

    /// Counters of one family that differ in the value of `label`.
    pub fn counters<'a>(&mut self, name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
        self.family(name, "counter", help);
        for (which, value) in values {
            let _ = writeln!(self.text, "{name}{{{label}=\"{}\"}} {value}", escape(which));
        }
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Into<f64>) {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        self.family(name, kind, help);
        let _ = writeln!(self.text, "{name} {}", value.into());
    }

    /// A number too large for an exact `f64` conversion by `Into`, such as a queue's length.
    #[allow(clippy::cast_precision_loss)] // a length beyond 2^53 does not exist
    pub fn gauge_of(&mut self, name: &str, help: &str, value: usize) {
        self.gauge(name, help, value as f64);
    }

    /// A distribution, in seconds.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(&histogram.counts) {
            below += count;
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(self.text, "{name}_bucket{{le=\"+Inf\"}} {}", histogram.count);
        let _ = writeln!(self.text, "{name}_sum {}", histogram.sum);
        let _ = writeln!(self.text, "{name}_count {}", histogram.count);
    }

    /// The finished text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}

/// Escapes a label's value.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Upper bounds of the buckets in seconds: from a loopback round trip to a worker that hangs.
const BOUNDS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// How long something took, counted in buckets: 16 words, O(1) an observation.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    /// Counts one more.
    pub fn observe(&mut self, took: std::time::Duration) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(count) = self.counts.get_mut(BOUNDS.partition_point(|&bound| bound < seconds)) {
            *count += 1;
        }
    }
}

/// What Linux says of this process; where there is no `/proc` nothing is said.
struct Process {
    start: Option<f64>,
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    open_fds: f64,
    threads: f64,
}

impl Process {
    #[allow(clippy::cast_precision_loss)] // figures of a process are below 2^53
    fn of_this_one() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // proc(5): the fields after the command, which is in parentheses and may hold anything
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let ticks = 100.0; // USER_HZ, the same on every Linux
        let booted = || fs::read_to_string("/proc/stat").ok()?.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
        Some(Self {
            start: booted().zip(field(22)).map(|(boot, started)| boot + started / ticks),
            cpu_seconds: (field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * rustix::param::page_size() as f64,
            open_fds: fs::read_dir("/proc/self/fd").ok()?.count() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn families_have_help_type_and_samples() {
        let mut figures = Exposition::default();
        figures.counter("cbw_requests_total", "Requests taken.", 3);
        figures.counters("cbw_dropped_total", "Messages dropped.", "reason", [("late", 1), ("odd \"one\"", 2)]);
        figures.gauge_of("cbw_pending", "Requests that wait.", 7);
        assert_eq!(
            figures.into_text(),
            "# HELP cbw_requests_total Requests taken.\n# TYPE cbw_requests_total counter\ncbw_requests_total 3\n\
             # HELP cbw_dropped_total Messages dropped.\n# TYPE cbw_dropped_total counter\n\
             cbw_dropped_total{reason=\"late\"} 1\ncbw_dropped_total{reason=\"odd \\\"one\\\"\"} 2\n\
             # HELP cbw_pending Requests that wait.\n# TYPE cbw_pending gauge\ncbw_pending 7\n"
        );
    }

    #[test]
    fn buckets_of_a_histogram_add_up() {
        let mut histogram = Histogram::default();
        for ms in [1, 1, 30, 10_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut figures = Exposition::default();
        figures.histogram("cbw_seconds", "Time.", &histogram);
        let text = figures.into_text();
        for line in [
            "cbw_seconds_bucket{le=\"0.001\"} 2",
            "cbw_seconds_bucket{le=\"0.05\"} 3",
            "cbw_seconds_bucket{le=\"+Inf\"} 4",
            "cbw_seconds_count 4",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }

    #[test]
    fn every_process_tells_its_memory() {
        assert!(Exposition::of_process("worker").into_text().contains("process_resident_memory_bytes"));
    }
}
