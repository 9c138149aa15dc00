//! Which identity each connection belongs to, so that the end of a connection is the end of a peer.
//!
//! libzmq's socket monitor tells the end of a connection by its file descriptor, and every message carries the descriptor of
//! the connection that it came by (the property behind `ZMQ_SRCFD`). Together they name the peer. Descriptors are used again, but
//! libzmq tells the end of a connection before it closes its descriptor; so when a message comes by a descriptor that is
//! known for another peer, reading the monitor first gets everything in order.

use std::collections::HashMap;
use std::os::fd::RawFd;

type Identity = Box<[u8]>;

/// The connections of one ROUTER.
pub struct Connections {
    monitor: zmq::Socket,
    pub fd: RawFd,
    /// By file descriptor: the peer that was last heard by it.
    peers: Vec<Option<Identity>>,
    /// The descriptor that each peer was last heard by.
    fds: HashMap<Identity, usize>,
}

/// Largest file descriptor that is kept track of: the kernel's default for `fs.nr_open`.
const FD_MAX: usize = 1 << 20;

impl Connections {
    /// Begins to watch a socket's connections.
    pub fn of(context: &zmq::Context, socket: &zmq::Socket, name: &str) -> Result<Self, zmq::Error> {
        let endpoint = format!("inproc://monitor-{name}");
        socket.monitor(&endpoint, i32::from(zmq::SocketEvent::DISCONNECTED.to_raw()))?;
        let monitor = context.socket(zmq::PAIR)?;
        // libzmq's own threads wait when nobody reads their events: there must always be room.
        monitor.set_rcvhwm(0)?;
        monitor.connect(&endpoint)?;
        Ok(Self { fd: monitor.get_fd()?, monitor, peers: Vec::new(), fds: HashMap::new() })
    }

    /// Whether a message came by another connection than its peer's messages before.
    pub fn is_new(&self, frames: &mut [zmq::Message]) -> bool {
        let Some(fd) = descriptor(frames) else { return false };
        let known = self.peers.get(fd).and_then(Option::as_deref);
        frames.first().is_some_and(|id| known != Some(id))
    }

    /// Notes the connection that a message came by. Returns the peer that the connection was another's before and that
    /// therefore has none any more.
    pub fn remember(&mut self, frames: &mut [zmq::Message]) -> Option<Identity> {
        let fd = descriptor(frames)?;
        let id: Identity = frames.first()?[..].into();
        if self.peers.len() <= fd {
            self.peers.resize(fd + 1, None);
        }
        let before = self.peers.get_mut(fd)?.replace(id.clone());
        self.fds.insert(id, fd);
        self.without_connection(before?, fd)
    }

    /// The next peer that is gone with its connection.
    pub fn next_gone(&mut self) -> Option<Identity> {
        // A connection that nothing was heard by is nobody's, and one of a peer that is heard by another is not its last.
        while let Ok(event) = self.monitor.recv_msg(zmq::DONTWAIT) {
            // The second frame is the endpoint's address.
            while self.monitor.get_rcvmore().is_ok_and(|more| more) {
                self.monitor.recv_msg(zmq::DONTWAIT).ok()?;
            }
            let gone = descriptor_of_event(&event).and_then(|fd| {
                let id = self.peers.get_mut(fd)?.take()?;
                self.without_connection(id, fd)
            });
            if gone.is_some() {
                return gone;
            }
        }
        None
    }

    /// A peer has lost the connection `fd`: it is gone, unless it has been heard by another one since.
    fn without_connection(&mut self, id: Identity, fd: usize) -> Option<Identity> {
        (self.fds.get(&id) == Some(&fd)).then(|| {
            self.fds.remove(&id);
            id
        })
    }
}

/// The value of an event: the first frame is the event's number, 16 bits, and its value, 32 bits.
fn descriptor_of_event(event: &[u8]) -> Option<usize> {
    let value = event.get(2..6)?.try_into().ok()?;
    usize::try_from(i32::from_ne_bytes(value)).ok()
}

/// The file descriptor of the connection that a message came by.
fn descriptor(frames: &mut [zmq::Message]) -> Option<usize> {
    let text = frames.last_mut()?.gets("__fd")?;
    text.parse().ok().filter(|&fd| fd < FD_MAX)
}
