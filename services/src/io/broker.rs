//! The broker's loop: two ROUTER sockets, a wake-up, and the machine of [`crate::broker`] between them.
//!
//! It is a hot path. Frames move from socket to socket without being copied, both sockets are emptied before the loop sleeps,
//! and it sleeps in one system call: `zmq_poll` would cost one more for each socket.

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

/// How long requests may gather while every worker is busy.
const GATHER: Duration = Duration::from_millis(1);

/// What was there to take from a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// Some messages, and now there are none.
    All,
    /// As many as may be taken at once; there may be more.
    Batch,
}

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
    #[cfg(feature = "mutants")]
    spoiler: crate::mutant::Spoiler<zmq::Message>,
}

impl Loop {
    fn run(&mut self, drain: Duration, wakeup: &Wakeup, signals: &Signals, hub: &Hub) -> Result<(), Box<dyn Error>> {
        let mut draining = false;
        while !self.machine.is_drained() {
            let emptied = self.serve()?;
            if self.machine.is_drained() {
                // The last reply is out, and nothing would end a sleep.
                break;
            }
            if hub.asked() {
                hub.answer(report(&self.machine, self.start.elapsed()));
            }
            self.sleep(wakeup, emptied)?;
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

    /// Handles everything that has come in. A socket that was sent to may be readable without a sign (`ZMQ_FD` tells of changes,
    /// and sending may take note of one), so each must be seen empty after the last message to it. Whether both are: under a
    /// load that does not end the loop must look after everything else too.
    fn serve(&mut self) -> Result<bool, zmq::Error> {
        let mut front = self.take_from(Side::Frontend)?;
        for _ in 0..ROUNDS {
            let back = self.take_from(Side::Backend)?;
            if back == Taken::Nothing && front != Taken::Batch {
                return Ok(true);
            }
            front = self.take_from(Side::Frontend)?;
            if front == Taken::Nothing && back != Taken::Batch {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sleeps until a peer, a signal, a question or a timer wants something; only looks, unless the sockets were `emptied`.
    fn sleep(&mut self, wakeup: &Wakeup, emptied: bool) -> Result<(), Box<dyn Error>> {
        let left = self.machine.next_timeout().map(|due| due.saturating_sub(self.start.elapsed()));
        let left = if emptied { left } else { Some(Duration::ZERO) };
        let mut woken = self.sleeper.sleep(left)?;
        if emptied && woken.by_clients_only && self.machine.is_saturated() {
            // New requests can only wait. Let them gather until a worker has something: one wake-up for all of them.
            woken = self.sleeper.sleep(Some(left.map_or(GATHER, |left| left.min(GATHER))))?;
        }
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
    fn take_from(&mut self, side: Side) -> Result<Taken, zmq::Error> {
        for taken in 0..BATCH {
            let router = match side {
                Side::Frontend => &self.frontend,
                Side::Backend => &self.backend,
            };
            if router.receive(&mut self.frames)? == Received::Nothing {
                return Ok(if taken == 0 { Taken::Nothing } else { Taken::All });
            }
            if side == Side::Backend && taken == 0 {
                // The frontend was just seen empty, and receiving is when a ROUTER takes over an identity for a new connection. The end
                // of the old one is known by then, and must be told before an answer goes to the new one.
                self.note_disconnects(Side::Frontend);
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
        Ok(Taken::Batch)
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
                Side::Frontend => &self.frontend,
                Side::Backend => &self.backend,
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
