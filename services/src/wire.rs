//! The frames of each dialect and the messages that they stand for.
//!
//! Everything here is total: any list of frames is either a message or a [`Malformed`] with the reason, and nothing that a
//! peer sends can make it panic. Identities and bodies are bytes, never text. Frames are moved, not copied.
//!
//! A ROUTER sees the peer's identity as the first frame; [`request`] and [`from_worker`] read such
//! messages. The peers' own side of the same dialects (a worker of RFC 6, the envelope of a REQ socket) is in [`peer`].

mod frame;
pub mod peer;
#[cfg(test)]
mod tests;

use std::fmt;

use smallvec::SmallVec;

pub use frame::{Frame, Frames, SocketType};

/// The READY command of RFC 6 (Paranoid Pirate), a worker's registration.
pub const PPP_READY: &[u8] = &[1];
/// The HEARTBEAT command of RFC 6, in either direction.
pub const PPP_HEARTBEAT: &[u8] = &[2];
/// What a worker of the `ZeroMQ` Guide's load-balancing broker registers with.
pub const GUIDE_READY: &[u8] = b"READY";
/// What marks an error reply: harmless text to a client that does not know of it.
pub const ERROR_PREFIX: &[u8] = b"!cbw ";
/// Longest identity that ZMTP allows, bytes.
pub const IDENTITY_MAX: usize = 255;
/// Most frames of one message; more is malformed. Larger than any real program needs, small enough to bound the work.
pub const FRAMES_MAX: usize = 64;

/// How a worker registers, gets its work and replies. See `docs/protocol.md`, "Workers".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// The lab's worker: registers with two empty frames, gets `client, body…`.
    CbwShort,
    /// The lab's worker: registers with three empty frames, gets `client, '', body…`.
    CbwLong,
    /// The `ZeroMQ` Guide's load-balancing worker: registers with `READY`, gets `client, '', body…`.
    Guide,
    /// Paranoid Pirate, RFC 6: a DEALER with heartbeats.
    Ppp,
}

impl Dialect {
    /// The name that is shown in status, log lines and options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CbwShort => "cbw-short",
            Self::CbwLong => "cbw-long",
            Self::Guide => "guide",
            Self::Ppp => "ppp",
        }
    }

    /// Whether the worker is a REQ socket: it cannot heartbeat, and whatever it says shows that it is free.
    #[must_use]
    pub const fn is_req(self) -> bool {
        !matches!(self, Self::Ppp)
    }

    /// Whether an empty frame stands between the client's identity and the body.
    #[must_use]
    pub const fn has_delimiter(self) -> bool {
        !matches!(self, Self::CbwShort)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a message cannot be understood. It is dropped, counted and traced; it never stops the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// There are fewer frames than the shortest message of this port has.
    TooFewFrames,
    /// There are more than [`FRAMES_MAX`] frames.
    TooManyFrames,
    /// The first frame is not an identity that ZMTP allows.
    BadIdentity,
    /// No empty frame separates the envelope from the body.
    NoDelimiter,
    /// Nothing follows the delimiter.
    NoBody,
    /// The frames are of no dialect.
    UnknownDialect,
}

impl Malformed {
    /// The reason in words, also the `reason` label of the metric.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooFewFrames => "too few frames",
            Self::TooManyFrames => "too many frames",
            Self::BadIdentity => "bad identity",
            Self::NoDelimiter => "no delimiter",
            Self::NoBody => "no body",
            Self::UnknownDialect => "unknown dialect",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Malformed {}

/// A client's request as the frontend's ROUTER sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<F> {
    /// The identity that the reply goes to.
    pub client: F,
    /// What stood between the identity and the delimiter; it comes back unchanged (`ZMQ_REQ_CORRELATE` numbers requests so).
    pub envelope: Vec<F>,
    /// The body's frames, at least one.
    pub body: Frames<F>,
}

/// Reads `[client, envelope…, '', body…]` and leaves `frames` empty.
pub fn request<F: Frame>(frames: &mut Vec<F>) -> Result<Request<F>, Malformed> {
    check(frames, 3)?;
    let delimiter = frames.iter().skip(1).position(|frame| frame.bytes().is_empty()).ok_or(Malformed::NoDelimiter)?;
    let mut rest = frames.drain(..);
    let client = rest.next().ok_or(Malformed::TooFewFrames)?;
    let envelope = rest.by_ref().take(delimiter).collect();
    rest.next();
    let body: Frames<F> = rest.collect();
    if body.is_empty() { Err(Malformed::NoBody) } else { Ok(Request { client, envelope, body }) }
}

/// What a worker says, without its identity.
#[derive(Debug, PartialEq, Eq)]
pub enum FromWorker<F> {
    /// It registers: it is there, and free.
    Ready(Dialect),
    /// It is alive (ppp only).
    Heartbeat,
    /// The answer to the request of `client`.
    Reply {
        /// The dialect that the frames are shaped in: what the worker is known for, or told from the shape.
        dialect: Dialect,
        /// Whose request it answers.
        client: F,
        /// The body's frames, at least one.
        body: Frames<F>,
    },
}

/// Reads what follows a worker's identity, in the dialect that it is known for; leaves `frames` empty.
///
/// A worker known as `cbw-long` or `guide` that answers without the second delimiter speaks `cbw-short` in truth (it was
/// adopted and its dialect guessed): the reply then says so, and its body is that of another question.
pub fn from_worker<F: Frame>(frames: &mut Vec<F>, known: Option<Dialect>) -> Result<(F, FromWorker<F>), Malformed> {
    check(frames, 2)?;
    let mut rest = frames.drain(..);
    let worker = rest.next().ok_or(Malformed::TooFewFrames)?;
    let first = rest.next().ok_or(Malformed::TooFewFrames)?;
    let said = if first.bytes().is_empty() { from_req(rest, known)? } else { from_ppp(first, rest)? };
    Ok((worker, said))
}

