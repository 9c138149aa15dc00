//! The broker's loop: two ROUTER sockets, a wake-up, and the machine of [`crate::broker`] between them.
//!
//! It is a hot path, and system calls are what it costs. Frames move from socket to socket without being copied. The loop sleeps in
//! one system call (`zmq_poll` would take one more for each socket), and looks only at a socket that may have something: seeing
//! that there is nothing costs a call too. While requests wait for a worker, clients are let wait a moment and then heard together.

mod bind;
mod connections;
mod door;
mod report;
mod router;
mod sleeper;
mod watch;

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use self::bind::Address;
use self::connections::Connections;
use self::door::Door;
use self::report::report;
use self::router::{Received, Router};
use self::sleeper::Sleeper;
use self::watch::Watcher;
use crate::broker::args::BrokerArgs;
use crate::broker::{Broker, Event, Outbox, Side};
use crate::io::logger::start_sink;
use crate::status::wake::{Signals, Wakeup};
use crate::status::{self, Hub};
use crate::trace::{self, Replies, Stream};

/// Messages that are taken from one side before the other side has its turn.
const BATCH: usize = 256;

/// Turns of both sides before the loop looks at signals, questions and timers.
const ROUNDS: usize = 8;

/// How long clients may be left unheard while requests wait: a new one can only wait too.
const GATHER: Duration = Duration::from_millis(1);

/// Runs a broker until SIGTERM or SIGINT, and until everybody has got a reply.
pub fn run(args: &BrokerArgs) -> Result<(), Box<dyn Error>> {
    let wakeup = Wakeup::new()?;
    let signals = wakeup.signals()?;
    let sink = args.logger.address().map(|(host, port)| start_sink("broker", &host, port)).transpose()?;
    let log = sink.as_ref().map(|(sink, _)| sink.clone());
    let _trace = trace::init("broker", args.common.log_format, Stream::Stdout, log.clone())?;
    let replies = log.and_then(|log| Replies::new("broker", args.common.log_format, log));
    let hub = Hub::with_events(wakeup.waker());
    bind::raise_file_limit();
    let context = zmq::Context::new();
    context.set_io_threads(i32::from(args.io_threads))?;
    let start = Instant::now();
    let [front, back] = [(&args.frontend_host, args.frontend_port), (&args.backend_host, args.backend_port)]
        .map(|(host, port)| Address { host: host.clone(), port });
    let frontend = Router::new(&context, "frontend", args)?;
    let backend = Router::new(&context, "backend", args)?;
    let mut looping = Loop {
        sleeper: Sleeper::new(&frontend, &backend, wakeup.fd())?,
        machine: Broker::new(args.config(nonce())),
        watch: Watcher::new(hub.clone(), replies),
        out: Outbox::default(),
        undelivered: Vec::new(),
        frames: Vec::new(),
        frontend,
        backend,
        start,
        unheard_until: None,
        disconnects_read: false,
        #[cfg(feature = "mutants")]
        spoiler: crate::mutant::Spoiler::default(),
    };
    // Clients may ask from now on. The backend opens when the name cards of the workers that are already there are read.
    looping.frontend.bind(&front)?;
    let door = Door::open(&back, args.door)?;
    for card in door.name_cards(&signals) {
        looping.handle(Event::WorkerSeen(&card));
    }
    looping.backend.bind(&back)?;
    if let Some(address) = args.common.metrics() {
        status::serve(address, hub.clone()).map_err(|error| format!("cannot serve `{address}`: {error}"))?;
    }
    info!(frontend = %front, backend = %back, "the broker is ready");
    looping.run(args.drain, &wakeup, &signals, &hub)?;
    info!("the broker stops");
    Ok(())
}

/// A number that no other run of the broker has: the time, as fine as it can be had.
fn nonce() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() << 30 | u64::from(since.subsec_nanos())
}

/// The sockets, the machine, and what is on its way between them.
struct Loop {
    sleeper: Sleeper,
    machine: Broker<zmq::Message>,
    watch: Watcher,
    out: Outbox<zmq::Message>,
    /// Messages that could not be delivered: the side, the peer, and whether it was work.
    undelivered: Vec<(Side, zmq::Message, bool)>,
    /// The message that is being received.
    frames: Vec<zmq::Message>,
    frontend: Router,
    backend: Router,
    start: Instant,
    /// Until when clients are let wait.
    unheard_until: Option<Duration>,
    /// Whether the ends of clients' connections have been read since the frontend was last looked at.
    disconnects_read: bool,
    #[cfg(feature = "mutants")]
    spoiler: crate::mutant::Spoiler<zmq::Message>,
}

impl Loop {
    fn run(&mut self, drain: Duration, wakeup: &Wakeup, signals: &Signals, hub: &Hub) -> Result<(), Box<dyn Error>> {
        let mut draining = false;
        while !self.machine.is_drained() {
            let served = self.serve()?;
            if self.machine.is_drained() {
                // The last reply is out, and nothing would end a sleep.
                break;
            }
            if hub.asked() {
                hub.answer(report(&self.machine, self.start.elapsed()));
            }
            self.sleep(wakeup, served)?;
            if self.machine.next_timeout().is_some_and(|due| due <= self.start.elapsed()) {
                self.handle(Event::Tick);
            }
            if signals.stop() && !draining {
                draining = true;
                info!("draining: no new requests are taken");
                self.handle(Event::Drain { until: self.start.elapsed() + drain });
            }
        }
        Ok(())
    }

