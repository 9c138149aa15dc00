//! The worker's loop: one DEALER, the machine, and the work.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use zmq::{Context, DONTWAIT, PollItem, SocketType};

use super::{Link, LinkEvent, Resolver, poll};
use crate::backoff::Backoff;
use crate::io::logger::start_sink;
use crate::metrics::{Exposition, Histogram};
use crate::status::wake::{Waker, Wakeup};
use crate::status::{self, Hub, Report};
use crate::trace::{self, Stream};
use crate::wire::Frames;
use crate::worker::args::WorkerArgs;
use crate::worker::exec::Exec;
use crate::worker::work::{Hands, Request, echo, failure};
use crate::worker::{Action, Event, RECONNECT, Worker};

type Frame = Vec<u8>;

/// What the worker does with requests.
pub enum Work {
    /// The lab's echo, after this time.
    Echo(Duration),
    /// A command per request.
    Exec(Exec),
    /// A function, on a thread of its own.
    Hands(Box<dyn FnOnce(Waker) -> std::io::Result<Hands>>),
}

/// Answers requests with what `handler` makes of them, until SIGTERM: a whole worker in one call.
///
/// It reads the command line and the environment of the `worker` program (`ID BROKER_HOST BROKER_PORT`, `--help` lists them),
/// registers with the broker, heartbeats while the handler works, reconnects, and answers what is in hand when it is told to
/// stop. An `Err` becomes an error reply (`!cbw failed …`), and so does a panic. The broker may give a request to another
/// worker when this one is late, so a handler must not mind being asked twice.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     cbw_services::worker::serve(|request| {
///         let number: u64 = request.text().trim().parse().map_err(|_| "not a number")?;
///         Ok::<_, &str>((number * number).to_string())
///     })
/// }
/// ```
pub fn serve<R, E>(handler: impl FnMut(&Request) -> Result<R, E> + Send + 'static) -> ExitCode
where
    R: Into<Vec<u8>> + 'static,
    E: Display + 'static,
{
    /// A worker of the cbw system
    #[derive(Parser)]
    #[command(version)]
    struct Program {
        #[command(flatten)]
        worker: WorkerArgs,
    }
    let args = Program::parse().worker;
    let work = Work::Hands(Box::new(|waker| Hands::new(handler, waker)));
    match run(&args, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => trace::fail(&*error),
    }
}

/// Runs a worker until SIGTERM or SIGINT.
pub fn run(args: &WorkerArgs, work: Work) -> Result<(), Box<dyn Error>> {
    let wakeup = Wakeup::new()?;
    let signals = wakeup.signals()?;
    let id = args.identity();
    let sink = args.logger.address().map(|(host, port)| start_sink(&id, &host, port)).transpose()?;
    let _trace = trace::init(&id, args.common.log_format, Stream::Stdout, sink.as_ref().map(|(sink, _)| sink.clone()))?;
    let hub = Hub::new(wakeup.waker());
    if let Some(address) = args.common.metrics() {
        status::serve(address, hub.clone()).map_err(|error| format!("cannot serve `{address}`: {error}"))?;
    }
    let doing = match work {
        Work::Echo(time) => Doing::Echo { time, due: None },
        Work::Exec(exec) => {
            let running = exec.clone();
            Doing::Hands { hands: Hands::new(move |request| running.run(request), wakeup.waker())?, exec: Some(exec) }
        }
        Work::Hands(start) => Doing::Hands { hands: start(wakeup.waker())?, exec: None },
    };
    let mut running = Running {
        beginning: Instant::now(),
        worker: Worker::new(args.dialect, Backoff::new(RECONNECT.0, RECONNECT.1)),
        context: Context::new(),
        resolver: Resolver::new(&args.broker_host, args.broker_port, wakeup.waker()),
        link: LinkState::Closed,
        doing,
        id,
        begun: None,
        took: Histogram::default(),
        told_lost: false,
    };
    tracing::info!(broker = running.resolver.peer(), "the worker starts");
    let mut stopping = false;
    running.handle(Event::Tick);
    while !matches!(running.link, LinkState::Ended) {
        let ready = running.wait(&wakeup)?;
        if signals.stop() && !stopping {
            stopping = true;
            tracing::info!(busy = running.worker.is_busy(), "asked to stop");
            let until = running.now() + args.drain;
            running.handle(Event::Stop { until });
        }
        running.turn(ready);
        if hub.asked() {
            hub.answer(running.report());
        }
    }
    if let Doing::Hands { exec: Some(exec), .. } = &running.doing {
        exec.kill();
    }
    tracing::info!(requests = running.worker.counters().requests, "the worker stops");
    Ok(())
}

/// What of a link is there to be read.
#[derive(Clone, Copy, Default)]
struct Ready {
    messages: bool,
    news: bool,
}

enum LinkState {
    Closed,
    Resolving,
    Open(Link),
    Ended,
}

enum Doing {
    Echo { time: Duration, due: Option<(Duration, u64, Frames<Frame>)> },
    Hands { hands: Hands, exec: Option<Exec> },
}

struct Running {
    beginning: Instant,
    worker: Worker<Frame>,
    context: Context,
    resolver: Resolver,
    link: LinkState,
    doing: Doing,
    id: String,
    /// The request in hand: its client, and since when.
    begun: Option<(Frame, Instant)>,
    took: Histogram,
    told_lost: bool,
}

impl Running {
    fn now(&self) -> Duration {
        self.beginning.elapsed()
    }

    /// Sleeps until something happens or is due. Asking a socket in vain is a system call, so what happened is passed on.
    fn wait(&self, wakeup: &Wakeup) -> zmq::Result<Ready> {
        let mut due = self.worker.next_timeout();
        if let Doing::Echo { due: Some((at, ..)), .. } = &self.doing {
            due = due.min(*at);
        }
        let time = due.saturating_sub(self.now());
        let woken = PollItem::from_fd(wakeup.fd(), zmq::POLLIN);
        let (woken, ready) = if let LinkState::Open(link) = &self.link {
            let [messages, news] = link.poll_items();
            let mut items = [woken, messages, news];
            poll(&mut items, time)?;
            (items[0].is_readable(), Ready { messages: items[1].is_readable(), news: items[2].is_readable() })
        } else {
            let mut items = [woken];
            poll(&mut items, time)?;
            (items[0].is_readable(), Ready::default())
        };
        if woken {
            wakeup.drain();
        }
        Ok(ready)
    }

    /// Takes whatever is there.
    fn turn(&mut self, ready: Ready) {
        if matches!(self.link, LinkState::Resolving) {
            self.connect();
        }
        while ready.news
            && let LinkState::Open(link) = &self.link
        {
            match link.event() {
                Some(LinkEvent::Up) => {
                    tracing::info!(broker = self.resolver.peer(), "connected to the broker");
                    self.resolver.worked();
                    self.told_lost = false;
                    self.handle(Event::Up);
                }
                Some(LinkEvent::Down) => self.lost("no connection"),
                None => break,
            }
        }
        // A bound, so that a broker that never pauses does not keep timers and signals waiting.
        for _ in 0..if ready.messages { 1000 } else { 0 } {
            let LinkState::Open(link) = &self.link else { break };
            match link.receive() {
                Ok(Some(frames)) => self.handle(Event::Heard(frames)),
                Ok(None) => break,
                Err(error) => self.lost(&error.to_string()),
            }
        }
        match &mut self.doing {
            Doing::Echo { due, .. } => {
                if let Some((_, job, body)) = due.take_if(|(at, ..)| self.beginning.elapsed() >= *at) {
                    let answer = echo(body, &self.id);
                    self.handle(Event::Done(job, answer));
                }
            }
            Doing::Hands { hands, .. } => {
                if let Some((job, answer)) = hands.answer() {
                    let answer = answer.unwrap_or_else(|why| {
                        tracing::warn!(why, "a request failed");
                        failure(&why)
                    });
                    self.handle(Event::Done(job, answer));
                }
            }
        }
        self.handle(Event::Tick);
    }

    fn handle(&mut self, event: Event<Frame>) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            if let Event::Done(..) = event
                && let Some((client, since)) = self.begun.take()
            {
                self.took.observe(since.elapsed());
                tracing::debug!(target: trace::ANSWERS, client = %String::from_utf8_lossy(&client), us = since.elapsed().as_micros(), "answered");
            }
            let mut actions = Vec::new();
            self.worker.handle(self.now(), event, &mut actions);
            for action in actions {
                // Work that takes no time is done where it stands.
                events.extend(self.act(action));
            }
        }
    }

    fn act(&mut self, action: Action<Frame>) -> Option<Event<Frame>> {
        match action {
            Action::Connect => {
                self.link = LinkState::Resolving;
                self.connect();
            }
            Action::Disconnect => {
                if let LinkState::Open(link) = std::mem::replace(&mut self.link, LinkState::Closed) {
                    link.abandon();
                }
            }
            Action::Send(frames) => {
                if let LinkState::Open(link) = &self.link
                    && let Err(error) = link.socket.send_multipart(frames, DONTWAIT)
                {
                    tracing::warn!(%error, "cannot send to the broker");
                    return Some(Event::Down);
                }
            }
            Action::Begin { job, client, body } => {
                self.begun = Some((client.clone(), Instant::now()));
                match &mut self.doing {
                    Doing::Echo { time, .. } if time.is_zero() => return Some(Event::Done(job, echo(body, &self.id))),
                    Doing::Echo { time, due } => *due = Some((self.beginning.elapsed() + *time, job, body)),
                    Doing::Hands { hands, .. } => {
                        if let Err(why) = hands.begin(job, Request { client, frames: body }) {
                            return Some(Event::Done(job, failure(&why)));
                        }
                    }
                }
            }
            // The socket lingers for a moment to send the last answer.
            Action::End => self.link = LinkState::Ended,
        }
        None
    }

    fn connect(&mut self) {
        let opened = match self.resolver.next_address() {
            None => return,
            Some(Ok(address)) => {
                tracing::debug!(%address, "connecting");
                let id = self.id.as_bytes();
                Link::open(&self.context, SocketType::DEALER, address, |socket| socket.set_identity(id)).map_err(|error| error.to_string())
            }
            Some(Err(error)) => Err(error.to_string()),
        };
        match opened {
            Ok(link) => self.link = LinkState::Open(link),
            Err(error) => self.lost(&error),
        }
    }

    /// Says so once, not at every attempt.
    fn lost(&mut self, why: &str) {
        if std::mem::replace(&mut self.told_lost, true) {
            tracing::debug!(broker = self.resolver.peer(), why, "still no connection to the broker");
        } else {
            tracing::warn!(broker = self.resolver.peer(), why, "no connection to the broker");
        }
        self.handle(Event::Down);
    }

    fn report(&self) -> Report {
        let counters = self.worker.counters();
        let mut figures = Exposition::of_process("worker");
        figures.counter("cbw_worker_requests_total", "Requests taken.", counters.requests);
        figures.counter("cbw_worker_replies_total", "Answers sent.", counters.replies);
        figures.counter("cbw_worker_stale_replies_total", "Answers given up because the connection was lost.", counters.stale);
        figures.counter("cbw_worker_dropped_messages_total", "Messages that are not of the protocol.", counters.dropped);
        figures.counter("cbw_worker_disconnects_total", "Connections to the broker that were lost.", counters.losses);
        figures.gauge(
            "cbw_worker_registered",
            "Whether the worker is registered with the broker.",
            f64::from(u8::from(self.worker.is_registered())),
        );
        figures.gauge("cbw_worker_busy", "Whether a request is in hand.", f64::from(u8::from(self.worker.is_busy())));
        figures.histogram("cbw_worker_request_duration_seconds", "How long requests took to answer.", &self.took);
        let unready = (!self.worker.is_registered()).then(|| format!("not registered with the broker `{}`", self.resolver.peer()));
        Report { unhealthy: None, unready, metrics: figures.into_text(), status: None }
    }
}
