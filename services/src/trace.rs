//! Trace lines: what happens in a service, on a standard stream and in the logger.
//!
//! An event is formatted once, by the thread in which it happens, and put into two bounded boxes; threads of their own write
//! it to the stream and send it to the logger. A stream that nobody reads (a stuck `docker logs`) costs lines, which are
//! counted, and never the service.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::config::LogFormat;
use crate::logsink::mailbox::{Batch, Mailbox};
use crate::logsink::{LogSink, Outlet};

/// Bytes of trace lines that wait for the stream at most.
const LIMIT: usize = 4 << 20;
/// Lines of a busy service are written in batches of this long.
const BATCH: Duration = Duration::from_millis(10);
/// What a service with a logger traces when nobody says otherwise.
const WITH_LOGGER: &str = "info,cbw_services::io::broker::watch=debug,cbw_services::answers=debug";
/// How long the last lines may take when the service ends.
const GRACE: Duration = Duration::from_millis(500);

/// Target of the line that a worker has for each request.
pub const ANSWERS: &str = "cbw_services::answers";

/// The standard stream that trace lines go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// For services.
    Stdout,
    /// For programs whose standard output is their result.
    Stderr,
}

/// Sets up tracing for the whole process: `name` says who traces, `RUST_LOG` what is traced. By default that is `info`, and for
/// a logger each answered request too: whoever runs a logger wants to read what was done, and the standard output of a
/// container is no place for a line a request.
/// Keep what it returns until the end, so that the last lines are written.
pub fn init(name: &str, format: LogFormat, stream: Stream, sink: Option<LogSink>) -> io::Result<Outlet> {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let default = if sink.is_some() { WITH_LOGGER } else { "info" };
    let (filter, mistake) = match EnvFilter::try_new(if asked.is_empty() { default } else { &asked }) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let stream_level = if asked.is_empty() { LevelFilter::INFO } else { LevelFilter::TRACE };
    let lines = Arc::new(Mailbox::new(LIMIT));
    let writer = {
        let lines = Arc::clone(&lines);
        thread::Builder::new().name("trace".to_owned()).spawn(move || match stream {
            Stream::Stdout => write_lines(&lines, io::stdout()),
            Stream::Stderr => write_lines(&lines, io::stderr()),
        })?
    };
    let layer = Lines { name: name.to_owned(), format, stream: Arc::clone(&lines), stream_level, sink };
    // Only a test that sets up tracing twice in one process can fail here; the first set-up stays in force.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(layer));
    if let Some(mistake) = mistake {
        tracing::warn!(%mistake, "`RUST_LOG` is not understood: tracing `info`");
    }
    Ok(Outlet::new(lines, writer, GRACE))
}

fn write_lines(lines: &Mailbox, mut stream: impl Write) {
    let (mut batch, mut text) = (Batch::default(), Vec::new());
    while lines.take(&mut batch, Duration::from_secs(3600)) {
        text.clear();
        let dropped = lines.take_dropped();
        if dropped > 0 {
            let _ = writeln!(text, "{dropped} trace lines were dropped");
        }
        for line in batch.records() {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        // With the stream gone there is nowhere left to say so.
        let _ = stream.write_all(&text).and_then(|()| stream.flush());
        if !lines.is_closed() {
            thread::sleep(BATCH);
        }
    }
}

/// Tells why a program ends, whether tracing is set up or not.
pub fn fail(error: &dyn Error) -> ExitCode {
    // Without a standard error there is only the exit code.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

/// Turns events into lines.
struct Lines {
    name: String,
    format: LogFormat,
    stream: Arc<Mailbox>,
    /// What is finer goes to the logger alone.
    stream_level: LevelFilter,
    sink: Option<LogSink>,
}

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let for_stream = *event.metadata().level() <= self.stream_level;
        if !for_stream && self.sink.as_ref().is_none_or(LogSink::refuses) {
            return;
        }
        // Taken out, not borrowed: a value that traces while it is formatted gets a buffer of its own.
        let mut line = LINE.take();
        line.clear();
        self.format_event(event, &mut line);
        if for_stream {
            let now = humantime::format_rfc3339_micros(SystemTime::now());
            self.stream.put(|buffer| {
                let _ = match self.format {
                    LogFormat::Text => write!(buffer, "{now} {line}"),
                    LogFormat::Json => write!(buffer, "{{\"time\":\"{now}\",{}", line.get(1..).unwrap_or_default()),
                };
            });
        }
        if let Some(sink) = &self.sink {
            sink.log(|buffer| buffer.extend_from_slice(line.as_bytes()));
        }
        LINE.set(line);
    }
}

impl Lines {
    /// The event without its time: the logger stamps what it gets.
    fn format_event(&self, event: &Event<'_>, line: &mut String) {
        let level = event.metadata().level();
        match self.format {
            LogFormat::Text => {
                let _ = write!(line, "{} {level} ", self.name);
                event.record(&mut TextFields { line });
            }
            LogFormat::Json => {
                let _ = write!(line, "{{\"service\":{},\"level\":\"{level}\"", Quoted(&self.name));
                event.record(&mut JsonFields { line });
                line.push('}');
            }
        }
    }
}

