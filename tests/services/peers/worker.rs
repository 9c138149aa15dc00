//! The worker as a process, against a broker that does exactly what the test says.

use zmq::Context;

use crate::processes::{Router, Service, wait_until};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

fn worker(router: &Router, more: &[&str]) -> Service {
    let port = router.port.to_string();
    let mut arguments = vec!["wor", "127.0.0.1", port.as_str()];
    arguments.extend(more);
    Service::start(WORKER, &arguments, &[])
}

/// A worker that has registered.
fn registered(router: &Router, more: &[&str]) -> Service {
    let worker = worker(router, more);
    assert_eq!(router.hear(), ["wor", "\u{1}"]);
    worker
}

#[test]
fn it_registers_and_echoes_with_its_name() {
    let (context, mut frames) = (Context::new(), vec!["wor", "cli", ""]);
    let router = Router::new(&context);
    let mut worker = registered(&router, &[]);
    router.say(&["wor", "cli", "", "cli-1"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "cli-1 wor"]);
    frames.extend(["two", "frames"]);
    router.say(&frames);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "two", "frames wor"]);
    assert_eq!(worker.stop(), Some(0));
    assert!(worker.output().contains("connected to the broker"), "{}", worker.output());
}

#[test]
fn arguments_may_come_from_the_environment() {
    let context = Context::new();
    let router = Router::new(&context);
    let (none, port): ([&str; 0], _) = ([], router.port.to_string());
    let _worker = Service::start(WORKER, &none, &[("ID", "HN"), ("BROKER_HOST", "localhost"), ("BROKER_PORT", &port), ("LOGGER_HOST", "")]);
    let heard = router.hear();
    assert!(heard[0].starts_with("WOR_") && heard[1] == "\u{1}", "{heard:?}");
}

#[test]
fn it_works_for_brokers_that_only_know_req_workers() {
    let context = Context::new();
    for (dialect, ready, work, reply) in [
        ("cbw-short", &["wor", "", "", ""][..], &["wor", "", "cli", "cli-1"][..], &["wor", "", "cli", "cli-1 wor"][..]),
        ("cbw-long", &["wor", "", "", "", ""], &["wor", "", "cli", "", "cli-1"], &["wor", "", "cli", "", "cli-1 wor"]),
        ("guide", &["wor", "", "READY"], &["wor", "", "cli", "", "cli-1"], &["wor", "", "cli", "", "cli-1 wor"]),
    ] {
        let router = Router::new(&context);
        let mut worker = worker(&router, &["--dialect", dialect]);
        assert_eq!(router.hear(), ready);
        for _ in 0..2 {
            router.say(work);
            assert_eq!(router.hear(), reply);
        }
        assert_eq!(worker.stop(), Some(0));
    }
}

#[test]
fn heartbeats_go_on_while_a_request_takes_long() {
    let context = Context::new();
    let router = Router::new(&context);
    let worker = registered(&router, &["--service-time", "4s"]);
    router.say(&["wor", "cli", "", "slow"]);
    let mut heartbeats = 0;
    loop {
        match router.hear().as_slice() {
            [_, beat] if beat == "\u{2}" => heartbeats += 1,
            [_, client, empty, body] => {
                assert_eq!((client.as_str(), empty.as_str(), body.as_str()), ("cli", "", "slow wor"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(heartbeats >= 2, "{heartbeats} heartbeats in 4 s");
    drop(worker);
}

#[test]
fn it_registers_again_with_a_broker_that_was_restarted() {
    let context = Context::new();
    let router = Router::new(&context);
    let port = router.port;
    let worker = registered(&router, &[]);
    drop(router);
    wait_until("the loss is noticed", || matches!(worker.page("/readyz"), Some((503, _))));
    let router = Router::on(&context, port);
    assert_eq!(router.hear(), ["wor", "\u{1}"]);
    worker.wait_until_ready();
}

#[test]
fn it_leaves_a_broker_that_is_silent() {
    let context = Context::new();
    let router = Router::new(&context);
    let worker = registered(&router, &[]);
    // No heartbeat from this broker: the connection stands, but nobody is behind it.
    assert_eq!(router.hear_words(), ["wor", "\u{1}"]);
    assert!(worker.figure("cbw_worker_disconnects_total") >= 1.0);
}

#[test]
fn sigterm_lets_the_request_in_hand_finish() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut worker = registered(&router, &["--service-time", "500ms"]);
    router.say(&["wor", "cli", "", "last"]);
    wait_until("the worker is busy", || worker.figure("cbw_worker_busy") > 0.0 || worker.figure("cbw_worker_replies_total") > 0.0);
    worker.signal(rustix::process::Signal::TERM);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "last wor"]);
    assert_eq!(worker.wait(), Some(0));
}

#[test]
fn any_program_can_do_the_work() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut worker = registered(&router, &["--exec", "tr a-z A-Z"]);
    router.say(&["wor", "cli", "", "shout"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "SHOUT"]);
    assert_eq!(worker.stop(), Some(0));
}

#[test]
fn a_program_that_fails_fails_its_request_only() {
    let context = Context::new();
    let router = Router::new(&context);
    let worker = registered(&router, &["--exec", "sh -c 'read line; test \"$line\" = good || { echo bad input >&2; exit 3; }'"]);
    router.say(&["wor", "cli", "", "bad\n"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "!cbw failed exit code 3: bad input"]);
    router.say(&["wor", "cli", "", "good\n"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", ""]);
    drop(worker);
}

#[test]
fn a_program_that_hangs_is_ended() {
    let context = Context::new();
    let router = Router::new(&context);
    let mut worker = registered(&router, &["--exec", "sleep 1000", "--exec-timeout", "200ms"]);
    router.say(&["wor", "cli", "", "x"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "!cbw failed the command took longer than 200ms"]);
    assert_eq!(worker.stop(), Some(0));
}

#[test]
fn the_probe_tells_a_registered_worker_from_one_that_is_not() {
    let context = Context::new();
    let router = Router::new(&context);
    let worker = registered(&router, &[]);
    worker.wait_until_ready();
    assert_eq!(worker.healthcheck(WORKER, &[]), 0);
    drop(router);
    wait_until("the probe fails", || worker.healthcheck(WORKER, &[]) == 1);
}

#[test]
fn what_is_not_of_the_protocol_is_dropped_and_counted() {
    let context = Context::new();
    let router = Router::new(&context);
    let worker = registered(&router, &[]);
    for odd in [&["wor", "?"][..], &["wor", "", ""], &["wor", "cli", "x", "y"], &["wor", "cli", ""]] {
        router.say(odd);
    }
    router.say(&["wor", "cli", "", "sane"]);
    assert_eq!(router.hear_words(), ["wor", "cli", "", "sane wor"]);
    assert_eq!(worker.figure("cbw_worker_dropped_messages_total") as u32, 4);
}

#[test]
fn a_mistake_on_the_command_line_is_exit_code_2() {
    for arguments in
        [&["wor", "tcp://x"][..], &["wor", "x", "0"], &["wor", "x", "1", "--exec", "sh -c 'x"], &["wor", "x", "1", "--service-time", "2"]]
    {
        assert_eq!(Service::start(WORKER, arguments, &[]).wait(), Some(2), "{arguments:?}");
    }
}
