//! The rules of `docs/protocol.md`, one by one. Frames are written as text, `""` being the empty delimiter.

use std::time::Duration;

use super::*;
use crate::wire::{Malformed, SocketType};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A frame that knows what kind of socket sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text(Vec<u8>, SocketType);

impl Frame for Text {
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

/// A broker and a clock that stands still until it is set.
struct Bench {
    broker: Broker<Text>,
    now: Duration,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { broker: Broker::new(config), now: Duration::ZERO }
    }

    fn default() -> Self {
        Self::new(Config::default())
    }

    /// Lets an event happen; what is sent for it, each message as text with its frames separated by `|`.
    fn event(&mut self, event: Event<'_, Text>) -> Vec<String> {
        let mut out = Outbox::default();
        self.broker.handle(self.now, event, &mut out, &mut ());
        let mut frames = out.frames.into_iter();
        let message = |(side, count): (Side, usize)| {
            let text: Vec<_> = frames.by_ref().take(count).map(|frame| String::from_utf8(frame.0).unwrap()).collect();
            format!("{} {}", if side == Side::Frontend { "F" } else { "B" }, text.join("|"))
        };
        out.messages.into_iter().map(message).collect()
    }

    fn client(&mut self, frames: &[&str]) -> Vec<String> {
        self.event(Event::FromClient(&mut text(frames, SocketType::Req)))
    }

    fn dealer(&mut self, frames: &[&str]) -> Vec<String> {
        self.event(Event::FromClient(&mut text(frames, SocketType::Dealer)))
    }

    fn worker(&mut self, frames: &[&str]) -> Vec<String> {
        self.event(Event::FromWorker(&mut text(frames, SocketType::Req)))
    }

    fn at(&mut self, now: Duration) -> Vec<String> {
        self.now = now;
        self.event(Event::Tick)
    }

    fn state(&self, worker: &str) -> Option<WorkerState> {
        let snapshot = self.broker.snapshot(self.now);
        snapshot.workers.iter().find(|status| status.id == worker.as_bytes()).map(|status| status.state)
    }
}

fn text(frames: &[&str], from: SocketType) -> Vec<Text> {
    frames.iter().map(|frame| Text(frame.as_bytes().to_vec(), from)).collect()
}

const NOTHING: [&str; 0] = [];
const PPP_READY: &str = "\u{1}";
const PPP_BEAT: &str = "\u{2}";

#[test]
fn every_dialect_gets_its_work_and_replies_in_its_own_form() {
    for (registration, work, reply) in [
        (&["w", "", "", ""][..], "B w||c|x|y", &["w", "", "c", "r", "s"][..]),
        (&["w", "", "", "", ""], "B w||c||x|y", &["w", "", "c", "", "r", "s"]),
        (&["w", "", "READY"], "B w||c||x|y", &["w", "", "c", "", "r", "s"]),
        (&["w", PPP_READY], "B w|c||x|y", &["w", "c", "", "r", "s"]),
    ] {
        let mut bench = Bench::default();
        assert_eq!(bench.worker(registration), NOTHING);
        assert_eq!(bench.client(&["c", "", "x", "y"]), [work]);
        assert_eq!(bench.worker(reply), ["F c||r|s"]);
    }
}

#[test]
fn the_worker_that_has_been_ready_longest_gets_the_request() {
    let mut bench = Bench::default();
    bench.worker(&["w1", "", "READY"]);
    bench.worker(&["w2", "", "READY"]);
    assert_eq!(bench.client(&["c1", "", "x"]), ["B w1||c1||x"]);
    bench.worker(&["w1", "", "c1", "", "x"]);
    assert_eq!(bench.client(&["c1", "", "x"]), ["B w2||c1||x"]);
}

#[test]
fn requests_wait_in_the_order_of_their_arrival() {
    let mut bench = Bench::default();
    assert_eq!(bench.client(&["c1", "", "x"]), NOTHING);
    assert_eq!(bench.client(&["c2", "", "y"]), NOTHING);
    assert_eq!(bench.worker(&["w", PPP_READY]), ["B w|c1||x"]);
    assert_eq!(bench.worker(&["w", "c1", "", "r"]), ["F c1||r", "B w|c2||y"]);
}

#[test]
fn the_envelope_comes_back() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    assert_eq!(bench.client(&["c", "7", "", "x"]), ["B w|c||x"]);
    assert_eq!(bench.worker(&["w", "c", "", "r"]), ["F c|7||r"]);
}

