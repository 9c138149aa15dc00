//! `load FRONTEND BACKEND`: N clients and M workers on one broker, from one thread.
//!
//! Each client has one request open (REQ); each worker echoes at once. Prints one line of JSON.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cbw_bench::histogram::Histogram;
use cbw_bench::net::{Connection, open_more};
use cbw_bench::process;
use mio::{Events, Poll};

const HELP: &str = "\
load FRONTEND BACKEND [options]
  FRONTEND, BACKEND   ports of the broker on 127.0.0.1
  --clients N         REQ clients, one request open each (8)
  --workers N         workers that echo at once (4)
  --dialect D         guide, short, long, ppp or rep (guide)
  --bytes N           body, at least 16 bytes (64)
  --warmup MS         not measured (500)
  --seconds S         measured (3)
  --pid PID           the broker: its CPU time and memory go into the result";

/// How a worker registers and what it is sent; see `protocol.md`, "Backend".
#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Guide,
    Short,
    Long,
    Ppp,
    /// A plain REP socket behind `zmq_proxy`: no registration.
    Rep,
}

impl Dialect {
    fn socket_type(self) -> &'static str {
        match self {
            Self::Guide | Self::Short | Self::Long => "REQ",
            Self::Ppp => "DEALER",
            Self::Rep => "REP",
        }
    }

    fn registration(self) -> Option<&'static [&'static [u8]]> {
        match self {
            Self::Guide => Some(&[b"", b"READY"]),
            Self::Short => Some(&[b"", b"", b""]),
            Self::Long => Some(&[b"", b"", b"", b""]),
            Self::Ppp => Some(&[b"\x01"]),
            Self::Rep => None,
        }
    }
}

struct Options {
    frontend: SocketAddr,
    backend: SocketAddr,
    clients: usize,
    workers: usize,
    dialect: Dialect,
    bytes: usize,
    warmup: Duration,
    seconds: f64,
    pid: Option<u32>,
}

