//! Each dialect's messages as they stand in `docs/protocol.md`, and any frames at all.

use proptest::prelude::*;
use smallvec::smallvec;

use super::peer::{self, ToWorker, WorkerSays};
use super::*;

type Bytes = Vec<u8>;

/// Frames from text; `''` is the empty delimiter.
fn frames(parts: &[&str]) -> Vec<Bytes> {
    parts.iter().map(|part| part.as_bytes().to_vec()).collect()
}

fn one(part: &str) -> Frames<Bytes> {
    smallvec![part.as_bytes().to_vec()]
}

#[test]
fn a_request_keeps_its_body_frames_and_its_envelope() {
    let got = request(&mut frames(&["CLI_1", "", "a", "", "b"])).unwrap();
    assert_eq!(got.client, b"CLI_1");
    assert!(got.envelope.is_empty());
    assert_eq!(got.body.to_vec(), frames(&["a", "", "b"]));

    let correlated = request(&mut frames(&["CLI_1", "\0\0\0\u{7}", "", "a"])).unwrap();
    assert_eq!(correlated.envelope, frames(&["\0\0\0\u{7}"]));
    assert_eq!(correlated.body.to_vec(), frames(&["a"]));
}

#[test]
fn a_request_of_one_empty_frame_is_a_request() {
    assert_eq!(request(&mut frames(&["c", "", ""])).unwrap().body.to_vec(), frames(&[""]));
}

#[test]
fn what_is_no_request_says_why() {
    for (parts, why) in [
        (&["c"][..], Malformed::TooFewFrames),
        (&["c", ""], Malformed::TooFewFrames),
        (&["c", "a", "b"], Malformed::NoDelimiter),
        (&["c", "a", ""], Malformed::NoBody),
        (&["", "", "a"], Malformed::BadIdentity),
        (&[], Malformed::TooFewFrames),
    ] {
        assert_eq!(request(&mut frames(parts)), Err(why), "{parts:?}");
    }
    assert_eq!(request(&mut frames(&["x"; FRAMES_MAX + 1])), Err(Malformed::TooManyFrames));
}

#[test]
fn a_registration_tells_the_dialect() {
    for (parts, dialect) in [
        (&["w", "", "", ""][..], Dialect::CbwShort),
        (&["w", "", "", "", ""], Dialect::CbwLong),
        (&["w", "", "READY"], Dialect::Guide),
        (&["w", "\u{1}"], Dialect::Ppp),
    ] {
        let (worker, said) = from_worker(&mut frames(parts), None).unwrap();
        assert_eq!((worker.as_slice(), said), (&b"w"[..], FromWorker::Ready(dialect)));
    }
    assert_eq!(from_worker(&mut frames(&["w", "\u{2}"]), None).unwrap().1, FromWorker::Heartbeat);
}

#[test]
fn a_reply_is_read_in_the_workers_dialect() {
    for (parts, known, body) in [
        (&["w", "", "c", "x"][..], Dialect::CbwShort, &["x"][..]),
        (&["w", "", "c", "", "x"], Dialect::CbwShort, &["", "x"]),
        (&["w", "", "c", "", "x", "y"], Dialect::CbwLong, &["x", "y"]),
        (&["w", "", "c", "", "x"], Dialect::Guide, &["x"]),
        (&["w", "c", "", "x"], Dialect::Ppp, &["x"]),
    ] {
        let (_, said) = from_worker(&mut frames(parts), Some(known)).unwrap();
        let body = frames(body).into();
        assert_eq!(said, FromWorker::Reply { dialect: known, client: b"c".to_vec(), body });
    }
}

#[test]
fn the_shape_of_a_reply_corrects_a_guessed_dialect() {
    let (_, said) = from_worker(&mut frames(&["w", "", "c", "x"]), Some(Dialect::CbwLong)).unwrap();
    assert_eq!(said, FromWorker::Reply { dialect: Dialect::CbwShort, client: b"c".to_vec(), body: one("x") });
}

