//! The peers' own side: what a worker of RFC 6 and a client say and hear, without any identity of their own.

use super::{FRAMES_MAX, Frame, Frames, IDENTITY_MAX, Malformed, PPP_HEARTBEAT, PPP_READY};

/// What a ppp worker's DEALER hears from the broker.
#[derive(Debug, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// The broker is alive.
    Heartbeat,
    /// A request to answer.
    Work {
        /// Goes back unchanged with the answer.
        client: F,
        /// The body's frames, at least one.
        body: Frames<F>,
    },
}

/// Reads `[0x02]` or `[client, '', body…]` and leaves `frames` empty.
pub fn to_worker<F: Frame>(frames: &mut Vec<F>) -> Result<ToWorker<F>, Malformed> {
    if frames.len() > FRAMES_MAX {
        frames.clear();
        return Err(Malformed::TooManyFrames);
    }
    let mut rest = frames.drain(..);
    let client = rest.next().ok_or(Malformed::TooFewFrames)?;
    let Some(delimiter) = rest.next() else {
        let heartbeat = client.bytes() == PPP_HEARTBEAT;
        return if heartbeat { Ok(ToWorker::Heartbeat) } else { Err(Malformed::UnknownDialect) };
    };
    if !delimiter.bytes().is_empty() {
        return Err(Malformed::NoDelimiter);
    }
    if client.bytes().is_empty() || client.bytes().len() > IDENTITY_MAX {
        return Err(Malformed::BadIdentity);
    }
    let body: Frames<F> = rest.collect();
    if body.is_empty() { Err(Malformed::NoBody) } else { Ok(ToWorker::Work { client, body }) }
}

/// What a ppp worker says to the broker.
#[derive(Debug, PartialEq, Eq)]
pub enum WorkerSays<F> {
    /// It registers: it is there, and free.
    Ready,
    /// It is alive.
    Heartbeat,
    /// The answer to the request of `client`.
    Reply {
        /// As it came with the work.
        client: F,
        /// The body's frames, at least one.
        body: Frames<F>,
    },
}

/// The frames of what a ppp worker says: `[0x01]`, `[0x02]` or `[client, '', body…]`.
#[must_use]
pub fn worker_says<F: Frame>(said: WorkerSays<F>) -> Vec<F> {
    match said {
        WorkerSays::Ready => vec![F::of(PPP_READY)],
        WorkerSays::Heartbeat => vec![F::of(PPP_HEARTBEAT)],
        WorkerSays::Reply { client, body } => {
            let mut frames = Vec::with_capacity(body.len() + 2);
            frames.push(client);
            frames.push(F::of(b""));
            frames.extend(body);
            frames
        }
    }
}

/// A client's request as a DEALER sends it: `[envelope…, '', body…]`. An envelope comes back unchanged, so a request
/// number in it ties each reply to its request.
#[must_use]
pub fn client_request<F: Frame>(envelope: Frames<F>, body: Frames<F>) -> Vec<F> {
    let mut frames = Vec::with_capacity(envelope.len() + body.len() + 1);
    frames.extend(envelope);
    frames.push(F::of(b""));
    frames.extend(body);
    frames
}

/// Reads the reply to a DEALER, `[envelope…, '', body…]`, into envelope and body, and leaves `frames` empty.
pub fn client_reply<F: Frame>(frames: &mut Vec<F>) -> Result<(Frames<F>, Frames<F>), Malformed> {
    if frames.len() > FRAMES_MAX {
        frames.clear();
        return Err(Malformed::TooManyFrames);
    }
    let Some(delimiter) = frames.iter().position(|frame| frame.bytes().is_empty()) else {
        frames.clear();
        return Err(Malformed::NoDelimiter);
    };
    let mut rest = frames.drain(..);
    let envelope = rest.by_ref().take(delimiter).collect();
    rest.next();
    let body: Frames<F> = rest.collect();
    if body.is_empty() { Err(Malformed::NoBody) } else { Ok((envelope, body)) }
}
