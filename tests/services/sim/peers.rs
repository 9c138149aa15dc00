//! Clients and workers as libzmq's sockets make them behave, with a process behind each that can die, hang and come back.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use cbw_services::wire::{Dialect, Frame, GUIDE_READY, PPP_HEARTBEAT, PPP_READY, SocketType};

pub const MS: fn(u64) -> Duration = Duration::from_millis;

/// A frame that knows what kind of socket sent it, as libzmq's do.
#[derive(Clone, PartialEq, Eq)]
pub struct Part(pub Vec<u8>, pub SocketType);

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl Frame for Part {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec(), SocketType::Req)
    }

    fn socket_type(&mut self) -> SocketType {
        self.1
    }
}

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// A REQ socket with a fixed identity: when it loses patience it asks anew on a fresh connection (Lazy Pirate).
    Req,
    /// A DEALER with a fixed identity and several requests open.
    Dealer,
    /// A DEALER whose identity libzmq makes up anew for each connection.
    Anonymous,
}

#[derive(Debug)]
pub struct Client {
    pub id: Vec<u8>,
    pub kind: ClientKind,
    pub connection: Option<usize>,
    pub open: HashSet<u32>,
    pub asked_at: Duration,
}

impl Client {
    /// How long a REQ client waits before it asks anew.
    pub const PATIENCE: fn(u64) -> Duration = |number| MS(2_500 + number % 7 * 600);
    pub const MOST_OPEN: usize = 5;

    pub fn socket_type(&self) -> SocketType {
        if self.kind == ClientKind::Req { SocketType::Req } else { SocketType::Dealer }
    }
}

/// What a worker's process does.
#[derive(Debug, PartialEq, Eq)]
pub enum Doing {
    Nothing,
    Work { until: Duration },
    Dead,
}

#[derive(Debug)]
pub struct Worker {
    pub id: Vec<u8>,
    pub dialect: Dialect,
    pub connection: Option<usize>,
    pub doing: Doing,
    /// The reply that the work will give.
    pub reply: Vec<Vec<u8>>,
    /// Work that has come while it works: a DEALER queues it.
    pub queue: VecDeque<Vec<Vec<u8>>>,
    pub paused_until: Duration,
    pub heard: Duration,
    /// How long it takes for a request, most often.
    pub service: Duration,
}

impl Worker {
    pub fn registration(&self) -> Vec<Vec<u8>> {
        match self.dialect {
            Dialect::CbwShort => vec![vec![]; 3],
            Dialect::CbwLong => vec![vec![]; 4],
            Dialect::Guide => vec![vec![], GUIDE_READY.to_vec()],
            Dialect::Ppp => vec![PPP_READY.to_vec()],
        }
    }

    /// What the program does with the frames that its socket gives it. None = not for the program.
    pub fn receive(&mut self, frames: Vec<Vec<u8>>, now: Duration) -> Received {
        self.heard = now;
        if self.dialect == Dialect::Ppp {
            if frames == [PPP_HEARTBEAT] {
                return Received::Nothing;
            }
            self.queue.push_back(frames);
            return if self.doing == Doing::Nothing { self.begin_next() } else { Received::Nothing };
        }
        // A REQ socket hears nothing while it is its own turn to speak: what comes meanwhile is thrown away.
        if self.doing != Doing::Nothing {
            return Received::Nothing;
        }
        assert!(frames.first().is_some_and(Vec::is_empty), "work for a REQ worker begins with the delimiter");
        self.work(frames[1].clone(), &frames[2..])
    }

    pub fn begin_next(&mut self) -> Received {
        let Some(frames) = self.queue.pop_front() else { return Received::Nothing };
        let client = frames[0].clone();
        self.work_delimited(client, &frames[1..])
    }

    fn work(&mut self, client: Vec<u8>, rest: &[Vec<u8>]) -> Received {
        if self.dialect == Dialect::CbwShort {
            // The lab's program takes the frame after the client for the question, whatever it is.
            let answer = [&rest[0][..], b":", &self.id].concat();
            self.reply = vec![vec![], client, answer];
            return Received::Work { question: rest[0].clone() };
        }
        self.work_delimited(client, rest)
    }

    fn work_delimited(&mut self, client: Vec<u8>, rest: &[Vec<u8>]) -> Received {
        assert!(rest[0].is_empty(), "a delimiter between client and question: {rest:?}");
        let answer = [&rest[1][..], b":", &self.id].concat();
        self.reply = vec![client, vec![], answer];
        if self.dialect != Dialect::Ppp {
            self.reply.insert(0, vec![]);
        }
        Received::Work { question: rest[1].clone() }
    }
}

/// What a message means to a worker's program.
pub enum Received {
    Nothing,
    Work { question: Vec<u8> },
}