/// `'READY'`, `'', ''`, `'', '', ''`, `client, body…` or `client, '', body…`: what a REQ worker says after its delimiter.
fn from_req<F: Frame>(mut rest: std::vec::Drain<'_, F>, known: Option<Dialect>) -> Result<FromWorker<F>, Malformed> {
    let client = rest.next().ok_or(Malformed::TooFewFrames)?;
    let mut body: Frames<F> = rest.collect();
    if client.bytes().is_empty() {
        return match body.len() {
            1 if body[0].bytes().is_empty() => Ok(FromWorker::Ready(Dialect::CbwShort)),
            2 if body.iter().all(|frame| frame.bytes().is_empty()) => Ok(FromWorker::Ready(Dialect::CbwLong)),
            _ => Err(Malformed::UnknownDialect),
        };
    }
    if body.is_empty() {
        let ready = client.bytes() == GUIDE_READY;
        return if ready { Ok(FromWorker::Ready(Dialect::Guide)) } else { Err(Malformed::NoBody) };
    }
    if client.bytes().len() > IDENTITY_MAX {
        return Err(Malformed::BadIdentity);
    }
    let long = body.len() > 1 && body[0].bytes().is_empty();
    let dialect = match known {
        Some(Dialect::CbwShort) => Dialect::CbwShort,
        Some(Dialect::Guide) if long => Dialect::Guide,
        _ if long => Dialect::CbwLong,
        _ => Dialect::CbwShort,
    };
    if dialect.has_delimiter() {
        body.remove(0);
    }
    Ok(FromWorker::Reply { dialect, client, body })
}

/// `0x01`, `0x02` or `client, '', body…`: what a DEALER of RFC 6 says.
fn from_ppp<F: Frame>(first: F, mut rest: std::vec::Drain<'_, F>) -> Result<FromWorker<F>, Malformed> {
    let Some(delimiter) = rest.next() else {
        return match first.bytes() {
            PPP_READY => Ok(FromWorker::Ready(Dialect::Ppp)),
            PPP_HEARTBEAT => Ok(FromWorker::Heartbeat),
            _ => Err(Malformed::UnknownDialect),
        };
    };
    if !delimiter.bytes().is_empty() {
        return Err(Malformed::NoDelimiter);
    }
    if first.bytes().len() > IDENTITY_MAX {
        return Err(Malformed::BadIdentity);
    }
    let body: Frames<F> = rest.collect();
    if body.is_empty() { Err(Malformed::NoBody) } else { Ok(FromWorker::Reply { dialect: Dialect::Ppp, client: first, body }) }
}

/// Appends the reply for a client: `[client, envelope…, '', body…]`.
pub fn put_reply<F: Frame>(out: &mut Vec<F>, client: F, envelope: Vec<F>, body: Frames<F>) {
    out.push(client);
    out.extend(envelope);
    out.push(F::of(b""));
    out.extend(body);
}

/// Appends the work for a worker, in its dialect. The body is copied, since the request may have to be given again.
pub fn put_work<F: Frame>(out: &mut Vec<F>, worker: &[u8], dialect: Dialect, client: &[u8], body: &[F]) {
    out.push(F::of(worker));
    if dialect.is_req() {
        out.push(F::of(b""));
    }
    out.push(F::of(client));
    if dialect.has_delimiter() {
        out.push(F::of(b""));
    }
    out.extend(body.iter().map(|frame| F::of(frame.bytes())));
}

/// Why a client gets an error reply instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The queue is full; asking again later may succeed.
    Busy,
    /// The request was given to as many workers as it may, and none answered.
    Failed,
    /// The broker is stopping; another one, or the same after its restart, may answer.
    Stopping,
}

impl Refusal {
    /// The error reply, a body of one frame: `!cbw WORD SENTENCE`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Busy => "!cbw busy the broker's queue is full, ask again later",
            Self::Failed => "!cbw failed no worker answered in time",
            Self::Stopping => "!cbw failed the broker is stopping",
        }
    }

    /// The reply's body.
    #[must_use]
    pub fn body<F: Frame>(self) -> Frames<F> {
        SmallVec::from_buf([F::of(self.text().as_bytes())])
    }
}

/// The word of an error reply (`busy`, `failed`), when a reply's body is one.
#[must_use]
pub fn refusal_word<F: Frame>(body: &[F]) -> Option<&str> {
    let [only] = body else { return None };
    let text = std::str::from_utf8(only.bytes().strip_prefix(ERROR_PREFIX)?).ok()?;
    text.split(' ').next().filter(|word| !word.is_empty())
}

/// What every message must hold: enough frames, not too many, and an identity first.
fn check<F: Frame>(frames: &[F], least: usize) -> Result<(), Malformed> {
    match frames.first() {
        Some(identity) if identity.bytes().is_empty() || identity.bytes().len() > IDENTITY_MAX => Err(Malformed::BadIdentity),
        Some(_) if frames.len() > FRAMES_MAX => Err(Malformed::TooManyFrames),
        Some(_) if frames.len() >= least => Ok(()),
        _ => Err(Malformed::TooFewFrames),
    }
}
