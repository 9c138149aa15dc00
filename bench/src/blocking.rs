//! A ZMTP connection that waits: for programs with a thread a peer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::net::FRAME_LIMIT;
use crate::zmtp::{self, Decoder, Item};

/// A connection after its handshake.
#[derive(Debug)]
pub struct Blocking {
    stream: TcpStream,
    decoder: Decoder,
    arrived: VecDeque<Vec<Vec<u8>>>,
}

impl Blocking {
    /// Connects and shakes hands as a socket of this type.
    pub fn connect(address: SocketAddr, socket_type: &str, identity: &[u8], patience: Duration) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        let mut hello = zmtp::greeting().to_vec();
        zmtp::ready(&mut hello, socket_type, identity);
        stream.write_all(&hello)?;
        let mut made = Self { stream, decoder: Decoder::new(FRAME_LIMIT), arrived: VecDeque::new() };
        let give_up = Instant::now() + patience;
        while !made.read(give_up)? {
            if Instant::now() >= give_up {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        Ok(made)
    }

    /// Sends one message.
    pub fn send(&mut self, frames: &[&[u8]]) -> io::Result<()> {
        let mut out = Vec::new();
        zmtp::message(&mut out, frames);
        self.stream.write_all(&out)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next message, or `None` when none comes in time. An error means that the connection is gone.
    pub fn receive(&mut self, patience: Duration) -> io::Result<Option<Vec<Vec<u8>>>> {
        let give_up = Instant::now() + patience;
        while self.arrived.is_empty() && Instant::now() < give_up {
            self.read(give_up)?;
        }
        Ok(self.arrived.pop_front())
    }

    /// Reads once; whether the peer's `READY` was in it.
    fn read(&mut self, until: Instant) -> io::Result<bool> {
        // A time-out of zero would wait for ever.
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        let mut scratch = [0; 16 * 1024];
        let count = match self.stream.read(&mut scratch) {
            Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.decoder.feed(&scratch[..count]);
        let mut ready = false;
        loop {
            match self.decoder.next_item().map_err(|violation| io::Error::new(ErrorKind::InvalidData, violation))? {
                None => return Ok(ready),
                Some(Item::Message(frames)) => self.arrived.push_back(frames.to_vecs()),
                Some(Item::Command(body)) if body.starts_with(b"\x05READY") => ready = true,
                Some(Item::Command(body)) => {
                    if let Some(pong) = zmtp::pong(body) {
                        self.stream.write_all(&pong)?;
                    }
                }
            }
        }
    }
}
