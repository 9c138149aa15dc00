use std::time::Duration;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn plan() -> Plan {
    Plan { token: "t".to_owned(), clients: 2, requests: Some(2), window: 1, rate: None, timeout: 100 * MS, linger: 50 * MS }
}

/// What is sent and told when `event` happens.
fn after(audit: &mut Audit<impl FnMut() -> u64>, now: Duration, event: Event) -> (Vec<(usize, String)>, Vec<What>, bool) {
    let mut actions = Vec::new();
    audit.handle(now, event, &mut actions);
    let (mut sent, mut told, mut ended) = (Vec::new(), Vec::new(), false);
    for action in actions {
        match action {
            Action::Send { client, body } => sent.push((client, body)),
            Action::Tell(fact) => told.push(fact.what),
            Action::End => ended = true,
        }
    }
    (sent, told, ended)
}

fn reply(client: usize, text: &str) -> Event {
    Event::Reply(client, vec![text.as_bytes().to_vec()])
}

#[test]
fn each_request_is_answered_once_and_the_end_waits_for_what_should_not_come() {
    let mut audit = Audit::new(plan(), || 255);
    let (sent, ..) = after(&mut audit, Duration::ZERO, Event::Tick);
    assert_eq!(sent, [(0, "AUD_t_0-1-00000000000000ff".to_owned()), (1, "AUD_t_1-1-00000000000000ff".to_owned())]);
    for (client, n) in [(0, 1), (1, 1), (0, 2), (1, 2)] {
        let text = format!("AUD_t_{client}-{n}-00000000000000ff WOR_a");
        assert_eq!(after(&mut audit, MS, reply(client, &text)).1, [What::Answered("WOR_a".to_owned())]);
    }
    assert!(audit.account().is_clean());
    assert_eq!(audit.next_timeout(), 51 * MS);
    assert!(after(&mut audit, 51 * MS, Event::Tick).2);
}

#[test]
fn an_answer_that_comes_twice_is_told() {
    let mut audit = Audit::new(plan(), || 0);
    after(&mut audit, Duration::ZERO, Event::Tick);
    let text = "AUD_t_0-1-0000000000000000 WOR_a";
    after(&mut audit, MS, reply(0, text));
    assert_eq!(after(&mut audit, MS, reply(0, text)).1, [What::Again]);
    assert!(!audit.account().is_clean());
}

#[test]
fn the_answer_to_somebody_elses_question_is_no_answer() {
    let mut audit = Audit::new(plan(), || 0);
    after(&mut audit, Duration::ZERO, Event::Tick);
    let others = "AUD_t_1-1-0000000000000000 WOR_a";
    assert_eq!(after(&mut audit, MS, reply(0, others)).1, [What::Foreign(others.to_owned())]);
    // Who only knows the number has guessed the rest.
    let guessed = "AUD_t_0-1-00000000000000ff WOR_a";
    assert_eq!(after(&mut audit, MS, reply(0, guessed)).1, [What::Foreign(guessed.to_owned())]);
    assert_eq!(after(&mut audit, 100 * MS, Event::Tick).1, [What::Unanswered, What::Unanswered]);
}

#[test]
fn a_refusal_settles_the_oldest_request() {
    let mut audit = Audit::new(plan(), || 0);
    after(&mut audit, Duration::ZERO, Event::Tick);
    let refused = Event::Reply(0, vec![b"!cbw busy ask again later".to_vec()]);
    assert_eq!(after(&mut audit, MS, refused).1, [What::Refused("busy".to_owned())]);
    assert_eq!(audit.account().refused, 1);
}

#[test]
fn with_a_rate_requests_are_spaced_and_with_finish_they_stop() {
    let mut audit = Audit::new(Plan { rate: Some(100.0), requests: None, window: 10, ..plan() }, || 0);
    assert_eq!(after(&mut audit, Duration::ZERO, Event::Tick).0.len(), 1);
    assert_eq!(audit.next_timeout(), 10 * MS);
    assert_eq!(after(&mut audit, 20 * MS, Event::Tick).0.len(), 2);
    assert!(after(&mut audit, 90 * MS, Event::Finish).0.is_empty());
    assert_eq!(after(&mut audit, 200 * MS, Event::Tick).1.len(), 3);
    assert!(after(&mut audit, 250 * MS, Event::Tick).2);
}