/// The broker's line for each reply, as [`Lines`] writes it for the logger, without the way through `tracing`: half of what a line
/// costs is there, and this one is written for every request.
pub struct Replies {
    service: &'static str,
    format: LogFormat,
    sink: LogSink,
}

impl Replies {
    /// Lines for `sink`; none when `RUST_LOG` says what is traced, which is for `tracing` to obey.
    #[must_use]
    pub fn new(service: &'static str, format: LogFormat, sink: LogSink) -> Option<Self> {
        std::env::var_os("RUST_LOG").is_none_or(|asked| asked.is_empty()).then_some(Self { service, format, sink })
    }

    /// Tells that `client` got the reply of `worker` to the request `id`, and how long that took.
    pub fn tell(&self, id: u64, client: impl fmt::Display, worker: impl fmt::Display, took: Duration) {
        let Self { service, format, sink } = self;
        // Text that is written to memory always fits.
        sink.log(|line| {
            let _ = match format {
                LogFormat::Text => write!(line, "{service} DEBUG reply id={id} client={client} worker={worker} took={took:?}"),
                LogFormat::Json => {
                    let (client, worker, took) = (client.to_string(), worker.to_string(), format!("{took:?}"));
                    let [client, worker, took] = [&client, &worker, &took].map(|text| Quoted(text));
                    write!(
                        line,
                        "{{\"service\":\"{service}\",\"level\":\"DEBUG\",\"message\":\"reply\",\"id\":{id},\"client\":{client},\"worker\":{worker},\"took\":{took}}}"
                    )
                }
            };
        });
    }
}

/// `message key=value key=value`; the message comes first in an event's fields.
struct TextFields<'a> {
    line: &'a mut String,
}

impl Visit for TextFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.line, "{value:?}"),
            name => write!(self.line, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => self.line.write_str(value),
            name if value.contains([' ', '"', '\n']) => write!(self.line, " {name}={value:?}"),
            name => write!(self.line, " {name}={value}"),
        };
    }
}

struct JsonFields<'a> {
    line: &'a mut String,
}

impl JsonFields<'_> {
    fn key(&mut self, field: &Field) {
        let _ = write!(self.line, ",{}:", Quoted(field.name()));
    }
}

impl Visit for JsonFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.key(field);
        let _ = write!(self.line, "{}", Quoted(&format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.key(field);
        let _ = write!(self.line, "{}", Quoted(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.key(field);
        let _ = write!(self.line, "{value}");
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.key(field);
        let _ = write!(self.line, "{value}");
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.key(field);
        let _ = write!(self.line, "{value}");
    }
}

/// A JSON string with its quotes.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut plain = 0;
        for (at, c) in self.0.char_indices().filter(|&(_, c)| c == '"' || c == '\\' || c.is_ascii_control()) {
            f.write_str(&self.0[plain..at])?;
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                other => write!(f, "\\u{:04x}", u32::from(other))?,
            }
            plain = at + c.len_utf8();
        }
        f.write_str(&self.0[plain..])?;
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line_of(format: LogFormat, log: impl FnOnce()) -> String {
        let mailbox = Arc::new(Mailbox::new(1 << 20));
        let sink = LogSink::new(Arc::clone(&mailbox));
        let layer =
            Lines { name: "bro".to_owned(), format, stream: Arc::new(Mailbox::new(1)), stream_level: LevelFilter::TRACE, sink: Some(sink) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let mut batch = Batch::default();
        mailbox.take(&mut batch, Duration::ZERO);
        String::from_utf8(batch.records().collect::<Vec<_>>().join(&b'\n')).unwrap()
    }

    #[test]
    fn text_lines_are_for_people() {
        let line = line_of(LogFormat::Text, || tracing::info!(worker = "WOR_a", since = 3, "a worker is ready"));
        assert_eq!(line, "bro INFO a worker is ready worker=WOR_a since=3");
    }

    #[test]
    fn json_lines_are_for_programs() {
        let line = line_of(LogFormat::Json, || tracing::warn!(worker = "WOR_\"a", since = 3_u64, "a worker is gone"));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({ "service": "bro", "level": "WARN", "message": "a worker is gone", "worker": "WOR_\"a", "since": 3 })
        );
    }

    #[test]
    fn a_reply_reads_the_same_on_both_ways() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let (id, client, worker, took) = (7_u64, "CLI_\u{e4}", "WOR_1", Duration::from_micros(250));
            let traced = line_of(format, || tracing::debug!(id, client = %client, worker = %worker, ?took, "reply"));
            let mailbox = Arc::new(Mailbox::new(1 << 20));
            Replies { service: "bro", format, sink: LogSink::new(Arc::clone(&mailbox)) }.tell(id, client, worker, took);
            let mut batch = Batch::default();
            mailbox.take(&mut batch, Duration::ZERO);
            assert_eq!(batch.records().map(String::from_utf8_lossy).collect::<Vec<_>>(), [traced]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_quoted_right(text in "\\PC{0,20}[\\x00-\\x7f]{0,20}") {
            prop_assert_eq!(serde_json::from_str::<String>(&Quoted(&text).to_string()).unwrap(), text);
        }
    }
}