#[test]
fn an_error_reply_is_told_from_an_answer() {
    assert_eq!(refusal_word(&Refusal::Busy.body::<Bytes>()), Some("busy"));
    assert_eq!(refusal_word(&Refusal::Failed.body::<Bytes>()), Some("failed"));
    assert_eq!(refusal_word(&[b"busy".to_vec()]), None);
    assert_eq!(refusal_word(&[b"!cbw ".to_vec()]), None);
    assert_eq!(refusal_word(&frames(&["!cbw busy", "x"])), None);
}

fn any_frames() -> impl Strategy<Value = Vec<Bytes>> {
    let short = prop_oneof![
        3 => Just(Bytes::new()),
        1 => Just(PPP_READY.to_vec()),
        1 => Just(PPP_HEARTBEAT.to_vec()),
        1 => Just(GUIDE_READY.to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..300),
    ];
    prop::collection::vec(short, 0..80)
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop::sample::select(vec![Dialect::CbwShort, Dialect::CbwLong, Dialect::Guide, Dialect::Ppp])
}

fn identity() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 1..=20)
}

fn body() -> impl Strategy<Value = Vec<Bytes>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5)
}

proptest! {
    #[test]
    fn any_frames_are_read_without_panic(input in any_frames(), known in prop::option::of(dialects())) {
        let _ = request(&mut input.clone());
        let _ = from_worker(&mut input.clone(), known);
        let _ = peer::to_worker(&mut input.clone());
        let _ = peer::client_reply(&mut input.clone());
        let _ = refusal_word(&input);
    }

    /// What the broker gives to a worker of RFC 6 is what that worker reads, and its answer is what the broker reads.
    #[test]
    fn work_goes_to_a_ppp_worker_and_back(worker in identity(), client in identity(), body in body()) {
        let mut out = Vec::new();
        put_work(&mut out, &worker, Dialect::Ppp, &client, &body);
        prop_assert_eq!(out.remove(0), worker.clone());
        let heard = peer::to_worker(&mut out).unwrap();
        prop_assert_eq!(heard, ToWorker::Work { client: client.clone(), body: body.clone().into() });

        let mut answer = vec![worker];
        answer.extend(peer::worker_says(WorkerSays::Reply { client: client.clone(), body: body.clone().into() }));
        let (_, said) = from_worker(&mut answer, Some(Dialect::Ppp)).unwrap();
        prop_assert_eq!(said, FromWorker::Reply { dialect: Dialect::Ppp, client, body: body.into() });
    }

    /// A REQ worker that sends its work back unchanged is understood in its own dialect.
    #[test]
    fn work_echoed_by_a_req_worker_is_its_reply(
        worker in identity(), client in identity(), dialect in dialects(), body in body()
    ) {
        prop_assume!(client != GUIDE_READY);
        let mut out = Vec::new();
        put_work(&mut out, &worker, dialect, &client, &body);
        let (_, said) = from_worker(&mut out, Some(dialect)).unwrap();
        prop_assert_eq!(said, FromWorker::Reply { dialect, client, body: body.into() });
    }

    /// A client hears the envelope and the body that it sent, whatever they are.
    #[test]
    fn a_request_and_its_reply_keep_envelope_and_body(
        client in identity(), envelope in prop::collection::vec(identity(), 0..3), body in body()
    ) {
        let mut sent = vec![client.clone()];
        sent.extend(peer::client_request(envelope.clone().into(), body.clone().into()));
        let got = request(&mut sent).unwrap();
        prop_assert_eq!(&got.client, &client);
        let mut out = Vec::new();
        put_reply(&mut out, got.client, got.envelope, got.body);
        prop_assert_eq!(out.remove(0), client);
        let heard = peer::client_reply(&mut out).unwrap();
        prop_assert_eq!((heard.0.into_vec(), heard.1.into_vec()), (envelope, body));
    }
}
