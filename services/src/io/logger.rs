//! The logger's loop, and the way to it that every other service has.

mod disk;
mod sink;

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use zmq::{Context, DONTWAIT, Message, PollItem, Socket, SocketType};

use self::disk::Disk;
pub use self::sink::start_sink;
use crate::backoff::Backoff;
use crate::config::{LogFormat, authority};
use crate::io::peer::poll;
use crate::logger::args::LoggerServiceArgs;
use crate::logger::format::record;
use crate::logger::{BATCH, Limits, Logger};
use crate::metrics::Exposition;
use crate::status::wake::Wakeup;
use crate::status::{self, Hub, Report};
use crate::trace::{self, Stream};
use crate::wire::FRAMES_MAX;

/// Longest frame of a record, bytes: a sender that sends more is disconnected.
const FRAME_MAX: i64 = 1 << 20;
/// Records taken between two looks at the clock, the disk and the signals.
const TURN: usize = 4096;

/// Runs a logger until SIGTERM or SIGINT. Returns the bytes that could not be saved.
pub fn run(args: &LoggerServiceArgs) -> Result<usize, Box<dyn Error>> {
    let wakeup = Wakeup::new()?;
    let signals = wakeup.signals()?;
    let _trace = trace::init("logger", args.common.log_format, Stream::Stdout, None)?;
    let hub = Hub::new(wakeup.waker());
    if let Some(address) = args.common.metrics() {
        status::serve(address, hub.clone()).map_err(|error| format!("cannot serve `{address}`: {error}"))?;
    }
    let context = Context::new();
    let (socket, endpoint) = bind(&context, args)?;
    let path = args.path();
    tracing::info!(endpoint, file = %path.display(), "the logger starts");

    let beginning = Instant::now();
    let limits =
        Limits { memory: usize::try_from(args.memory).unwrap_or(usize::MAX), rotate: args.rotate.filter(|&size| size > 0), batch: BATCH };
    let mut logger = Logger::new(limits, Backoff::new(Duration::from_millis(100), Duration::from_secs(1)));
    let disk = Disk::new(path, args.keep, &wakeup.waker())?;
    let mut told = Told::default();
    let mut stopping = false;
    let lost = loop {
        while let Some(outcome) = disk.outcome() {
            logger.finished(beginning.elapsed(), outcome);
        }
        while let Some(job) = logger.next_job(beginning.elapsed()) {
            disk.run(job)?;
        }
        told.tell(&logger);
        if hub.asked() {
            hub.answer(report(&logger, &endpoint));
        }
        let now = beginning.elapsed();
        if let Some(lost) = logger.ended(now) {
            break lost;
        }
        // Not looking at the socket is the back-pressure.
        let mut items = [PollItem::from_fd(wakeup.fd(), zmq::POLLIN), socket.as_poll_item(zmq::POLLIN)];
        let looked_at = if logger.wants_more() { 2 } else { 1 };
        poll(&mut items[..looked_at], logger.next_timeout().saturating_sub(now))?;
        let [woken, records] = items.map(|item| item.is_readable());
        if woken {
            wakeup.drain();
        }
        if records {
            take(&socket, &mut logger, beginning.elapsed(), args.common.log_format)?;
        }
        if signals.take_reopen() {
            tracing::info!("asked to open the file anew");
            logger.reopen();
        }
        if signals.stop() && !stopping {
            stopping = true;
            tracing::info!(held = logger.held(), "asked to stop");
            // No new senders; those that are connected may finish what is under way.
            let _ = socket.unbind(&endpoint);
            let now = beginning.elapsed();
            logger.stop(now, now + args.drain);
        }
    };
    let counters = logger.counters();
    if lost > 0 {
        tracing::error!(bytes = lost, why = logger.trouble().unwrap_or("the time was too short"), "records could not be saved");
    }
    tracing::info!(records = counters.records, "the logger stops");
    Ok(lost)
}

fn bind(context: &Context, args: &LoggerServiceArgs) -> Result<(Socket, String), Box<dyn Error>> {
    let socket = context.socket(SocketType::PULL)?;
    socket.set_maxmsgsize(FRAME_MAX)?;
    socket.set_ipv6(true)?;
    socket.set_linger(0)?;
    // A sender whose machine is gone must not keep its connection for ever.
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(60)?;
    socket.set_handshake_ivl(5000)?;
    let endpoint = format!("tcp://{}", authority(&args.bind, args.port));
    socket.bind(&endpoint).map_err(|error| format!("cannot listen on `{endpoint}`: {error}"))?;
    Ok((socket, endpoint))
}

/// Takes what is there, up to a bound; all of it has the same time, that of its arrival.
fn take(socket: &Socket, logger: &mut Logger, now: Duration, format: LogFormat) -> zmq::Result<()> {
    let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
    let (mut message, mut more) = (Message::new(), Vec::new());
    for _ in 0..TURN {
        match socket.recv(&mut message, DONTWAIT) {
            Ok(()) => {}
            Err(zmq::Error::EAGAIN) => return Ok(()),
            Err(zmq::Error::EINTR) => continue,
            Err(error) => return Err(error),
        }
        if message.get_more() {
            more.clear();
            more.push(message.to_vec());
            while message.get_more() {
                match socket.recv(&mut message, DONTWAIT) {
                    // The frames of a message arrive together.
                    Ok(()) if more.len() < FRAMES_MAX => more.push(message.to_vec()),
                    Ok(()) | Err(zmq::Error::EINTR) => {}
                    Err(error) => return Err(error),
                }
            }
            logger.take(now, |line| record(line, format, &time, more.iter().map(Vec::as_slice)));
        } else {
            logger.take(now, |line| record(line, format, &time, [&*message]));
        }
        if !logger.wants_more() {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells trouble when it begins, changes and ends, not at every attempt.
#[derive(Default)]
struct Told {
    trouble: Option<String>,
}

impl Told {
    fn tell(&mut self, logger: &Logger) {
        if self.trouble.as_deref() == logger.trouble() {
            return;
        }
        if let Some(why) = logger.trouble() {
            tracing::error!(why, held = logger.held(), "cannot write: records are kept in memory and tried again");
        } else {
            tracing::info!("writing again");
        }
        self.trouble = logger.trouble().map(str::to_owned);
    }
}

fn report(logger: &Logger, endpoint: &str) -> Report {
    let counters = logger.counters();
    let mut figures = Exposition::of_process("logger");
    figures.counter("cbw_logger_records_total", "Records taken.", counters.records);
    figures.counter("cbw_logger_written_bytes_total", "Bytes written to the file.", counters.bytes);
    figures.counter("cbw_logger_syncs_total", "Groups of records made safe by an fdatasync.", counters.syncs);
    figures.counter("cbw_logger_failures_total", "Writes, fdatasyncs and other operations that failed.", counters.failures);
    figures.counter("cbw_logger_rotations_total", "Files rotated.", counters.rotations);
    figures.gauge_of("cbw_logger_held_bytes", "Bytes in memory that are not safe yet.", logger.held());
    figures.gauge("cbw_logger_healthy", "Whether the file can be written.", f64::from(u8::from(logger.trouble().is_none())));
    let opening = (!logger.is_open()).then(|| "the file is not open".to_owned());
    let unhealthy = logger.trouble().map(str::to_owned);
    let unready = unhealthy.clone().or(opening).or_else(|| (!logger.wants_more()).then(|| format!("`{endpoint}` is not read")));
    Report { unhealthy, unready, metrics: figures.into_text(), status: None }
}
