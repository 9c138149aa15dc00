//! `limit FRONTEND BACKEND`: how fast a broker of this kind could be on this machine.
//!
//! One epoll loop with its own ZMTP instead of libzmq: no I/O thread, so no hand-over between threads. It has the
//! least-recently-used list and deadlines, and none of the product's other protections. Workers are of the "guide" dialect.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cbw_bench::net::Connection;
use cbw_bench::zmtp;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

const DEADLINE: Duration = Duration::from_secs(2);
const FRONTEND: Token = Token(0);
const BACKEND: Token = Token(1);
const FIRST_PEER: usize = 2;

/// A connection is known by the number that epoll reports, which also is its name on the other side.
type Peer = usize;

struct Request {
    client: Peer,
    /// The frames after the client's identity, as they came.
    wire: Vec<u8>,
}

#[derive(Default)]
struct Broker {
    ready: VecDeque<Peer>,
    waiting: VecDeque<Request>,
    working: HashMap<Peer, (u64, Request)>,
    /// All deadlines are equally long, so that a queue is in order of time.
    deadlines: VecDeque<(Instant, Peer, u64)>,
    given: u64,
}

impl Broker {
    /// Gives waiting requests to ready workers; the frames to send are appended to `sends`.
    fn dispatch(&mut self, now: Instant, sends: &mut Vec<(Peer, Vec<u8>)>) {
        while !self.waiting.is_empty() {
            let Some(worker) = self.ready.pop_front() else {
                return;
            };
            let Some(request) = self.waiting.pop_front() else {
                return;
            };
            let mut out = Vec::with_capacity(16 + request.wire.len());
            zmtp::frame(&mut out, b"", true);
            zmtp::frame(&mut out, &request.client.to_be_bytes(), true);
            out.extend_from_slice(&request.wire);
            self.given += 1;
            self.deadlines.push_back((now + DEADLINE, worker, self.given));
            self.working.insert(worker, (self.given, request));
            sends.push((worker, out));
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(deadline, worker, given)) = self.deadlines.front() {
            let answered = self.working.get(&worker).is_none_or(|(current, _)| *current != given);
            if !answered && deadline > now {
                return;
            }
            self.deadlines.pop_front();
            if !answered && let Some((_, request)) = self.working.remove(&worker) {
                self.waiting.push_front(request);
            }
        }
    }

    fn settle(&mut self, worker: Peer, frames: zmtp::Frames<'_>, sends: &mut Vec<(Peer, Vec<u8>)>) {
        let answered = self.working.remove(&worker);
        self.ready.push_back(worker);
        let (Some((_, request)), Some(client)) = (answered, frames.get(1)) else {
            return;
        };
        if client != request.client.to_be_bytes() {
            return;
        }
        let mut out = Vec::with_capacity(16 + request.wire.len());
        rewrap(frames, 2, &mut out);
        sends.push((request.client, out));
    }
}

/// Appends the frames from the `from`-th on.
fn rewrap(frames: zmtp::Frames<'_>, from: usize, out: &mut Vec<u8>) {
    let last = frames.len() - 1;
    for (index, frame) in frames.iter().enumerate().skip(from) {
        zmtp::frame(out, frame, index < last);
    }
}

fn main() -> Result<()> {
    let ports: Vec<u16> = std::env::args().skip(1).map(|port| port.parse()).collect::<Result<_, _>>()?;
    let [frontend, backend] = ports[..] else { bail!("limit FRONTEND BACKEND") };
    let listen = |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).context("binding");
    let mut listeners = [listen(frontend)?, listen(backend)?];
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listeners[0], FRONTEND, Interest::READABLE)?;
    poll.registry().register(&mut listeners[1], BACKEND, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 64 * 1024];
    let mut peers: HashMap<Peer, (bool, Connection)> = HashMap::new();
    let mut next = FIRST_PEER;
    let mut broker = Broker::default();
    let mut sends = Vec::new();
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        let now = Instant::now();
        for event in &events {
            let token = event.token();
            if token.0 < FIRST_PEER {
                while let Ok((stream, _)) = listeners[token.0].accept() {
                    let connection = Connection::new(poll.registry(), Token(next), stream, "ROUTER", b"")?;
                    connection.no_delay()?;
                    peers.insert(next, (token == BACKEND, connection));
                    next += 1;
                }
                continue;
            }
            let peer = token.0;
            let Some((works, connection)) = peers.get_mut(&peer) else {
                continue;
            };
            let alive = connection
                .read(&mut scratch, |frames, _| {
                    if *works {
                        broker.settle(peer, frames, &mut sends);
                    } else {
                        let mut wire = Vec::with_capacity(80);
                        rewrap(frames, 0, &mut wire);
                        broker.waiting.push_back(Request { client: peer, wire });
                    }
                })
                .and_then(|()| connection.flush());
            if alive.is_err() {
                peers.remove(&peer);
                broker.ready.retain(|worker| *worker != peer);
                if let Some((_, request)) = broker.working.remove(&peer) {
                    broker.waiting.push_front(request);
                }
            }
            broker.dispatch(now, &mut sends);
            for (peer, wire) in sends.drain(..) {
                if let Some((_, connection)) = peers.get_mut(&peer) {
                    connection.push_raw(&wire);
                    // A peer that is gone is told by epoll.
                    let _ = connection.flush();
                }
            }
        }
        broker.expire(now);
        broker.dispatch(now, &mut sends);
    }
}