fn options() -> Result<Options> {
    use lexopt::prelude::{Long, Value, ValueExt};
    let mut parser = lexopt::Parser::from_env();
    let (mut ports, mut clients, mut workers, mut dialect) = (Vec::<u16>::new(), 8, 4, Dialect::Guide);
    let (mut bytes, mut warmup, mut seconds, mut pid) = (64, 500, 3.0, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(port) => ports.push(port.parse()?),
            Long("clients") => clients = parser.value()?.parse()?,
            Long("workers") => workers = parser.value()?.parse()?,
            Long("bytes") => bytes = parser.value()?.parse()?,
            Long("warmup") => warmup = parser.value()?.parse()?,
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("pid") => pid = Some(parser.value()?.parse()?),
            Long("dialect") => {
                dialect = match parser.value()?.string()?.as_str() {
                    "guide" => Dialect::Guide,
                    "short" => Dialect::Short,
                    "long" => Dialect::Long,
                    "ppp" => Dialect::Ppp,
                    "rep" => Dialect::Rep,
                    other => bail!("no dialect `{other}`"),
                }
            }
            Long("help") => {
                println!("{HELP}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let [frontend, backend] = ports[..] else { bail!("{HELP}") };
    Ok(Options {
        frontend: ([127, 0, 0, 1], frontend).into(),
        backend: ([127, 0, 0, 1], backend).into(),
        clients,
        workers,
        dialect,
        bytes: bytes.max(16),
        warmup: Duration::from_millis(warmup),
        seconds,
        pid,
    })
}

/// What one client is waiting for.
struct Question {
    body: Vec<u8>,
    asked: Instant,
}

impl Question {
    /// A body that names the client and the number of its request, so that every reply can be checked.
    fn new(client: usize, bytes: usize, now: Instant) -> Self {
        let mut body = vec![b'.'; bytes];
        body[..8].copy_from_slice(&(client as u64).to_be_bytes());
        Self { body, asked: now }
    }

    fn renew(&mut self, now: Instant) {
        let next = u64::from_be_bytes(self.body[8..16].try_into().unwrap_or_default()) + 1;
        self.body[8..16].copy_from_slice(&next.to_be_bytes());
        self.asked = now;
    }
}

#[derive(Default)]
struct Account {
    latencies: Histogram,
    wrong: u64,
    errors: u64,
}

fn main() -> Result<()> {
    let options = options()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 64 * 1024];
    let mut connections: Vec<Connection> = Vec::with_capacity(options.workers + options.clients);
    for (count, place) in
        [(options.workers, (options.backend, options.dialect.socket_type())), (options.clients, (options.frontend, "REQ"))]
    {
        open_more(&mut poll, &mut events, &mut scratch, &mut connections, count, place)?;
    }

    let now = Instant::now();
    let mut questions: Vec<Question> = (0..options.clients).map(|client| Question::new(client, options.bytes, now)).collect();
    for worker in &mut connections[..options.workers] {
        if let Some(frames) = options.dialect.registration() {
            worker.push(frames);
            worker.flush()?;
        }
    }
    for (question, client) in questions.iter_mut().zip(&mut connections[options.workers..]) {
        question.renew(now);
        client.push(&[b"", &question.body]);
        client.flush()?;
    }

    let mut account = Account::default();
    run(&options, &mut poll, &mut events, &mut scratch, &mut connections, &mut questions, &mut account, options.warmup)?;
    account = Account::default();
    let cpu_before = options.pid.and_then(process::cpu);
    let own_before = process::cpu(std::process::id());
    let measured = Duration::from_secs_f64(options.seconds);
    let elapsed = run(&options, &mut poll, &mut events, &mut scratch, &mut connections, &mut questions, &mut account, measured)?;
    let replies = account.latencies.len();
    let share = |before: Option<Duration>, pid: u32| -> f64 {
        let spent = before.zip(process::cpu(pid)).map_or(Duration::ZERO, |(before, after)| after.saturating_sub(before));
        spent.as_secs_f64() * 1e6 / replies.max(1) as f64
    };
    let [p50, p99] = account.latencies.per_mille([500, 990]);
    println!(
        "{{\"clients\":{},\"workers\":{},\"replies\":{replies},\"rate\":{:.0},\"p50_us\":{p50},\"p99_us\":{p99},\
         \"wrong\":{},\"errors\":{},\"broker_cpu_us\":{:.2},\"load_cpu_us\":{:.2},\"broker_rss\":{}}}",
        options.clients,
        options.workers,
        replies as f64 / elapsed.as_secs_f64(),
        account.wrong,
        account.errors,
        options.pid.map_or(0.0, |pid| share(cpu_before, pid)),
        share(own_before, std::process::id()),
        options.pid.and_then(process::resident).unwrap_or(0),
    );
    if account.wrong > 0 {
        bail!("{} replies were wrong", account.wrong);
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "one loop over state that outlives it")]
fn run(
    options: &Options,
    poll: &mut Poll,
    events: &mut Events,
    scratch: &mut [u8],
    connections: &mut [Connection],
    questions: &mut [Question],
    account: &mut Account,
    how_long: Duration,
) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        poll.poll(events, Some(Duration::from_millis(100)))?;
        for event in events.iter() {
            let index = event.token().0;
            let connection = &mut connections[index];
            if event.is_readable() {
                if index < options.workers {
                    connection.read(scratch, echo).context("a worker lost the broker")?;
                } else {
                    let question = &mut questions[index - options.workers];
                    connection
                        .read(scratch, |frames, out| {
                            settle(frames, out, question, account);
                        })
                        .context("a client lost the broker")?;
                }
            }
            connection.flush()?;
        }
        let elapsed = begin.elapsed();
        if elapsed >= how_long {
            return Ok(elapsed);
        }
    }
}

/// A worker's reply is its work, frame for frame. A heartbeat of one frame (ppp) is answered with one as well.
fn echo(frames: cbw_bench::zmtp::Frames<'_>, out: &mut Vec<u8>) {
    let last = frames.len() - 1;
    for (index, frame) in frames.iter().enumerate() {
        cbw_bench::zmtp::frame(out, frame, index < last);
    }
}

fn settle(frames: cbw_bench::zmtp::Frames<'_>, out: &mut Vec<u8>, question: &mut Question, account: &mut Account) {
    let now = Instant::now();
    match frames.get(frames.len() - 1) {
        Some(body) if frames.len() == 2 && body == question.body => {
            account.latencies.record(now - question.asked);
        }
        Some(body) if body.starts_with(b"!cbw ") => account.errors += 1,
        _ => {
            account.wrong += 1;
            return;
        }
    }
    question.renew(now);
    cbw_bench::zmtp::message(out, &[b"", &question.body]);
}