    /// Handles everything that has come in. Whether that is all: under a load that does not end the loop must look after everything
    /// else too.
    fn serve(&mut self) -> Result<bool, zmq::Error> {
        for _ in 0..ROUNDS {
            if self.backend.may_have_more {
                self.take_from(Side::Backend)?;
            }
            if self.hears_clients() {
                self.take_from(Side::Frontend)?;
            }
            if !self.backend.may_have_more && !self.hears_clients() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it is the clients' turn. Not while requests wait, for a moment: whatever clients want now can only wait as well, and is
    /// taken together then.
    fn hears_clients(&mut self) -> bool {
        if !self.frontend.may_have_more {
            return false;
        }
        if !self.machine.is_saturated() {
            self.unheard_until = None;
            return true;
        }
        let now = self.start.elapsed();
        now >= *self.unheard_until.get_or_insert(now + GATHER)
    }

    /// Sleeps until a peer, a signal, a question or a timer wants something; only looks, unless all was `served`.
    fn sleep(&mut self, wakeup: &Wakeup, served: bool) -> Result<(), Box<dyn Error>> {
        let due = self.machine.next_timeout().into_iter().chain(self.unheard_until).min();
        let left = due.map(|due| due.saturating_sub(self.start.elapsed()));
        let woken = self.sleeper.sleep(if served { left } else { Some(Duration::ZERO) })?;
        self.frontend.may_have_more |= woken.by_frontend;
        self.backend.may_have_more |= woken.by_backend;
        if woken.by_wakeup {
            wakeup.drain();
        }
        if woken.by_frontend_monitor {
            self.note_disconnects(Side::Frontend);
        }
        if woken.by_backend_monitor {
            self.note_disconnects(Side::Backend);
        }
        Ok(())
    }

    /// Handles the messages that have come in on one side, a batch at most.
    fn take_from(&mut self, side: Side) -> Result<(), zmq::Error> {
        if side == Side::Frontend {
            self.unheard_until = None;
            self.disconnects_read = false;
        }
        for _ in 0..BATCH {
            let router = match side {
                Side::Frontend => &mut self.frontend,
                Side::Backend => &mut self.backend,
            };
            if router.receive(&mut self.frames)? == Received::Nothing {
                break;
            }
            if side == Side::Backend && !self.disconnects_read {
                // Looking at the frontend is when a ROUTER takes over an identity for a new connection. The end of the old one is known
                // by then, and must be told before an answer goes to the new one.
                self.note_disconnects(Side::Frontend);
                self.disconnects_read = true;
            }
            if self.is_new_connection(side) {
                self.note_new_connection(side);
            }
            let mut frames = std::mem::take(&mut self.frames);
            self.handle(match side {
                Side::Frontend => Event::FromClient(&mut frames),
                Side::Backend => Event::FromWorker(&mut frames),
            });
            self.frames = frames;
        }
        if side == Side::Frontend && self.frontend.may_have_more {
            // A whole batch, and more to come: no need to wait for others.
            self.unheard_until = Some(Duration::ZERO);
        }
        Ok(())
    }

    fn is_new_connection(&mut self, side: Side) -> bool {
        match side {
            Side::Frontend => self.frontend.connections.is_new(&mut self.frames),
            Side::Backend => self.backend.connections.is_new(&mut self.frames),
        }
    }

    fn connections(&mut self, side: Side) -> &mut Connections {
        match side {
            Side::Frontend => &mut self.frontend.connections,
            Side::Backend => &mut self.backend.connections,
        }
    }

    /// Remembers which connection the message in `frames` came by. What is known of its file descriptor so far belongs to a
    /// connection that is gone: its end has been told before, so that is read first.
    fn note_new_connection(&mut self, side: Side) {
        self.note_disconnects(side);
        let mut frames = std::mem::take(&mut self.frames);
        let replaced = self.connections(side).remember(&mut frames);
        self.frames = frames;
        if let Some(id) = replaced {
            self.peer_gone(side, &id);
        }
    }

    /// Tells the machine of the connections that have ended.
    fn note_disconnects(&mut self, side: Side) {
        while let Some(id) = self.connections(side).next_gone() {
            self.peer_gone(side, &id);
        }
    }

    fn peer_gone(&mut self, side: Side, id: &[u8]) {
        self.handle(match side {
            Side::Frontend => Event::ClientGone(id),
            Side::Backend => Event::WorkerGone(id),
        });
    }

    /// Lets the machine handle an event, sends what it wants to send, and tells it at once what could not be delivered.
    fn handle(&mut self, event: Event<'_, zmq::Message>) {
        let now = self.start.elapsed();
        self.machine.handle(now, event, &mut self.out, &mut self.watch);
        loop {
            self.send();
            let Some((side, peer, work)) = self.undelivered.pop() else { return };
            let event = match side {
                Side::Frontend => Event::ReplyUndelivered(&peer),
                Side::Backend => Event::Undelivered { worker: &peer, work },
            };
            self.machine.handle(now, event, &mut self.out, &mut self.watch);
        }
    }

    fn send(&mut self) {
        #[cfg(feature = "mutants")]
        self.spoiler.spoil(&mut self.out);
        let mut frames = self.out.frames.drain(..);
        for (side, count) in self.out.messages.drain(..) {
            let router = match side {
                Side::Frontend => &mut self.frontend,
                Side::Backend => &mut self.backend,
            };
            let mut message = frames.by_ref().take(count);
            let Some(peer) = message.next() else { continue };
            if let Err(error) = router.send(&peer, &mut message, count - 1) {
                if !matches!(error, zmq::Error::EHOSTUNREACH | zmq::Error::EAGAIN) {
                    warn!(%error, side = router.name, "a message cannot be sent");
                }
                message.for_each(drop);
                self.undelivered.push((side, peer, count > 2));
            }
        }
    }
}
