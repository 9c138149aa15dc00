use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;

use super::{Action, Event, HEARTBEAT, LIVENESS, RECONNECT, Worker};
use crate::backoff::Backoff;
use crate::wire::Dialect;

type Frame = Vec<u8>;
type Actions = Vec<Action<Frame>>;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn frames(texts: &[&str]) -> Vec<Frame> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn send(texts: &[&str]) -> Action<Frame> {
    Action::Send(frames(texts))
}

fn begin(job: u64, client: &str, body: &str) -> Action<Frame> {
    Action::Begin { job, client: client.into(), body: smallvec![body.into()] }
}

struct Bench {
    worker: Worker<Frame>,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        Self::speaking(Dialect::Ppp)
    }

    fn speaking(dialect: Dialect) -> Self {
        Self { worker: Worker::new(dialect, Backoff::seeded(RECONNECT.0, RECONNECT.1, 1)), now: Duration::ZERO }
    }

    /// A worker that is connected and registered.
    fn registered() -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.handle(Event::Tick), [Action::Connect]);
        assert_eq!(bench.handle(Event::Up), [send(&["\u{1}"])]);
        bench
    }

    fn handle(&mut self, event: Event<Frame>) -> Actions {
        let mut actions = Actions::new();
        self.worker.handle(self.now, event, &mut actions);
        actions
    }

    fn hear(&mut self, texts: &[&str]) -> Actions {
        self.handle(Event::Heard(frames(texts)))
    }

    fn done(&mut self, job: u64, body: &str) -> Actions {
        self.handle(Event::Done(job, smallvec![body.into()]))
    }

    /// Lets time pass, tick by tick; what happened in it.
    fn pass(&mut self, time: Duration) -> Actions {
        let (end, mut actions) = (self.now + time, Actions::new());
        while self.worker.next_timeout() <= end {
            self.now = self.now.max(self.worker.next_timeout());
            let before = actions.len();
            self.worker.handle(self.now, Event::Tick, &mut actions);
            assert!(actions.len() > before, "a timeout that does nothing spins");
        }
        self.now = end;
        actions
    }
}

#[test]
fn a_request_is_answered_to_the_client_that_asked() {
    let mut bench = Bench::registered();
    assert_eq!(bench.hear(&["cli", "", "cli-1"]), [begin(1, "cli", "cli-1")]);
    assert_eq!(bench.done(1, "cli-1 wor"), [send(&["cli", "", "cli-1 wor"])]);
}

#[test]
fn heartbeats_go_on_during_long_work() {
    let mut bench = Bench::registered();
    bench.hear(&["cli", "", "long"]);
    assert_eq!(bench.pass(10 * S), vec![send(&["\u{2}"]); 10]);
    assert_eq!(bench.done(1, "done"), [send(&["cli", "", "done"])]);
}

#[test]
fn a_silent_broker_is_left_and_registered_with_again() {
    let mut bench = Bench::registered();
    let actions = bench.pass(HEARTBEAT * LIVENESS + 100 * MS);
    assert_eq!(actions[actions.len() - 2..], [Action::Disconnect, Action::Connect]);
    assert_eq!(bench.handle(Event::Up), [send(&["\u{1}"])]);
}

#[test]
fn heartbeats_keep_the_connection() {
    let mut bench = Bench::registered();
    for _ in 0..100 {
        assert!(bench.pass(S).iter().all(|action| *action == send(&["\u{2}"])));
        bench.hear(&["\u{2}"]);
    }
}

#[test]
fn a_broker_that_is_away_is_tried_every_second() {
    let mut bench = Bench::new();
    let mut attempts = 0;
    let mut actions = bench.handle(Event::Tick);
    for _ in 0..600 {
        attempts += actions.iter().filter(|action| **action == Action::Connect).count();
        bench.handle(Event::Down);
        actions = bench.pass(100 * MS);
    }
    assert!((50..130).contains(&attempts), "{attempts} attempts in a minute");
}

#[test]
fn an_answer_is_not_sent_on_another_connection() {
    let mut bench = Bench::registered();
    bench.hear(&["cli", "", "long"]);
    assert_eq!(bench.handle(Event::Down), [Action::Disconnect]);
    assert_eq!(bench.pass(S), [Action::Connect]);
    assert_eq!(bench.handle(Event::Up), [], "a busy worker does not ask for work");
    assert_eq!(bench.done(1, "late"), [send(&["\u{1}"])]);
    assert_eq!(bench.worker.counters().stale, 1);
}

