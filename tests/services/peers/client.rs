//! The client as a process, against a broker that does exactly what the test says.

use serde_json::{Value, json};
use zmq::Context;

use crate::processes::{Router, Service, free_port, wait_until};

const CLIENT: &str = env!("CARGO_BIN_EXE_client");

fn client(port: u16, requests: u32, more: &[&str]) -> Service {
    let (port, requests) = (port.to_string(), requests.to_string());
    let mut arguments = vec!["cli", &requests, "127.0.0.1", &port];
    arguments.extend(more);
    Service::start(CLIENT, &arguments, &[])
}

/// Answers the next request as a worker of the lab would; who asked what.
fn answer(router: &Router) -> (String, String) {
    let heard = router.hear();
    let [identity, empty, body] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(empty, "");
    router.say(&[identity, "", &format!("{body} wor")]);
    (identity.clone(), body.clone())
}

/// The JSON lines, without the latencies.
fn results(client: &Service) -> Vec<Value> {
    let lines = client.output();
    let results = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    results
        .map(|mut result| {
            assert!(result["ms"].take().is_f64());
            result
        })
        .collect()
}

#[test]
fn it_asks_one_at_a_time_and_ends_with_0() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 3, &["--json"]);
    for n in 1..=3 {
        assert_eq!(answer(&router), ("cli".to_owned(), format!("cli-{n}")));
    }
    assert_eq!(client.wait(), Some(0));
    let expected = |n: u32| json!({ "id": "cli", "n": n, "reply": format!("cli-{n} wor"), "worker": "wor", "ms": null, "retries": 0 });
    assert_eq!(results(&client), [expected(1), expected(2), expected(3)]);
    let summary: Value = serde_json::from_str(&client.errors()).unwrap();
    assert_eq!((&summary["answered"], &summary["failed"], &summary["wrong"]), (&json!(3), &json!(0), &json!(0)));
}

#[test]
fn people_get_a_line_a_reply() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 1, &[]);
    answer(&router);
    assert_eq!(client.wait(), Some(0));
    assert!(client.output().starts_with("cli-1 → cli-1 wor ("), "{}", client.output());
}

#[test]
fn a_request_without_an_answer_is_asked_again_under_a_fresh_name() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 2, &["--json", "--request-timeout", "300ms"]);
    assert_eq!(router.hear(), ["cli", "", "cli-1"]);
    let (identity, body) = answer(&router);
    assert!(identity != "cli" && body == "cli-1", "{identity} asks {body}");
    // The late answer goes to a connection that is no more.
    router.say(&["cli", "", "cli-1 late"]);
    answer(&router);
    assert_eq!(client.wait(), Some(0));
    let results = results(&client);
    assert_eq!((&results[0]["retries"], &results[1]["reply"]), (&json!(1), &json!("cli-2 wor")));
}

#[test]
fn without_a_broker_it_gives_up_after_its_tries() {
    let mut client = client(free_port(), 1, &["--json", "--request-timeout", "100ms", "--request-tries", "2"]);
    assert_eq!(client.wait(), Some(1));
    assert_eq!(results(&client)[0]["error"], json!("no answer within 100 ms, 2 times"));
}

#[test]
fn it_waits_for_a_broker_that_starts_later() {
    let (context, port) = (Context::new(), free_port());
    let mut client = client(port, 1, &["--request-timeout", "30s"]);
    wait_until("the client runs", || client.page("/healthz").is_some());
    let router = Router::on(&context, port);
    answer(&router);
    assert_eq!(client.wait(), Some(0));
}

#[test]
fn anothers_reply_does_not_pass() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 1, &["--json", "--request-tries", "2"]);
    router.hear();
    router.say(&["cli", "", "cli-11 wor"]);
    answer(&router);
    assert_eq!(client.wait(), Some(1), "a wrong reply is a failure, even when the right one came later");
    assert_eq!(results(&client)[0]["reply"], json!("cli-1 wor"));
}

#[test]
fn busy_is_asked_again_and_failed_is_not() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 2, &["--json"]);
    router.hear();
    router.say(&["cli", "", "!cbw busy the broker's queue is full, ask again later"]);
    answer(&router);
    router.hear();
    router.say(&["cli", "", "!cbw failed no worker answered in time"]);
    assert_eq!(client.wait(), Some(1));
    let results = results(&client);
    assert_eq!(results[0]["retries"], json!(1));
    assert_eq!(results[1]["error"], json!("!cbw failed no worker answered in time"));
}

#[test]
fn lanes_ask_side_by_side() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 8, &["--quiet", "--concurrency", "4"]);
    let open: Vec<_> = (0..4).map(|_| router.hear()).collect();
    for heard in open {
        router.say(&[&heard[0], "", &format!("{} wor", heard[2])]);
    }
    for _ in 0..4 {
        answer(&router);
    }
    assert_eq!(client.wait(), Some(0));
    assert_eq!(client.output(), "");
    assert!(client.errors().contains("answered 8"), "{}", client.errors());
}

#[test]
fn replies_of_other_programs_are_taken_when_told_so() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 1, &["--json", "--any-reply"]);
    let heard = router.hear();
    router.say(&[&heard[0], "", "42"]);
    assert_eq!(client.wait(), Some(0));
    assert_eq!((&results(&client)[0]["reply"], &results(&client)[0]["worker"]), (&json!("42"), &Value::Null));
}

#[test]
fn sigterm_finishes_the_open_request_and_admits_that_others_are_missing() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut client = client(router.port, 10, &[]);
    let heard = router.hear();
    client.signal(rustix::process::Signal::TERM);
    router.say(&[&heard[0], "", &format!("{} wor", heard[2])]);
    assert_eq!(client.wait(), Some(1));
    assert!(client.errors().contains("answered 1"), "{}", client.errors());
}
