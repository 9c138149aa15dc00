//! What the worker says and hears in each dialect, without its identity.
//!
//! Its own is RFC 6; the others let it work for brokers that only know REQ workers: the lab's, and the load-balancing ones
//! of the Guide. It then sends itself the empty frame that a REQ socket would send.

use crate::wire::peer::{ToWorker, WorkerSays, to_worker, worker_says};
use crate::wire::{Dialect, FRAMES_MAX, Frame, Frames, GUIDE_READY, IDENTITY_MAX, Malformed};

/// The registration.
#[must_use]
pub fn ready<F: Frame>(dialect: Dialect) -> Vec<F> {
    let frames: &[&[u8]] = match dialect {
        Dialect::Ppp => return worker_says(WorkerSays::Ready),
        Dialect::CbwShort => &[b"", b"", b""],
        Dialect::CbwLong => &[b"", b"", b"", b""],
        Dialect::Guide => &[b"", GUIDE_READY],
    };
    frames.iter().map(|frame| F::of(frame)).collect()
}

/// The sign of life; REQ workers have none.
#[must_use]
pub fn heartbeat<F: Frame>(dialect: Dialect) -> Option<Vec<F>> {
    (!dialect.is_req()).then(|| worker_says(WorkerSays::Heartbeat))
}

/// The answer to `client`.
pub fn reply<F: Frame>(dialect: Dialect, client: F, body: Frames<F>) -> Vec<F> {
    if !dialect.is_req() {
        return worker_says(WorkerSays::Reply { client, body });
    }
    let mut frames = vec![F::of(b""), client];
    if dialect.has_delimiter() {
        frames.push(F::of(b""));
    }
    frames.extend(body);
    frames
}

/// What the broker said.
pub fn understand<F: Frame>(dialect: Dialect, mut frames: Vec<F>) -> Result<ToWorker<F>, Malformed> {
    if !dialect.is_req() {
        return to_worker(&mut frames);
    }
    if frames.len() > FRAMES_MAX {
        return Err(Malformed::TooManyFrames);
    }
    let mut rest = frames.into_iter();
    empty(rest.next())?;
    let client = rest.next().ok_or(Malformed::TooFewFrames)?;
    if client.bytes().is_empty() || client.bytes().len() > IDENTITY_MAX {
        return Err(Malformed::BadIdentity);
    }
    if dialect.has_delimiter() {
        empty(rest.next())?;
    }
    let body: Frames<F> = rest.collect();
    if body.is_empty() { Err(Malformed::NoBody) } else { Ok(ToWorker::Work { client, body }) }
}

fn empty<F: Frame>(frame: Option<F>) -> Result<(), Malformed> {
    let frame = frame.ok_or(Malformed::TooFewFrames)?;
    if frame.bytes().is_empty() { Ok(()) } else { Err(Malformed::NoDelimiter) }
}

/// Reads a dialect by its name.
pub fn parse(name: &str) -> Result<Dialect, String> {
    let all = [Dialect::Ppp, Dialect::CbwShort, Dialect::CbwLong, Dialect::Guide];
    all.into_iter().find(|dialect| dialect.name() == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|dialect| format!("`{dialect}`")).collect();
        format!("`{name}` is no dialect; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smallvec::smallvec;

    use super::*;
    use crate::wire::{FromWorker, from_worker, put_work};

    const ALL: [Dialect; 4] = [Dialect::Ppp, Dialect::CbwShort, Dialect::CbwLong, Dialect::Guide];

    /// What the broker's side of the wire makes of it.
    fn at_the_broker(mut frames: Vec<Vec<u8>>, known: Option<Dialect>) -> FromWorker<Vec<u8>> {
        frames.insert(0, b"wor".to_vec());
        from_worker(&mut frames, known).unwrap().1
    }

    #[test]
    fn the_broker_understands_every_dialect() {
        for dialect in ALL {
            assert_eq!(at_the_broker(ready(dialect), None), FromWorker::Ready(dialect));
            let (client, body): (Vec<u8>, Frames<Vec<u8>>) = (b"cli".to_vec(), smallvec![b"one".to_vec(), vec![], b"three".to_vec()]);
            let said = at_the_broker(reply(dialect, client.clone(), body.clone()), Some(dialect));
            assert_eq!(said, FromWorker::Reply { dialect, client: client.clone(), body: body.clone() });
            let mut work = Vec::new();
            put_work(&mut work, b"wor", dialect, &client, &body);
            work.remove(0);
            assert_eq!(understand(dialect, work), Ok(ToWorker::Work { client, body }));
            assert_eq!(parse(dialect.name()), Ok(dialect));
        }
    }

    proptest! {
        #[test]
        fn any_frames_are_work_or_malformed(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3), 0..6)) {
            for dialect in ALL {
                let _ = understand(dialect, frames.clone());
            }
        }
    }
}