#[test]
fn a_late_request_is_given_to_another_worker_ahead_of_those_that_wait() {
    let mut bench = Bench::default();
    bench.worker(&["w1", "", "READY"]);
    bench.client(&["c1", "", "x"]);
    bench.client(&["c2", "", "y"]);
    assert_eq!(bench.broker.next_timeout(), Some(MS(2000)));
    assert_eq!(bench.at(MS(1999)), NOTHING);
    assert_eq!(bench.at(MS(2000)), NOTHING);
    assert_eq!(bench.state("w1"), Some(WorkerState::Late));
    assert_eq!(bench.worker(&["w2", "", "READY"]), ["B w2||c1||x"]);
}

#[test]
fn the_first_answer_wins_and_a_late_worker_is_ready_again() {
    let mut bench = Bench::default();
    bench.worker(&["w1", "", "READY"]);
    bench.worker(&["w2", "", "READY"]);
    bench.client(&["c", "", "x"]);
    assert_eq!(bench.at(MS(2000)), ["B w2||c||x"]);
    // The late answer is the first one; the other worker's is dropped, although it is in time.
    assert_eq!(bench.worker(&["w1", "", "c", "", "one"]), ["F c||one"]);
    assert_eq!(bench.worker(&["w2", "", "c", "", "two"]), NOTHING);
    assert_eq!(bench.broker.counters().late_replies, 1);
    assert_eq!((bench.state("w1"), bench.state("w2")), (Some(WorkerState::Ready), Some(WorkerState::Ready)));
}

#[test]
fn a_poison_request_kills_one_worker_a_turn_and_then_fails() {
    let mut bench = Bench::new(Config { retries: 2, ..Config::default() });
    for worker in ["w1", "w2", "w3", "w4"] {
        bench.worker(&[worker, PPP_READY]);
    }
    assert_eq!(bench.client(&["c", "", "poison"]), ["B w1|c||poison"]);
    assert_eq!(bench.event(Event::WorkerGone(b"w1")), ["B w2|c||poison"]);
    assert_eq!(bench.event(Event::WorkerGone(b"w2")), ["B w3|c||poison"]);
    assert_eq!(bench.event(Event::WorkerGone(b"w3")), ["F c||!cbw failed no worker answered in time"]);
    assert_eq!(bench.state("w4"), Some(WorkerState::Ready));
}

#[test]
fn an_unreachable_worker_costs_no_time_and_no_attempt() {
    let mut bench = Bench::new(Config { retries: 0, ..Config::default() });
    for worker in ["w1", "w2", "w3"] {
        bench.worker(&[worker, PPP_READY]);
    }
    bench.client(&["c", "", "x"]);
    assert_eq!(bench.event(Event::Undelivered { worker: b"w1", work: true }), ["B w2|c||x"]);
    assert_eq!(bench.event(Event::Undelivered { worker: b"w2", work: true }), ["B w3|c||x"]);
    assert_eq!(bench.worker(&["w3", "c", "", "r"]), ["F c||r"]);
}

#[test]
fn a_req_client_that_asks_again_withdraws_its_earlier_request() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c", "", "old"]);
    assert_eq!(bench.client(&["c", "", "new"]), NOTHING);
    assert_eq!(bench.worker(&["w", "c", "", "old answer"]), ["B w|c||new"]);
    assert_eq!(bench.worker(&["w", "c", "", "new answer"]), ["F c||new answer"]);
    assert_eq!(bench.broker.counters().withdrawn, 1);
}

#[test]
fn a_dealer_may_have_many_requests_open() {
    let mut bench = Bench::default();
    for number in ["1", "2", "3"] {
        bench.dealer(&["c", number, "", "x"]);
    }
    assert_eq!(bench.worker(&["w1", PPP_READY]), ["B w1|c||x"]);
    assert_eq!(bench.worker(&["w2", PPP_READY]), ["B w2|c||x"]);
    assert_eq!(bench.worker(&["w2", "c", "", "r"]), ["F c|2||r", "B w2|c||x"]);
    assert_eq!(bench.worker(&["w1", "c", "", "r"]), ["F c|1||r"]);
    assert_eq!(bench.worker(&["w2", "c", "", "r"]), ["F c|3||r"]);
}

#[test]
fn a_full_queue_answers_busy() {
    let mut bench = Bench::new(Config { queue: 1, ..Config::default() });
    bench.client(&["c1", "", "x"]);
    assert_eq!(bench.client(&["c2", "7", "", "x"]), ["F c2|7||!cbw busy the broker's queue is full, ask again later"]);
    // A client that asks again takes its own place.
    assert_eq!(bench.client(&["c1", "", "y"]), NOTHING);
    assert_eq!(bench.worker(&["w", PPP_READY]), ["B w|c1||y"]);
}

