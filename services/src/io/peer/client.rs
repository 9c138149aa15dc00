//! The client's loop: one REQ socket a lane, the machine, and the results.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zmq::{Context, DONTWAIT, PollItem, Socket, SocketType};

use super::link::receive;
use super::{Resolver, poll};
use crate::backoff::Backoff;
use crate::client::args::ClientArgs;
use crate::client::summary::Summary;
use crate::client::{AGAIN, Action, Client, Event, Outcome, worker_of};
use crate::io::logger::start_sink;
use crate::logsink::LogSink;
use crate::metrics::{Exposition, Histogram};
use crate::status::wake::Wakeup;
use crate::status::{self, Hub, Report};
use crate::trace::{self, Quoted, Stream};

/// Longest reply, bytes.
const FRAME_MAX: i64 = 64 << 20;
/// Lanes of one context. libzmq allows 1,023 sockets there, and a socket that was replaced is still one for a while.
const LANES: usize = 500;
/// Pause after a look-up that failed.
const LOOK_UP_AGAIN: Duration = Duration::from_millis(250);

/// Runs a client to its end. Returns whether all own replies came.
pub fn run(args: &ClientArgs) -> Result<bool, Box<dyn Error>> {
    let wakeup = Wakeup::new()?;
    let signals = wakeup.signals()?;
    let plan = args.plan();
    let sink = args.logger.address().map(|(host, port)| start_sink(&plan.id, &host, port)).transpose()?;
    let log = sink.as_ref().map(|(sink, _)| sink.clone());
    // Standard output is for the results.
    let _trace = trace::init(&plan.id, args.common.log_format, Stream::Stderr, log.clone())?;
    let hub = Hub::new(wakeup.waker());
    if let Some(address) = args.common.metrics() {
        status::serve(address, hub.clone()).map_err(|error| format!("cannot serve `{address}`: {error}"))?;
    }
    raise_file_limit();
    let mut running = Running {
        beginning: Instant::now(),
        client: Client::new(plan.clone(), Backoff::new(AGAIN.0, AGAIN.1)),
        lanes: (0..plan.concurrency).map(|_| Channel::default()).collect(),
        contexts: (0..plan.concurrency.div_ceil(LANES)).map(|_| Context::new()).collect(),
        resolver: Resolver::new(&args.broker_host, args.broker_port, wakeup.waker()),
        addresses: Vec::new(),
        look_up_after: Duration::ZERO,
        opened: 0,
        results: Results { id: plan.id.clone(), json: args.json, quiet: args.quiet, output: BufWriter::new(io::stdout()), log },
        summary: Summary::new()?,
        took: Histogram::default(),
        told: false,
        ended: false,
    };
    running.handle(Event::Tick)?;
    running.resolve();
    while !running.ended {
        running.results.output.flush()?;
        let ready = running.wait(&wakeup)?;
        if signals.stop() {
            running.handle(Event::Stop)?;
        }
        running.turn(&ready)?;
        if hub.asked() {
            hub.answer(running.report());
        }
    }
    let elapsed = running.beginning.elapsed();
    let (summary, wrong) = (&running.summary, running.client.wrong());
    let told = if args.json { summary.json(wrong, elapsed) } else { summary.text(wrong, elapsed) };
    running.results.output.flush()?;
    let _ = writeln!(io::stderr(), "{told}");
    let complete = plan.requests.is_none_or(|all| summary.answered() == all) || plan.duration.is_some();
    Ok(complete && summary.failed() == 0 && wrong == 0 && !(signals.stop() && plan.duration.is_none()))
}

/// Each lane needs two file descriptors; the usual limit of 1,024 is a soft one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Not allowed to: then lanes that find no descriptor tell so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[derive(Default)]
struct Channel {
    socket: Option<Socket>,
    /// Waits for the broker's address.
    identity: Option<String>,
    body: Option<String>,
}

struct Running {
    beginning: Instant,
    client: Client,
    lanes: Vec<Channel>,
    contexts: Vec<Context>,
    resolver: Resolver,
    addresses: Vec<SocketAddr>,
    /// Not before this is a name looked up again that could not be.
    look_up_after: Duration,
    /// Sockets opened so far: each takes the next address of the broker's.
    opened: usize,
    results: Results,
    summary: Summary,
    took: Histogram,
    told: bool,
    ended: bool,
}

