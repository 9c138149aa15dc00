//! Workers that die, hang or come twice; clients that come back.

use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Broker, ask, frames, hear, is_silent, until};

const READY: &[&[u8]] = &[b"\x01"];
const GUIDE: &[&[u8]] = &[b"READY"];

/// Work for a ppp worker, without the heartbeats before it.
fn work(worker: &zmq::Socket) -> Vec<String> {
    until("work comes", || Some(frames(worker)).filter(|got| got != &["\u{2}"]))
}

#[test]
fn work_of_a_worker_that_is_killed_goes_to_another_at_once() {
    // With such a deadline only the end of the connection can have told.
    let broker = Broker::start(&[("DEADLINE", "1h")]);
    let mut busy = broker.worker_process("W1", &[("SERVICE_TIME", "1h")]);
    broker.wait_for_ready(1);
    let client = broker.client(zmq::REQ, "c");
    client.send("q", 0).unwrap();
    until("it works", || (broker.status()["working"] == 1).then_some(()));
    let _other = broker.worker_process("W2", &[]);
    broker.wait_for_ready(1);
    busy.0.kill().unwrap();
    busy.0.wait().unwrap();
    assert_eq!(hear(&client), "q W2");
    assert_eq!((broker.counter("redispatches"), broker.counter("timeouts")), (1, 0));
}

#[test]
fn a_worker_that_hangs_loses_its_request_and_comes_back() {
    let broker = Broker::start(&[]);
    let stopped = broker.worker_process("W1", &[]);
    broker.wait_for_ready(1);
    stopped.signal(Signal::STOP);
    let client = broker.client(zmq::REQ, "c");
    client.send("q", 0).unwrap();
    until("the deadline is missed", || (broker.counter("timeouts") == 1).then_some(()));
    let other = broker.worker_process("W2", &[]);
    assert_eq!(hear(&client), "q W2");
    stopped.signal(Signal::CONT);
    broker.wait_for_ready(2);
    drop(other);
    broker.wait_for_ready(1);
    assert_eq!(ask(&client, "next"), "next W1");
}

#[test]
fn a_late_answer_is_an_answer_when_there_is_no_other_and_dropped_when_there_is() {
    let broker = Broker::start(&[]);
    let late = broker.worker(zmq::REQ, "late", GUIDE);
    broker.wait_for_ready(1);
    let client = broker.client(zmq::REQ, "c");
    client.send("one", 0).unwrap();
    let got = late.recv_multipart(0).unwrap();
    until("the deadline is missed", || (broker.counter("timeouts") == 1).then_some(()));
    late.send_multipart(got, 0).unwrap();
    assert_eq!(hear(&client), "one");

    client.send("two", 0).unwrap();
    let got = late.recv_multipart(0).unwrap();
    let _other = broker.worker_process("W2", &[]);
    assert_eq!(hear(&client), "two W2");
    late.send_multipart(got, 0).unwrap();
    until("the answer is dropped", || (broker.counter("late_replies") == 1).then_some(()));
    assert_eq!(broker.status()["ready"], 2);
    assert!(is_silent(&client));
}

#[test]
fn a_poison_request_ends_in_an_error_and_leaves_workers_alive() {
    let broker = Broker::start(&[("RETRIES", "1"), ("DEADLINE", "1h")]);
    let mut workers: Vec<_> = ["W1", "W2", "W3"].map(|id| (id, broker.worker(zmq::DEALER, id, READY))).into();
    broker.wait_for_ready(3);
    let client = broker.client(zmq::REQ, "c");
    client.send("poison", 0).unwrap();
    for _ in 0..2 {
        let victim = until("somebody takes the poison", || {
            workers.iter().position(|(_, worker)| worker.poll(zmq::POLLIN, 10).unwrap() > 0 && frames(worker) != ["\u{2}"])
        });
        drop(workers.remove(victim));
    }
    assert_eq!(hear(&client), "!cbw failed no worker answered in time");
    broker.wait_for_ready(1);
    client.send("food", 0).unwrap();
    assert_eq!(work(&workers[0].1), ["c", "", "food"]);
}

#[test]
fn the_last_worker_of_an_identity_has_it() {
    let broker = Broker::start(&[]);
    let first = broker.worker(zmq::DEALER, "W", READY);
    broker.wait_for_ready(1);
    let second = broker.worker(zmq::DEALER, "W", READY);
    until("the second is registered", || (broker.counter("registrations") == 2).then_some(()));
    let client = broker.client(zmq::REQ, "c");
    client.send("q", 0).unwrap();
    let got = work(&second);
    second.send_multipart(&got, 0).unwrap();
    assert_eq!(hear(&client), "q");
    assert_eq!(broker.status()["workers"].as_array().unwrap().len(), 1);
    drop(first);
}

#[test]
fn a_client_that_comes_back_under_its_name_never_gets_an_old_answer() {
    let broker = Broker::start(&[("DEADLINE", "1h")]);
    let worker = broker.worker(zmq::REQ, "w", GUIDE);
    for round in 0..20 {
        // With a context of its own its connection has ended when it is gone, as that of a process that died.
        let context = zmq::Context::new();
        let old = context.socket(zmq::REQ).unwrap();
        old.set_identity(b"c").unwrap();
        old.connect(&format!("tcp://127.0.0.1:{}", broker.frontend)).unwrap();
        old.send("old question", 0).unwrap();
        let got = worker.recv_multipart(0).unwrap();
        drop((old, context));
        let new = broker.client(zmq::REQ, "c");
        // The answer comes before, while or after the new question does.
        thread::sleep(Duration::from_millis(round % 4));
        worker.send_multipart(got, 0).unwrap();
        new.send("new question", 0).unwrap();
        let got = worker.recv_multipart(0).unwrap();
        worker.send_multipart(got, 0).unwrap();
        assert_eq!(hear(&new), "new question");
    }
}

#[test]
fn our_client_gets_its_own_replies_through_worker_deaths() {
    let broker = Broker::start(&[]);
    let mut workers: Vec<_> = (0..3).map(|n| broker.worker_process(&format!("W{n}"), &[("SERVICE_TIME", "5ms")])).collect();
    broker.wait_for_ready(3);
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    let mut client = crate::harness::Process::start(command.args(["C", "300", "127.0.0.1", &broker.frontend.to_string()]));
    for round in 0..6 {
        thread::sleep(Duration::from_millis(100));
        let index = round % workers.len();
        workers[index].0.kill().unwrap();
        workers[index] = broker.worker_process(&format!("W{index}"), &[("SERVICE_TIME", "5ms")]);
    }
    assert_eq!(client.wait(), Some(0));
}

#[test]
fn a_full_queue_says_busy() {
    let broker = Broker::start(&[("QUEUE", "2")]);
    let client = broker.client(zmq::DEALER, "d");
    for number in ["1", "2", "3"] {
        client.send_multipart([number, "", "q"], 0).unwrap();
    }
    assert_eq!(frames(&client), ["3", "", "!cbw busy the broker's queue is full, ask again later"]);
    let _worker = broker.worker_process("W", &[]);
    assert_eq!(frames(&client), ["1", "", "q W"]);
    assert_eq!(frames(&client), ["2", "", "q W"]);
}