#[test]
fn bytes_are_bounded_too_but_one_request_alone_may_be_large() {
    let mut bench = Bench::new(Config { queue_bytes: 10, ..Config::default() });
    assert_eq!(bench.client(&["c1", "", "much more than ten bytes"]), NOTHING);
    assert_eq!(bench.client(&["c2", "", "x"]), ["F c2||!cbw busy the broker's queue is full, ask again later"]);
    bench.worker(&["w", PPP_READY]);
    bench.worker(&["w", "c1", "", "r"]);
    assert_eq!(bench.broker.snapshot(bench.now).held_bytes, 0);
}

#[test]
fn a_worker_that_registers_anew_has_lost_its_work() {
    let mut bench = Bench::default();
    bench.worker(&["w", "", "", ""]);
    bench.client(&["c", "", "x"]);
    assert_eq!(bench.worker(&["w", "", "", ""]), ["B w||c#0.2|x"]);
    assert_eq!(bench.worker(&["w", "", "c#0.2", "r"]), ["F c||r"]);
}

#[test]
fn a_worker_that_got_its_work_twice_does_not_answer_the_next_request_with_it() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    assert_eq!(bench.client(&["c", "", "x"]), ["B w|c||x"]);
    // Its new connection had the identity already when the work was sent, and its registration comes after that.
    assert_eq!(bench.worker(&["w", PPP_READY]), ["B w|c#0.2||x"]);
    assert_eq!(bench.worker(&["w", "c", "", "r"]), NOTHING);
    assert_eq!(bench.worker(&["w", "c#0.2", "", "r"]), ["F c||r"]);
    assert_eq!(bench.client(&["c", "", "y"]), ["B w|c||y"]);
}

#[test]
fn a_ppp_worker_that_falls_silent_is_dropped_and_one_that_speaks_is_taken() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    assert_eq!(bench.at(MS(1000)), [format!("B w|{PPP_BEAT}")]);
    bench.at(MS(2500));
    bench.worker(&["w", PPP_BEAT]);
    bench.at(MS(5499));
    assert_eq!(bench.state("w"), Some(WorkerState::Ready));
    bench.at(MS(5500));
    assert_eq!(bench.state("w"), None);
    bench.worker(&["w", PPP_BEAT]);
    assert_eq!(bench.state("w"), Some(WorkerState::Ready));
}

#[test]
fn a_ppp_worker_need_not_send_heartbeats_while_it_works() {
    let mut bench = Bench::new(Config { deadline: MS(10_000), ..Config::default() });
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c", "", "x"]);
    bench.at(MS(9000));
    assert_eq!(bench.worker(&["w", "c", "", "r"]), ["F c||r"]);
    assert_eq!(bench.state("w"), Some(WorkerState::Ready));
}

#[test]
fn a_silent_req_worker_is_adopted_after_the_deadline() {
    let mut bench = Bench::default();
    bench.event(Event::WorkerSeen(b"w"));
    assert_eq!(bench.client(&["c", "", "x"]), NOTHING);
    assert_eq!(bench.state("w"), Some(WorkerState::Seen));
    // It may still answer a request of the earlier broker, so the client is named in a way that was never used before.
    assert_eq!(bench.at(MS(2000)), ["B w||c#0.1||x"]);
    assert_eq!(bench.worker(&["w", "", "c#0.1", "", "r"]), ["F c||r"]);
    assert_eq!(bench.client(&["c", "", "y"]), ["B w||c||y"]);
}

#[test]
fn the_first_answer_of_an_adopted_worker_tells_its_dialect() {
    let mut bench = Bench::default();
    bench.event(Event::WorkerSeen(b"w"));
    bench.client(&["c", "", "x"]);
    assert_eq!(bench.at(MS(2000)), ["B w||c#0.1||x"]);
    // A worker of the short form took the delimiter for the question.
    assert_eq!(bench.worker(&["w", "", "c#0.1", "answer to nothing"]), ["B w||c|x"]);
    assert_eq!(bench.worker(&["w", "", "c", "r"]), ["F c||r"]);
}

#[test]
fn an_answer_for_an_earlier_broker_is_dropped_and_the_work_given_again() {
    let mut bench = Bench::default();
    bench.event(Event::WorkerSeen(b"w"));
    bench.client(&["c", "", "x"]);
    bench.at(MS(2000));
    assert_eq!(bench.worker(&["w", "", "c", "", "an old answer"]), ["B w||c||x"]);
    assert_eq!(bench.broker.counters().unasked_replies, 1);
}