impl Running {
    /// Sleeps until something happens or is due; the lanes on which something happened.
    fn wait(&self, wakeup: &Wakeup) -> zmq::Result<Vec<usize>> {
        let mut due = self.client.next_timeout();
        if self.is_homeless() && self.look_up_after > Duration::ZERO {
            due = due.min(self.look_up_after);
        }
        let (mut items, mut lanes) = (vec![PollItem::from_fd(wakeup.fd(), zmq::POLLIN)], Vec::new());
        for (lane, channel) in self.lanes.iter().enumerate() {
            if let Some(socket) = &channel.socket {
                items.push(socket.as_poll_item(zmq::POLLIN));
                lanes.push(lane);
            }
        }
        poll(&mut items, due.saturating_sub(self.beginning.elapsed()))?;
        let mut ready = items.iter().map(PollItem::is_readable);
        if ready.next() == Some(true) {
            wakeup.drain();
        }
        Ok(lanes.into_iter().zip(ready).filter_map(|(lane, ready)| ready.then_some(lane)).collect())
    }

    /// Whether a lane waits for an address.
    fn is_homeless(&self) -> bool {
        self.addresses.is_empty() && self.lanes.iter().any(|lane| lane.identity.is_some())
    }

    fn turn(&mut self, ready: &[usize]) -> io::Result<()> {
        if self.is_homeless() {
            self.resolve();
        }
        for &lane in ready {
            let Some(socket) = &self.lanes[lane].socket else { continue };
            match receive(socket) {
                Ok(Some(frames)) => self.handle(Event::Reply(lane, frames))?,
                // EFSM: nothing was asked on this lane.
                Ok(None) | Err(zmq::Error::EFSM) => {}
                // Not to be used any more; the request's time runs on.
                Err(error) => {
                    tracing::warn!(%error, "cannot receive");
                    self.lanes[lane].socket = None;
                }
            }
        }
        self.handle(Event::Tick)?;
        // A lane that lost its address in this turn starts the look-up now: the answer wakes the loop.
        if self.is_homeless() {
            self.resolve();
        }
        Ok(())
    }

    /// Looks for the broker's addresses when there are none, and connects the lanes that wait for one.
    fn resolve(&mut self) {
        if self.beginning.elapsed() < self.look_up_after {
            return;
        }
        match self.resolver.next_address() {
            None => return,
            Some(Ok(first)) => {
                self.addresses = vec![first];
                self.addresses.extend(self.resolver.rest());
            }
            Some(Err(error)) => {
                // Once is enough for a name that is unknown for a while.
                if self.look_up_after.is_zero() {
                    tracing::warn!(%error, broker = self.resolver.peer(), "cannot look up the broker");
                }
                self.look_up_after = self.beginning.elapsed() + LOOK_UP_AGAIN;
                return;
            }
        }
        for lane in 0..self.lanes.len() {
            if let Some(identity) = self.lanes[lane].identity.take() {
                self.open(lane, identity);
                if let Some(body) = self.lanes[lane].body.take() {
                    self.send(lane, body);
                }
            }
        }
    }

    fn handle(&mut self, event: Event) -> io::Result<()> {
        let mut actions = Vec::new();
        self.client.handle(self.beginning.elapsed(), event, &mut actions);
        for action in actions {
            match action {
                Action::Open { lane, identity } => self.open(lane, identity),
                Action::Send { lane, body } => self.send(lane, body),
                Action::Tell(outcome) => {
                    self.summary.add(&outcome);
                    self.took.observe(outcome.took);
                    self.results.tell(&self.client.body(outcome.n), &outcome)?;
                }
                Action::End => self.ended = true,
            }
        }
        Ok(())
    }

