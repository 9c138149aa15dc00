//! ZMTP connections over non-blocking sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::zmtp::{self, Decoder, Item};

/// Most bytes of a frame that the tools read.
pub const FRAME_LIMIT: u64 = 256 << 20;

/// A connection that shakes hands by itself; `open` tells when messages may flow.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    out: Vec<u8>,
    sent: usize,
    open: bool,
}

impl Connection {
    /// Starts to connect as a socket of this type.
    pub fn connect(registry: &Registry, token: Token, address: SocketAddr, socket_type: &str, identity: &[u8]) -> io::Result<Self> {
        Self::new(registry, token, TcpStream::connect(address)?, socket_type, identity)
    }

    /// Takes an accepted or connecting stream.
    pub fn new(registry: &Registry, token: Token, mut stream: TcpStream, socket_type: &str, identity: &[u8]) -> io::Result<Self> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut out = zmtp::greeting().to_vec();
        zmtp::ready(&mut out, socket_type, identity);
        Ok(Self { stream, decoder: Decoder::new(FRAME_LIMIT), out, sent: 0, open: false })
    }

    /// Whether the peer's `READY` has arrived.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Bytes that the kernel has not taken yet.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Queues one message; [`flush`](Self::flush) writes it.
    pub fn push(&mut self, frames: &[&[u8]]) {
        zmtp::message(&mut self.out, frames);
    }

    /// Queues bytes that are framed already.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes what the kernel takes.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Sets `TCP_NODELAY`, as libzmq does: a request must not wait for the acknowledgement of the last one.
    pub fn no_delay(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }

    /// Reads what is there and hands each message to `take`, which may queue answers in the buffer that it is given.
    /// An error means that the connection is gone.
    pub fn read(&mut self, scratch: &mut [u8], mut take: impl FnMut(zmtp::Frames<'_>, &mut Vec<u8>)) -> io::Result<()> {
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.decoder.feed(&scratch[..count]);
            loop {
                match self.decoder.next_item().map_err(|violation| io::Error::new(ErrorKind::InvalidData, violation))? {
                    None => break,
                    Some(Item::Message(frames)) => take(frames, &mut self.out),
                    Some(Item::Command(body)) if body.starts_with(b"\x05READY") => self.open = true,
                    Some(Item::Command(body)) => {
                        if let Some(pong) = zmtp::pong(body) {
                            self.out.extend_from_slice(&pong);
                        }
                    }
                }
            }
            // A short read emptied the socket: the next edge tells of more.
            if count < scratch.len() {
                return Ok(());
            }
        }
    }
}

/// Handshakes that go on at once: a listen backlog is short.
const AT_ONCE: usize = 64;
/// A connection that is not open by then is tried again, as libzmq would.
const RETRY: Duration = Duration::from_secs(2);
/// What refused a connection would refuse it again at once.
const REFUSED: Duration = Duration::from_millis(100);

/// Opens `count` more connections; the token of each is its index. What others have to say meanwhile is dropped. A broker
/// that has just started may refuse a peer at first: those are tried again for a minute.
pub fn open_more(
    poll: &mut Poll,
    events: &mut Events,
    scratch: &mut [u8],
    connections: &mut Vec<Connection>,
    count: usize,
    (address, socket_type): (SocketAddr, &str),
) -> io::Result<()> {
    let last = connections.len() + count;
    let begin = Instant::now();
    // The connections that are shaking hands, and when they are tried again.
    let mut pending: Vec<(usize, Instant)> = Vec::new();
    while connections.len() < last || !pending.is_empty() {
        if begin.elapsed() > Duration::from_mins(1) {
            let missing = last - connections.len() + pending.len();
            return Err(io::Error::new(ErrorKind::TimedOut, format!("{missing} of {count} connections did not open")));
        }
        let connect = |index| Connection::connect(poll.registry(), Token(index), address, socket_type, b"");
        while connections.len() < last && pending.len() < AT_ONCE {
            pending.push((connections.len(), Instant::now() + RETRY));
            connections.push(connect(connections.len())?);
        }
        for (index, retry) in &mut pending {
            if *retry <= Instant::now() {
                connections[*index] = connect(*index)?;
                *retry = Instant::now() + RETRY;
            }
        }
        poll.poll(events, Some(Duration::from_millis(100)))?;
        for event in &*events {
            let index = event.token().0;
            let connection = &mut connections[index];
            let result = connection.flush().and_then(|()| connection.read(scratch, |_, _| {})).and_then(|()| connection.flush());
            let Some(place) = pending.iter().position(|(pending, _)| *pending == index) else {
                result?;
                continue;
            };
            if result.is_err() {
                pending[place].1 = Instant::now() + REFUSED;
            } else if connection.is_open() {
                connection.no_delay()?;
                pending.swap_remove(place);
            }
        }
    }
    Ok(())
}