#[test]
fn work_for_a_busy_worker_waits_its_turn() {
    let mut bench = Bench::registered();
    assert_eq!(bench.hear(&["a", "", "1"]), [begin(1, "a", "1")]);
    assert_eq!(bench.hear(&["b", "", "2"]), []);
    assert_eq!(bench.done(1, "one"), [send(&["a", "", "one"]), begin(2, "b", "2")]);
    assert_eq!(bench.done(2, "two"), [send(&["b", "", "two"])]);
}

#[test]
fn a_broker_of_req_workers_is_not_left_for_its_silence() {
    let mut bench = Bench::speaking(Dialect::CbwShort);
    bench.handle(Event::Tick);
    assert_eq!(bench.handle(Event::Up), [send(&["", "", ""])]);
    assert_eq!(bench.pass(3600 * S), []);
    assert_eq!(bench.hear(&["", "cli", "1"]), [begin(1, "cli", "1")]);
    assert_eq!(bench.done(1, "one"), [send(&["", "cli", "one"])]);
    assert_eq!(bench.handle(Event::Down), [Action::Disconnect]);
    assert_eq!(bench.pass(S), [Action::Connect]);
    assert_eq!(bench.handle(Event::Up), [send(&["", "", ""])], "it registers again, as a REQ socket would not");
}

#[test]
fn a_stop_waits_for_the_request_in_hand() {
    let mut bench = Bench::registered();
    bench.hear(&["cli", "", "1"]);
    assert_eq!(bench.handle(Event::Stop { until: 4 * S }), []);
    assert_eq!(bench.done(1, "one"), [send(&["cli", "", "one"]), Action::End]);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut bench = Bench::registered();
    bench.hear(&["cli", "", "1"]);
    bench.handle(Event::Stop { until: 4 * S });
    assert_eq!(bench.pass(4 * S).last(), Some(&Action::End));
}

#[test]
fn an_idle_worker_stops_at_once() {
    assert_eq!(Bench::registered().handle(Event::Stop { until: 4 * S }), [Action::End]);
    assert_eq!(Bench::new().handle(Event::Stop { until: 4 * S }), [Action::End]);
}

/// Anything that can happen, in any order.
fn any_event() -> impl Strategy<Value = (Event<Frame>, Duration)> {
    let frame = prop_oneof![Just(vec![]), Just(vec![2]), proptest::collection::vec(any::<u8>(), 0..4)];
    let event = prop_oneof![
        2 => Just(()).prop_map(|()| Event::Up),
        1 => Just(()).prop_map(|()| Event::Down),
        4 => proptest::collection::vec(frame, 0..5).prop_map(Event::Heard),
        3 => (0_u64..20).prop_map(|job| Event::Done(job, smallvec![vec![b'x']])),
        3 => Just(()).prop_map(|()| Event::Tick),
    ];
    (event, (0_u64..2500).prop_map(Duration::from_millis))
}

proptest! {
    #[test]
    fn whatever_happens_one_request_is_in_hand_and_each_has_one_answer(events in proptest::collection::vec(any_event(), 0..200)) {
        let mut bench = Bench::new();
        let (mut in_hand, mut connected) = (None, false);
        let mut all: Vec<_> = events.into_iter().collect();
        all.push((Event::Stop { until: Duration::from_secs(3600) }, Duration::ZERO));
        for (event, pause) in all {
            let done = if let Event::Done(job, _) = &event { Some(*job) } else { None };
            let mut actions = bench.handle(event);
            if done.is_some() && done == in_hand {
                in_hand = None;
            }
            actions.extend(bench.pass(pause));
            for action in actions {
                match action {
                    Action::Begin { job, .. } => {
                        prop_assert_eq!(in_hand, None, "two requests in hand");
                        in_hand = Some(job);
                    }
                    Action::Connect => connected = true,
                    Action::Disconnect => {
                        prop_assert!(connected);
                        connected = false;
                    }
                    Action::Send(_) => prop_assert!(connected, "sent without a connection"),
                    Action::End => return Ok(()),
                }
            }
            prop_assert_eq!(bench.worker.is_busy(), in_hand.is_some());
        }
    }
}