#[test]
fn a_req_worker_whose_connection_broke_is_tried_again_and_never_trusted() {
    let mut bench = Bench::default();
    bench.worker(&["w", "", "READY"]);
    bench.event(Event::WorkerGone(b"w"));
    assert_eq!(bench.state("w"), Some(WorkerState::Seen));
    assert_eq!(bench.client(&["c", "", "x"]), NOTHING);
    assert_eq!(bench.at(MS(2000)), ["B w||c#0.1||x"]);
    assert_eq!(bench.event(Event::Undelivered { worker: b"w", work: true }), NOTHING);
    assert_eq!(bench.at(MS(4000)), ["B w||c#0.2||x"]);
    assert_eq!(bench.worker(&["w", "", "c#0.2", "", "r"]), ["F c||r"]);
}

#[test]
fn malformed_messages_are_counted_and_dropped() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    for frames in [&["c"][..], &["c", "x"], &["c", "x", "y"], &["c", ""], &[]] {
        assert_eq!(bench.client(frames), NOTHING);
        assert_eq!(bench.worker(frames), NOTHING);
    }
    assert_eq!(bench.worker(&["w", "c", "", "never asked"]), NOTHING);
    assert_eq!(bench.broker.counters().malformed, 10);
    assert_eq!(bench.broker.counters().unasked_replies, 1);
    assert_eq!(bench.client(&["c", "", "x"]), ["B w|c||x"]);
    assert_eq!(Malformed::NoDelimiter.reason(), "no delimiter");
}

#[test]
fn requests_of_clients_that_cannot_return_are_dropped() {
    let mut bench = Bench::default();
    bench.client(&["\0made up by libzmq", "", "x"]);
    bench.client(&["named", "", "y"]);
    bench.event(Event::ClientGone(b"\0made up by libzmq"));
    bench.event(Event::ClientGone(b"named"));
    assert_eq!(bench.worker(&["w", PPP_READY]), ["B w|named||y"]);
    assert_eq!(bench.broker.counters().client_gone, 1);
}

#[test]
fn a_req_client_that_comes_back_gets_no_answer_to_its_old_question() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c", "", "old"]);
    bench.event(Event::ClientGone(b"c"));
    // Its answer waits for what the client does next.
    assert_eq!(bench.worker(&["w", "c", "", "old answer"]), NOTHING);
    assert_eq!(bench.client(&["c", "", "new"]), ["B w|c||new"]);
    assert_eq!(bench.worker(&["w", "c", "", "new answer"]), ["F c||new answer"]);
}

#[test]
fn a_req_client_whose_connection_only_broke_gets_its_answer_a_moment_later() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c", "7", "", "x"]);
    bench.event(Event::ClientGone(b"c"));
    assert_eq!(bench.worker(&["w", "c", "", "r"]), NOTHING);
    assert_eq!(bench.at(MS(249)), NOTHING);
    assert_eq!(bench.at(MS(250)), ["F c|7||r"]);
    assert_eq!(bench.broker.snapshot(bench.now).held_bytes, 0);
}

#[test]
fn draining_finishes_the_work_in_hand_and_refuses_the_rest() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c1", "", "x"]);
    bench.client(&["c2", "", "y"]);
    assert_eq!(bench.event(Event::Drain { until: MS(1000) }), NOTHING);
    assert_eq!(bench.client(&["c3", "", "z"]), ["F c3||!cbw failed the broker is stopping"]);
    assert_eq!(bench.worker(&["w", "c1", "", "r"]), ["F c1||r", "B w|c2||y"]);
    assert!(!bench.broker.is_drained());
    assert_eq!(bench.broker.next_timeout(), Some(MS(1000)));
    let last: Vec<_> = bench.at(MS(1000)).into_iter().filter(|sent| sent.starts_with('F')).collect();
    assert_eq!(last, ["F c2||!cbw failed the broker is stopping"]);
    assert!(bench.broker.is_drained());
}

#[test]
fn draining_waits_for_nobody_when_there_are_no_workers() {
    let mut bench = Bench::default();
    bench.client(&["c", "", "x"]);
    assert_eq!(bench.event(Event::Drain { until: MS(4000) }), ["F c||!cbw failed the broker is stopping"]);
    assert!(bench.broker.is_drained());
}

#[test]
fn a_ppp_worker_that_lost_its_work_is_not_late_for_ever() {
    let mut bench = Bench::default();
    bench.worker(&["w", PPP_READY]);
    bench.client(&["c", "", "x"]);
    for second in 1..=21 {
        bench.at(MS(second * 1000));
        bench.worker(&["w", PPP_BEAT]);
        assert_eq!(bench.state("w"), Some(if second < 2 { WorkerState::Working } else { WorkerState::Late }));
    }
    bench.at(MS(22_000));
    assert_eq!(bench.worker(&["w", PPP_BEAT]), ["B w|c#0.2||x"]);
}
