//! One connection to a named peer, made anew each time: resolved, connected, watched.
//!
//! libzmq reconnects by itself, but takes only the first address of a name, in the thread that moves everybody's
//! messages. So its own reconnecting is off: each attempt is a fresh socket to the next address.

use std::collections::VecDeque;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;
use std::{io, thread};

use zmq::{Context, DONTWAIT, Message, Socket, SocketEvent, SocketType};

use crate::config::authority;
use crate::status::wake::Waker;
use crate::wire::FRAMES_MAX;

/// Longest frame that a peer may send, bytes.
const FRAME_MAX: i64 = 64 << 20;
/// How long a closed socket may still send what it was given, ms.
const LINGER: i32 = 1000;

/// Names the monitors apart within the process.
static MONITORS: AtomicU64 = AtomicU64::new(0);

/// A socket with one connection, and the news of it.
pub struct Link {
    monitor: Socket,
    /// The socket itself.
    pub socket: Socket,
}

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// The peer is there and speaks ZMTP.
    Up,
    /// It is not, or not any more. Nothing more will come of this link.
    Down,
}

impl Link {
    /// Begins to connect to `address` with a socket that is set up by `prepare`.
    pub fn open(
        context: &Context,
        kind: SocketType,
        address: SocketAddr,
        prepare: impl FnOnce(&Socket) -> zmq::Result<()>,
    ) -> zmq::Result<Self> {
        let socket = context.socket(kind)?;
        socket.set_linger(LINGER)?;
        socket.set_ipv6(true)?;
        socket.set_maxmsgsize(FRAME_MAX)?;
        socket.set_reconnect_ivl(-1)?;
        // Messages wait for a connection with us, where they can be counted, not in a socket that may be thrown away.
        socket.set_immediate(true)?;
        // A peer whose machine is gone is noticed by the kernel too (half-open TCP): 5 s of silence, 3 probes of 1 s.
        socket.set_tcp_keepalive(1)?;
        socket.set_tcp_keepalive_idle(5)?;
        socket.set_tcp_keepalive_intvl(1)?;
        socket.set_tcp_keepalive_cnt(3)?;
        socket.set_handshake_ivl(2000)?;
        prepare(&socket)?;
        let name = monitor_name();
        let events = [
            SocketEvent::HANDSHAKE_SUCCEEDED,
            SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
            SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
            SocketEvent::HANDSHAKE_FAILED_AUTH,
            SocketEvent::DISCONNECTED,
            SocketEvent::CLOSED,
        ];
        socket.monitor(&name, events.iter().map(|event| i32::from(event.to_raw())).sum())?;
        let monitor = context.socket(SocketType::PAIR)?;
        monitor.set_linger(0)?;
        monitor.connect(&name)?;
        socket.connect(&format!("tcp://{address}"))?;
        Ok(Self { monitor, socket })
    }

    /// The next news, if there is any.
    #[must_use]
    pub fn event(&self) -> Option<LinkEvent> {
        // zmq_socket_monitor(3): a frame with the event's number (16 bits) and value, and a frame with the address
        let number = self.monitor.recv_msg(DONTWAIT).ok()?;
        while self.monitor.get_rcvmore().unwrap_or(false) {
            let _ = self.monitor.recv_msg(DONTWAIT);
        }
        let number = u16::from_ne_bytes([*number.first()?, *number.get(1)?]);
        Some(if number == SocketEvent::HANDSHAKE_SUCCEEDED.to_raw() { LinkEvent::Up } else { LinkEvent::Down })
    }

    /// What to poll: the messages and the news.
    #[must_use]
    pub fn poll_items(&self) -> [zmq::PollItem<'_>; 2] {
        [self.socket.as_poll_item(zmq::POLLIN), self.monitor.as_poll_item(zmq::POLLIN)]
    }

    /// A message that is there; none when there is none. Frames beyond any sensible number are let go.
    pub fn receive(&self) -> zmq::Result<Option<Vec<Vec<u8>>>> {
        receive(&self.socket)
    }

    /// Closes at once: what was not sent is given up.
    pub fn abandon(self) {
        let _ = self.socket.set_linger(0);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // libzmq tells a monitor by a send that waits: with the listener gone, the news of the socket's own end would stop
        // the context's I/O thread for ever. Monitoring nothing instead ends the old monitor while its listener is there.
        let _ = self.socket.monitor(&monitor_name(), 0);
    }
}

fn monitor_name() -> String {
    format!("inproc://monitor-{}", MONITORS.fetch_add(1, Ordering::Relaxed))
}

/// Receives a whole message without waiting.
pub fn receive(socket: &Socket) -> zmq::Result<Option<Vec<Vec<u8>>>> {
    let (mut frames, mut frame) = (Vec::new(), Message::new());
    loop {
        match socket.recv(&mut frame, DONTWAIT) {
            Ok(()) => {}
            Err(zmq::Error::EAGAIN) => return Ok(None),
            Err(zmq::Error::EINTR) => continue,
            Err(error) => return Err(error),
        }
        // One frame too many is kept, so that the reader sees that there were too many.
        if frames.len() <= FRAMES_MAX {
            frames.push(frame.to_vec());
        }
        if !frame.get_more() {
            return Ok(Some(frames));
        }
    }
}

/// Sleeps until one of `items` is ready, but not longer than `time`.
pub fn poll(items: &mut [zmq::PollItem<'_>], time: Duration) -> zmq::Result<()> {
    // Rounded up: waking before the time would mean polling again and again until it has come. A signal wakes by its own item.
    let ms = time.as_nanos().div_ceil(1_000_000).min(60_000);
    match zmq::poll(items, i64::try_from(ms).unwrap_or(60_000)) {
        Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Looks a name up in a thread of its own, since a name server may take its time, and goes through all its addresses.
pub struct Resolver {
    host: String,
    port: u16,
    waker: Waker,
    left: VecDeque<SocketAddr>,
    asking: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// A resolver whose answers wake the loop by `waker`.
    #[must_use]
    pub fn new(host: &str, port: u16, waker: Waker) -> Self {
        Self { host: host.to_owned(), port, waker, left: VecDeque::new(), asking: None }
    }

    /// The peer's name and port, for messages.
    #[must_use]
    pub fn peer(&self) -> String {
        authority(&self.host, self.port)
    }

    /// The next address to try; none while the question is on its way. All addresses of one answer are tried before the
    /// name is looked up again.
    pub fn next_address(&mut self) -> Option<io::Result<SocketAddr>> {
        if let Some(address) = self.left.pop_front() {
            return Some(Ok(address));
        }
        if let Some(answer) = &self.asking {
            let answer = match answer.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => Err(io::Error::other("the look-up ended without an answer")),
            };
            self.asking = None;
            return Some(answer.and_then(|addresses| {
                self.left = addresses.into();
                self.left.pop_front().ok_or_else(|| io::Error::other("the name has no address"))
            }));
        }
        let (answer, asking) = sync_channel(1);
        let (name, waker) = ((self.host.clone(), self.port), self.waker.clone());
        let started = thread::Builder::new().name("resolve".to_owned()).spawn(move || {
            let _ = answer.send(name.to_socket_addrs().map(Iterator::collect));
            waker.wake();
        });
        match started {
            Ok(_) => {
                self.asking = Some(asking);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// The addresses of the same answer that were not tried yet.
    pub fn rest(&mut self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.left.drain(..)
    }

    /// Forgets the addresses that were not tried yet: the last one worked, and the next attempt begins with a fresh look-up.
    pub fn worked(&mut self) {
        self.left.clear();
    }
}
