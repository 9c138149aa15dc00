use std::time::Duration;

use proptest::prelude::*;

use super::{Action, Client, Event, Outcome, Plan, worker_of};
use crate::backoff::Backoff;

const MS: Duration = Duration::from_millis(1);

fn plan(requests: u64) -> Plan {
    Plan {
        id: "cli".to_owned(),
        requests: Some(requests),
        concurrency: 1,
        rate: None,
        duration: None,
        timeout: 2500 * MS,
        tries: 3,
        any_reply: false,
    }
}

struct Bench {
    client: Client,
    now: Duration,
}

impl Bench {
    fn new(plan: Plan) -> Self {
        Self { client: Client::new(plan, Backoff::seeded(50 * MS, 1000 * MS, 1)), now: Duration::ZERO }
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.client.handle(self.now, event, &mut actions);
        actions
    }

    fn reply(&mut self, lane: usize, text: &str) -> Vec<Action> {
        self.handle(Event::Reply(lane, vec![text.into()]))
    }

    fn wait(&mut self) -> Vec<Action> {
        self.now = self.now.max(self.client.next_timeout());
        self.handle(Event::Tick)
    }
}

fn open(lane: usize, identity: &str) -> Action {
    Action::Open { lane, identity: identity.to_owned() }
}

fn send(lane: usize, body: &str) -> Action {
    Action::Send { lane, body: body.to_owned() }
}

fn tell(n: u64, reply: Result<&str, &str>, took: Duration, retries: u32) -> Action {
    Action::Tell(Outcome { n, reply: reply.map(str::to_owned).map_err(str::to_owned), took, retries })
}

#[test]
fn requests_are_numbered_and_sent_one_at_a_time() {
    let mut bench = Bench::new(plan(2));
    assert_eq!(bench.handle(Event::Tick), [open(0, "cli"), send(0, "cli-1")]);
    bench.now = 3 * MS;
    assert_eq!(bench.reply(0, "cli-1 wor"), [tell(1, Ok("cli-1 wor"), 3 * MS, 0), send(0, "cli-2")]);
    assert_eq!(bench.reply(0, "cli-2 wor"), [tell(2, Ok("cli-2 wor"), Duration::ZERO, 0), Action::End]);
}

#[test]
fn silence_is_answered_by_a_fresh_socket_under_a_fresh_name() {
    let mut bench = Bench::new(plan(1));
    bench.handle(Event::Tick);
    assert_eq!(bench.wait(), [open(0, "cli~1"), send(0, "cli-1")]);
    assert_eq!(bench.now, 2500 * MS);
    assert_eq!(bench.wait(), [open(0, "cli~2"), send(0, "cli-1")]);
    assert_eq!(bench.wait(), [tell(1, Err("no answer within 2500 ms, 3 times"), 7500 * MS, 2), Action::End]);
}

#[test]
fn anothers_reply_is_counted_and_not_taken() {
    let mut bench = Bench::new(plan(1));
    bench.handle(Event::Tick);
    assert_eq!(bench.reply(0, "cli-11 wor"), [open(0, "cli~1"), send(0, "cli-1")]);
    assert_eq!(bench.client.wrong(), 1);
    assert_eq!(bench.reply(0, "cli-1 wor"), [tell(1, Ok("cli-1 wor"), Duration::ZERO, 1), Action::End]);
}

#[test]
fn a_busy_broker_is_asked_again_a_little_later() {
    let mut bench = Bench::new(plan(1));
    bench.handle(Event::Tick);
    assert_eq!(bench.reply(0, "!cbw busy the broker's queue is full, ask again later"), []);
    assert_eq!(bench.wait(), [send(0, "cli-1")]);
    assert!(bench.now > Duration::ZERO && bench.now <= 50 * MS);
    assert_eq!(bench.reply(0, "!cbw failed the broker is stopping"), []);
    assert_eq!(bench.wait(), [send(0, "cli-1")]);
    let actions = bench.reply(0, "!cbw busy still");
    assert_eq!(actions, [tell(1, Err("!cbw busy still"), bench.now, 2), Action::End]);
}

#[test]
fn a_request_that_no_worker_answers_is_not_repeated() {
    let mut bench = Bench::new(plan(1));
    bench.handle(Event::Tick);
    let text = "!cbw failed no worker answered in time";
    assert_eq!(bench.reply(0, text), [tell(1, Err(text), Duration::ZERO, 0), Action::End]);
}

#[test]
fn lanes_share_the_requests() {
    let mut bench = Bench::new(Plan { concurrency: 2, ..plan(3) });
    assert_eq!(bench.handle(Event::Tick), [open(0, "cli"), send(0, "cli-1"), open(1, "cli~1"), send(1, "cli-2")]);
    assert_eq!(bench.reply(1, "cli-2 w"), [tell(2, Ok("cli-2 w"), Duration::ZERO, 0), send(1, "cli-3")]);
    assert_eq!(bench.reply(0, "cli-1 w"), [tell(1, Ok("cli-1 w"), Duration::ZERO, 0)]);
}

#[test]
fn with_a_rate_the_waiting_for_ones_turn_counts() {
    let mut bench = Bench::new(Plan { rate: Some(100.0), ..plan(2) });
    bench.handle(Event::Tick);
    bench.now = 30 * MS;
    let actions = bench.reply(0, "cli-1 w");
    assert_eq!(actions, [tell(1, Ok("cli-1 w"), 30 * MS, 0), send(0, "cli-2")]);
    bench.now = 31 * MS;
    assert_eq!(bench.reply(0, "cli-2 w")[0], tell(2, Ok("cli-2 w"), 21 * MS, 0));
}

#[test]
fn after_the_duration_nothing_new_is_asked() {
    let mut bench = Bench::new(Plan { requests: None, duration: Some(10 * MS), ..plan(0) });
    bench.handle(Event::Tick);
    bench.now = 11 * MS;
    assert_eq!(bench.reply(0, "cli-1 w"), [tell(1, Ok("cli-1 w"), 11 * MS, 0), Action::End]);
}

#[test]
fn the_worker_is_what_follows_the_request() {
    assert_eq!(worker_of("cli-1 WOR_a", "cli-1"), Some("WOR_a"));
    assert_eq!(worker_of("CLI-1", "cli-1"), None);
}

proptest! {
    /// Whatever replies come, every request ends exactly once and a success is its own.
    #[test]
    fn every_request_ends_once(replies in proptest::collection::vec((0_usize..3, 0_u64..8, 0_u8..6), 0..100)) {
        let mut bench = Bench::new(Plan { concurrency: 3, ..plan(6) });
        let mut all = bench.handle(Event::Tick);
        for (lane, n, kind) in replies {
            all.extend(match kind {
                0 => bench.reply(lane, "!cbw busy"),
                1 => bench.reply(lane, "!cbw failed x"),
                2 => bench.wait(),
                _ => bench.reply(lane, &format!("cli-{n} w")),
            });
        }
        while all.last() != Some(&Action::End) {
            all.extend(bench.wait());
        }
        let mut ended: Vec<u64> = Vec::new();
        for action in all {
            if let Action::Tell(outcome) = action {
                if let Ok(reply) = outcome.reply {
                    prop_assert_eq!(reply, format!("cli-{} w", outcome.n));
                }
                prop_assert!(outcome.retries < 3);
                ended.push(outcome.n);
            }
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (1..=6).collect::<Vec<_>>());
    }
}
