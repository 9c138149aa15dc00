//! What the machines need of a frame, so that they know nothing of the transport.

use smallvec::SmallVec;

/// The frames of a body or an envelope: most often exactly one, then without an allocation of its own.
pub type Frames<F> = SmallVec<[F; 1]>;

/// The kind of socket at the other end, as ZMTP's `Socket-Type` property tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SocketType {
    /// One request at a time, in strict turn with its replies.
    #[default]
    Req,
    /// Any number of requests at once.
    Dealer,
}

/// One frame of a message.
///
/// The transport's own message type implements it, so that a frame moves from socket to socket without being copied.
/// Plain bytes implement it for tests, for the simulator and for peers that do not mind a copy.
pub trait Frame: Sized {
    /// What the frame holds.
    fn bytes(&self) -> &[u8];

    /// A frame that holds a copy of `bytes`.
    fn of(bytes: &[u8]) -> Self;

    /// The kind of socket that sent the frame. A transport that cannot tell says REQ, the client that cannot tell late
    /// replies apart and so needs the most protection.
    fn socket_type(&mut self) -> SocketType {
        SocketType::Req
    }
}

impl Frame for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn of(bytes: &[u8]) -> Self {
        bytes.to_vec()
    }
}