    fn open(&mut self, lane: usize, identity: String) {
        let again = self.lanes[lane].socket.take().is_some() || self.lanes[lane].identity.is_some();
        let count = self.addresses.len().max(1);
        let Some(address) = self.addresses.get(self.opened % count).copied() else {
            self.lanes[lane].identity = Some(identity);
            return;
        };
        self.opened += 1;
        match open(&self.contexts[lane / LANES], address, &identity) {
            Ok(socket) => self.lanes[lane].socket = Some(socket),
            // Told once: a thousand lanes would have the same to say.
            Err(error) if !std::mem::replace(&mut self.told, true) => tracing::warn!(%error, %address, "cannot connect"),
            Err(error) => tracing::debug!(%error, %address, "cannot connect"),
        }
        // An answer that did not come may mean that the broker lives elsewhere now; the next socket shall know.
        if again && self.opened.is_multiple_of(count) {
            self.addresses.clear();
        }
    }

    fn send(&mut self, lane: usize, body: String) {
        let channel = &mut self.lanes[lane];
        match &channel.socket {
            None => channel.body = Some(body),
            // A message that cannot be sent is one that is not answered: the request's time runs on.
            Some(socket) => {
                if let Err(error) = socket.send(body.as_bytes(), DONTWAIT) {
                    tracing::debug!(%error, "cannot send");
                }
            }
        }
    }

    fn report(&self) -> Report {
        let mut figures = Exposition::of_process("client");
        figures.counter("cbw_client_requests_total", "Requests begun.", self.client.begun());
        figures.counter("cbw_client_replies_total", "Own replies.", self.summary.answered());
        figures.counter("cbw_client_failures_total", "Requests without an answer.", self.summary.failed());
        figures.counter("cbw_client_retries_total", "Requests sent again.", self.summary.retries());
        figures.counter("cbw_client_wrong_replies_total", "Replies to somebody else's request.", self.client.wrong());
        figures.histogram("cbw_client_request_duration_seconds", "Time from a request to its reply.", &self.took);
        Report { metrics: figures.into_text(), ..Report::default() }
    }
}

fn open(context: &Context, address: SocketAddr, identity: &str) -> zmq::Result<Socket> {
    let socket = context.socket(SocketType::REQ)?;
    socket.set_linger(0)?;
    socket.set_ipv6(true)?;
    socket.set_maxmsgsize(FRAME_MAX)?;
    socket.set_identity(identity.as_bytes())?;
    // While the request waits, libzmq may look for a broker that is just starting.
    socket.set_reconnect_ivl(100)?;
    socket.set_reconnect_ivl_max(1000)?;
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(10)?;
    socket.connect(&format!("tcp://{address}"))?;
    Ok(socket)
}

/// Where the results go: a line each to standard output, and to the logger.
struct Results {
    id: String,
    json: bool,
    quiet: bool,
    output: BufWriter<io::Stdout>,
    log: Option<LogSink>,
}

impl Results {
    fn tell(&mut self, body: &str, outcome: &Outcome) -> io::Result<()> {
        let ms = outcome.took.as_secs_f64() * 1000.0;
        let line = if self.json { self.json_line(body, outcome, ms) } else { text_line(body, outcome, ms) };
        if let Some(log) = &self.log {
            log.log(|record| record.extend_from_slice(line.as_bytes()));
        }
        if self.quiet { Ok(()) } else { writeln!(self.output, "{line}") }
    }

    fn json_line(&self, body: &str, outcome: &Outcome, ms: f64) -> String {
        let quoted = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), |text| Quoted(text).to_string());
        let reply = outcome.reply.as_deref().ok();
        let worker = reply.and_then(|reply| worker_of(reply, body));
        let error = outcome.reply.as_ref().err().map(|why| format!(",\"error\":{}", Quoted(why))).unwrap_or_default();
        format!(
            "{{\"id\":{},\"n\":{},\"reply\":{},\"worker\":{},\"ms\":{ms:.3},\"retries\":{}{error}}}",
            Quoted(&self.id),
            outcome.n,
            quoted(reply),
            quoted(worker),
            outcome.retries
        )
    }
}

fn text_line(body: &str, outcome: &Outcome, ms: f64) -> String {
    let retries = if outcome.retries == 0 { String::new() } else { format!(", retries: {}", outcome.retries) };
    match &outcome.reply {
        Ok(reply) => format!("{body} → {reply} ({ms:.3} ms{retries})"),
        Err(why) => format!("{body} failed: {why} ({ms:.3} ms{retries})"),
    }
}
