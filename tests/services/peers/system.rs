//! All four services together.

use std::fs;

use crate::processes::{Service, free_port, wait_until};

#[test]
fn a_whole_system_answers_logs_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs");
    let [frontend, backend, logging] = [(); 3].map(|()| free_port().to_string());
    let host = "127.0.0.1";
    let mut logger = Service::start(env!("CARGO_BIN_EXE_logger"), &[&logging, file.to_str().unwrap()], &[]);
    let mut broker = Service::start(env!("CARGO_BIN_EXE_broker"), &[&frontend, &backend, host, &logging], &[]);
    let mut workers = ["w1", "w2"].map(|id| Service::start(env!("CARGO_BIN_EXE_worker"), &[id, host, &backend, host, &logging], &[]));
    // Twenty requests are answered before a worker that comes late has any.
    wait_until("both workers are ready", || {
        fs::read_to_string(&file).is_ok_and(|log| ["w1", "w2"].iter().all(|id| log.contains(&format!("a worker is ready worker={id} "))))
    });
    let mut clients =
        ["c1", "c2"].map(|id| Service::start(env!("CARGO_BIN_EXE_client"), &[id, "10", host, &frontend, host, &logging], &[]));
    for client in &mut clients {
        assert_eq!(client.wait(), Some(0), "{}", client.errors());
        assert_eq!(client.output().lines().count(), 10);
    }
    for service in workers.iter_mut().chain([&mut broker, &mut logger]) {
        assert_eq!(service.stop(), Some(0));
    }
    let log = fs::read_to_string(file).unwrap();
    for told in
        ["c1-10 → c1-10 w", "c2-1 → c2-1 w", " w1 DEBUG answered client=c", " w2 DEBUG answered client=c", " broker INFO the broker stops"]
    {
        assert!(log.contains(told), "{told} in {log}");
    }
}

#[test]
fn requests_outlive_the_broker() {
    let [frontend, backend] = [(); 2].map(|()| free_port().to_string());
    let start = || Service::start(env!("CARGO_BIN_EXE_broker"), &[&frontend, &backend], &[]);
    let mut broker = start();
    let _workers =
        ["w1", "w2"].map(|id| Service::start(env!("CARGO_BIN_EXE_worker"), &[id, "127.0.0.1", &backend, "--service-time", "10ms"], &[]));
    let arguments = ["c", "300", "127.0.0.1", &frontend, "--quiet", "--rate", "100", "--concurrency", "4", "--request-tries", "10"];
    let mut client = Service::start(env!("CARGO_BIN_EXE_client"), &arguments, &[]);
    wait_until("half is answered", || client.page("/metrics").is_some() && client.figure("cbw_client_replies_total") >= 100.0);
    broker.signal(rustix::process::Signal::KILL);
    broker.wait();
    let _broker = start();
    assert_eq!(client.wait(), Some(0), "{}", client.errors());
    assert!(client.errors().starts_with("answered 300  failed 0  wrong 0"), "{}", client.errors());
}
