//! A ROUTER socket with everything that protects it.

use std::os::fd::RawFd;

use super::bind::{self, Address, BindError};
use super::connections::Connections;
use crate::broker::args::BrokerArgs;
use crate::wire::{FRAMES_MAX, Frame, SocketType};

impl Frame for zmq::Message {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn of(bytes: &[u8]) -> Self {
        Self::from(bytes)
    }

    fn socket_type(&mut self) -> SocketType {
        match self.gets("Socket-Type") {
            Some("REQ") | None => SocketType::Req,
            Some(_) => SocketType::Dealer,
        }
    }
}

/// Whether there was a message to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Its frames are there.
    Message,
    /// There was none.
    Nothing,
}

/// One side of the broker.
pub struct Router {
    pub name: &'static str,
    socket: zmq::Socket,
    /// Readable when libzmq has something to say (`ZMQ_FD`). It tells of changes only.
    pub fd: RawFd,
    /// Not seen empty since libzmq said something, or since something was sent: sending may take note of what `ZMQ_FD` would have told.
    pub may_have_more: bool,
    pub connections: Connections,
}

impl Router {
    /// A socket that is not bound yet.
    pub fn new(context: &zmq::Context, name: &'static str, args: &BrokerArgs) -> Result<Self, zmq::Error> {
        let socket = context.socket(zmq::ROUTER)?;
        // A peer that is gone is noticed when it is sent to, and one that comes back replaces its old connection.
        socket.set_router_mandatory(true)?;
        socket.set_router_handover(true)?;
        socket.set_maxmsgsize(i64::try_from(args.max_frame).unwrap_or(i64::MAX))?;
        socket.set_handshake_ivl(5_000)?;
        // As many messages may wait for one peer to read them as it may have requests open. Who has more is as good as gone.
        socket.set_sndhwm(i32::try_from(args.queue).unwrap_or(i32::MAX).max(1_000))?;
        // Every peer may be connecting again at once after a restart.
        socket.set_backlog(4_096)?;
        socket.set_linger(1_000)?;
        socket.set_tcp_keepalive(1)?;
        socket.set_tcp_keepalive_idle(10)?;
        socket.set_tcp_keepalive_intvl(5)?;
        socket.set_tcp_keepalive_cnt(3)?;
        let ping = i32::try_from(args.ping.as_millis()).unwrap_or(i32::MAX);
        // Not to clients: each ping sets timers in libzmq, and with 10,000 of them it does nothing else. TCP keep-alive is theirs.
        if ping > 0 && name == "backend" {
            socket.set_heartbeat_ivl(ping)?;
            // Long, since a peer may be stopped for a while. TCP keep-alive notices a dead machine earlier, but for data on its way.
            socket.set_heartbeat_timeout(ping.saturating_mul(6))?;
        }
        let connections = Connections::of(context, &socket, name)?;
        Ok(Self { name, fd: socket.get_fd()?, may_have_more: true, connections, socket })
    }

    /// Binds to every address that the name stands for.
    pub fn bind(&self, address: &Address) -> Result<(), BindError> {
        bind::bind(&self.socket, self.name, address)
    }

    /// Receives the next message into `frames`, without waiting. A message of too many frames loses those at its end, so that
    /// it stays malformed but takes no memory.
    pub fn receive(&mut self, frames: &mut Vec<zmq::Message>) -> Result<Received, zmq::Error> {
        frames.clear();
        loop {
            match self.socket.recv_msg(zmq::DONTWAIT) {
                Ok(frame) => {
                    let more = frame.get_more();
                    if frames.len() <= FRAMES_MAX {
                        frames.push(frame);
                    }
                    if !more {
                        return Ok(Received::Message);
                    }
                }
                Err(zmq::Error::EAGAIN) => {
                    self.may_have_more = false;
                    return Ok(Received::Nothing);
                }
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends `count` frames to a peer, without waiting. When that cannot be, no frame is taken.
    pub fn send(&mut self, peer: &[u8], frames: &mut impl Iterator<Item = zmq::Message>, count: usize) -> Result<(), zmq::Error> {
        self.may_have_more = true;
        while let Err(error) = self.socket.send(peer, zmq::DONTWAIT | zmq::SNDMORE) {
            if error != zmq::Error::EINTR {
                return Err(error);
            }
        }
        for left in (0..count).rev() {
            let Some(frame) = frames.next() else { break };
            // Once libzmq has taken the identity it takes the rest; when the peer goes meanwhile the message goes with it.
            self.socket.send(frame, zmq::DONTWAIT | if left > 0 { zmq::SNDMORE } else { 0 })?;
        }
        Ok(())
    }
}
