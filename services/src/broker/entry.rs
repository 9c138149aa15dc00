//! What the broker remembers of a worker, a client and a request.

use std::time::Duration;

use super::list::{Link, Linked, List};
use super::table::Identified;
use crate::wire::{Dialect, Frames};

/// What a worker has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Key of the request. It may have been answered and its place taken by another: compare `id`.
    pub key: usize,
    /// Number of the request.
    pub id: u64,
    /// It was given under an alias of the client with this number, see [`alias`].
    pub alias: Option<u64>,
}

/// What a worker does, and in which list it is for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Free: in the ready list.
    Ready,
    /// Has a request within the deadline; the request is in the list of deadlines.
    Working(Held),
    /// Has had a request for longer than the deadline.
    Late(Held),
    /// A REQ worker that is connected, or may come back, and may be free without saying so: waits out the grace.
    Seen {
        /// Its connection has been seen. Otherwise it is known from before, and only a message to it tells.
        connected: bool,
    },
    /// A REQ worker that has waited out the grace: the next request tries it.
    Candidate,
}

/// One worker, by its identity.
#[derive(Debug)]
pub struct Worker {
    pub id: Box<[u8]>,
    pub dialect: Dialect,
    pub state: State,
    pub since: Duration,
    /// It has said something that proves what it has in hand. Otherwise it may still answer a request of the past.
    pub confirmed: bool,
    /// How often it was tried in vain since it was last heard.
    pub tries: u32,
    /// When it was last heard (ppp).
    pub heard: Duration,
    /// When its next heartbeat is due (ppp).
    pub beat: Duration,
    /// Ready, seen, candidate or late list.
    pub turn: Link,
    /// Liveness list, in the order of `heard`.
    pub alive: Link,
    /// Heartbeat list, in the order of `beat`.
    pub beats: Link,
}

pub const TURN: usize = 0;
pub const ALIVE: usize = 1;
pub const BEATS: usize = 2;

impl Worker {
    pub fn new(id: &[u8], dialect: Dialect, state: State, now: Duration) -> Self {
        Self {
            id: id.into(),
            dialect,
            state,
            since: now,
            confirmed: false,
            tries: 0,
            heard: now,
            beat: now,
            turn: Link::default(),
            alive: Link::default(),
            beats: Link::default(),
        }
    }
}

impl Identified for Worker {
    fn id(&self) -> &[u8] {
        &self.id
    }
}

impl Linked<TURN> for Worker {
    fn link(&mut self) -> &mut Link {
        &mut self.turn
    }
}

impl Linked<ALIVE> for Worker {
    fn link(&mut self) -> &mut Link {
        &mut self.alive
    }
}

impl Linked<BEATS> for Worker {
    fn link(&mut self) -> &mut Link {
        &mut self.beats
    }
}

/// A client that has requests open; it is forgotten with the last of them.
#[derive(Debug)]
pub struct Client {
    pub id: Box<[u8]>,
    /// It may have several requests open.
    pub is_dealer: bool,
    pub open: List<OF_CLIENT>,
}

impl Identified for Client {
    fn id(&self) -> &[u8] {
        &self.id
    }
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Waits for its first worker.
    Waiting,
    /// Lost its worker and waits ahead of the others.
    Again,
    /// A worker has it.
    Given {
        /// Key of the worker.
        worker: usize,
    },
    /// It is answered, by what is its body now; the answer is held back for a moment, since its client may be asking anew.
    Held,
    /// A worker has it, but nobody needs the answer any more: only the deadline goes on.
    Orphan {
        /// Key of the worker.
        worker: usize,
    },
}

/// One request, from its arrival to its reply.
#[derive(Debug)]
pub struct Request<F> {
    pub id: u64,
    /// Key of the client; of no meaning in an orphan.
    pub client: usize,
    pub envelope: Vec<F>,
    pub body: Frames<F>,
    /// What it counts for against the bound on bytes.
    pub bytes: usize,
    /// How often it was given to a worker.
    pub attempts: u32,
    pub accepted: Duration,
    /// When its worker loses it, or when its answer is held back no longer.
    pub due: Duration,
    /// The connection that it came by is gone, and its client has one request at a time.
    pub doubtful: bool,
    pub place: Place,
    pub queue: Link,
    pub of_client: Link,
}

pub const QUEUE: usize = 0;
pub const OF_CLIENT: usize = 1;

impl<F> Linked<QUEUE> for Request<F> {
    fn link(&mut self) -> &mut Link {
        &mut self.queue
    }
}

impl<F> Linked<OF_CLIENT> for Request<F> {
    fn link(&mut self) -> &mut Link {
        &mut self.of_client
    }
}

/// The client frame for a worker that may still answer a request of the past: nothing that was ever given before, so that
/// the old answer cannot be taken for the new one. `nonce` tells this broker from earlier ones, `number` each use from all others.
/// To the worker a client frame is opaque, and it comes back unchanged.
pub fn alias(client: &[u8], nonce: u64, number: u64) -> Vec<u8> {
    let mut alias = client.to_vec();
    alias.extend_from_slice(format!("#{nonce:x}.{number:x}").as_bytes());
    alias
}
