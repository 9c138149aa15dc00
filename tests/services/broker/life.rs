//! Dialects, start, drain and restart.

use std::process::{Command, Stdio};
use std::thread;

use rustix::process::Signal;

use crate::harness::{Broker, Process, ask, frames, hear, is_silent, until};

const GUIDE: &[&[u8]] = &[b"READY"];

#[test]
fn workers_of_all_dialects_answer_on_one_broker() {
    let broker = Broker::start(&[]);
    let client = broker.client(zmq::REQ, "CLI_1");
    for (kind, id, registration, work) in [
        (zmq::REQ, "short", &[&b""[..], b""][..], &["CLI_1", "q"][..]),
        (zmq::REQ, "long", &[b"", b"", b""], &["CLI_1", "", "q"]),
        (zmq::REQ, "guide", GUIDE, &["CLI_1", "", "q"]),
        (zmq::DEALER, "ppp", &[b"\x01"], &["CLI_1", "", "q"]),
    ] {
        let worker = broker.worker(kind, id, registration);
        broker.wait_for_ready(1);
        client.send("q", 0).unwrap();
        let mut got = until("work comes", || Some(frames(&worker)).filter(|got| got != &["\u{2}"]));
        assert_eq!(got, work);
        *got.last_mut().unwrap() = format!("answer of {id}");
        worker.send_multipart(&got, 0).unwrap();
        assert_eq!(hear(&client), format!("answer of {id}"));
        broker.wait_for_ready(1);
        drop(worker);
        broker.wait_for_ready(0);
    }
}

#[test]
fn several_frames_and_empty_ones_and_large_ones_come_through() {
    let broker = Broker::start(&[]);
    let worker = broker.worker(zmq::REQ, "w", GUIDE);
    let echo = thread::spawn(move || {
        for _ in 0..3 {
            let work = worker.recv_multipart(0).unwrap();
            worker.send_multipart(work, 0).unwrap();
        }
        worker
    });
    let client = broker.client(zmq::REQ, "c");
    for body in [vec![vec![]], vec![b"a".to_vec(), vec![], b"b".to_vec()], vec![vec![7; 16 << 20]]] {
        client.send_multipart(&body, 0).unwrap();
        assert!(client.recv_multipart(0).unwrap() == body);
    }
    echo.join().unwrap();
}

#[test]
fn a_correlated_req_client_gets_its_envelope_back() {
    let broker = Broker::start(&[]);
    let _worker = broker.worker_process("W", &[]);
    let client = broker.context.socket(zmq::REQ).unwrap();
    client.set_req_correlate(true).unwrap();
    client.set_req_relaxed(true).unwrap();
    client.connect(&format!("tcp://127.0.0.1:{}", broker.frontend)).unwrap();
    // REQ drops every reply that does not bring its request's number.
    assert_eq!(ask(&client, "one"), "one W");
    assert_eq!(ask(&client, "two"), "two W");
}

#[test]
fn a_dealer_client_has_many_requests_open() {
    let broker = Broker::start(&[]);
    let _workers = [broker.worker_process("W1", &[]), broker.worker_process("W2", &[])];
    let client = broker.client(zmq::DEALER, "d");
    for number in 0..100 {
        client.send_multipart(&[format!("{number}"), String::new(), format!("question {number}")], 0).unwrap();
    }
    let mut answered = Vec::new();
    for _ in 0..100 {
        let reply = frames(&client);
        assert!(reply[2].starts_with(&format!("question {} ", reply[0])), "{reply:?}");
        answered.push(reply[0].parse::<u32>().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_req_worker_that_outlives_the_broker_is_adopted() {
    let mut broker = Broker::start(&[]);
    // One of each form: after the restart the broker does not know which is which.
    for (id, registration, delimiter) in [("short", &[&b""[..], b""][..], false), ("guide", GUIDE, true)] {
        let worker = broker.worker(zmq::REQ, id, registration);
        broker.wait_for_ready(1);
        broker.crash_and_restart();
        let context = broker.context.clone();
        let program = thread::spawn(move || {
            let _context = context;
            loop {
                let mut work = worker.recv_multipart(0).unwrap();
                // What the lab's program does with frames that it does not expect: it takes the second for the question.
                let question = if delimiter { work.pop().unwrap() } else { work[1].clone() };
                let client = work.swap_remove(0);
                let end = question == b"end";
                let reply = if delimiter { vec![client, vec![], question] } else { vec![client, question] };
                worker.send_multipart(reply, 0).unwrap();
                if end {
                    return worker;
                }
            }
        });
        let client = broker.client(zmq::REQ, "c");
        assert_eq!(ask(&client, "first question"), "first question");
        assert_eq!(ask(&client, "end"), "end");
        assert_eq!(broker.counter("adopted"), 1);
        drop(program.join().unwrap());
        // Or the next one would be believed ready while it is this one that still is.
        broker.wait_for_ready(0);
    }
}

#[test]
fn our_worker_registers_again_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let _worker = broker.worker_process("W", &[]);
    assert_eq!(ask(&broker.client(zmq::REQ, "c1"), "q"), "q W");
    broker.crash_and_restart();
    assert_eq!(ask(&broker.client(zmq::REQ, "c2"), "q"), "q W");
}

#[test]
fn sigterm_lets_the_work_in_hand_finish_and_refuses_the_rest() {
    let mut broker = Broker::start(&[("DEADLINE", "10s"), ("DRAIN", "20s")]);
    let worker = broker.worker(zmq::REQ, "w", GUIDE);
    let clients = ["c1", "c2"].map(|id| broker.client(zmq::REQ, id));
    clients[0].send("q", 0).unwrap();
    let work = worker.recv_multipart(0).unwrap();
    broker.process.signal(Signal::TERM);
    until("it drains", || (broker.status()["draining"] == true).then_some(()));
    assert_eq!(ask(&clients[1], "q"), "!cbw failed the broker is stopping");
    worker.send_multipart(work, 0).unwrap();
    assert_eq!(hear(&clients[0]), "q");
    assert_eq!(broker.process.wait(), Some(0));
}

#[test]
fn sigint_ends_an_idle_broker() {
    let mut broker = Broker::start(&[]);
    broker.process.signal(Signal::INT);
    assert_eq!(broker.process.wait(), Some(0));
}

#[test]
fn a_port_in_use_is_one_line() {
    let broker = Broker::start(&[]);
    let (front, back) = (broker.frontend.to_string(), broker.backend.to_string());
    for (ports, side) in [([&front, &front], "frontend"), ([&crate::harness::free_port().to_string(), &back], "backend")] {
        let output = Command::new(env!("CARGO_BIN_EXE_broker")).args(ports).stdout(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(side) && text.contains("in use"), "{text}");
    }
}

#[test]
fn the_probe_tells_whether_a_broker_works() {
    let broker = Broker::start(&[]);
    let probe = |frontend: u16| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
        let ports = [("FRONTEND_PORT", frontend.to_string()), ("BACKEND_PORT", broker.backend.to_string())];
        Process::start(command.arg("healthcheck").envs(ports)).wait()
    };
    assert_eq!(probe(broker.frontend), Some(0));
    assert_eq!(probe(crate::harness::free_port()), Some(1));
    assert!(is_silent(&broker.client(zmq::DEALER, "nobody")));
}
