//! What the broker says of itself: `/metrics`, `/status`, and whether it is ready.

use std::fmt::Write as _;
use std::time::Duration;

use super::watch::Name;
use crate::broker::{Broker, Snapshot};
use crate::metrics::Exposition;
use crate::status::Report;
use crate::trace::Quoted;
use crate::wire::Frame;

/// Everything that can be asked for, at this moment.
pub fn report<F: Frame>(machine: &Broker<F>, now: Duration) -> Report {
    let snapshot = machine.snapshot(now);
    Report {
        unhealthy: None,
        unready: snapshot.draining.then(|| "draining".to_owned()),
        metrics: metrics(machine, &snapshot),
        status: Some(status(&snapshot)),
    }
}

fn metrics<F: Frame>(machine: &Broker<F>, snapshot: &Snapshot) -> String {
    let mut figures = Exposition::of_process("broker");
    figures.gauge_of("cbw_broker_workers_ready", "Workers that wait for a request.", snapshot.ready);
    figures.gauge_of("cbw_broker_requests_working", "Requests that workers have in hand.", snapshot.working);
    figures.gauge_of("cbw_broker_requests_pending", "Requests that wait for a worker.", snapshot.pending);
    figures.gauge_of("cbw_broker_held_bytes", "Bytes of the requests that the broker holds.", snapshot.held_bytes);
    figures.gauge("cbw_broker_uptime_seconds", "Time since the broker's start.", snapshot.uptime.as_secs_f64());
    for (name, help, value) in snapshot.counters.each() {
        figures.counter(&format!("cbw_broker_{name}_total"), help, value);
    }
    figures.histogram("cbw_broker_request_duration_seconds", "Time from a request's arrival to its reply.", machine.latency());
    figures.into_text()
}

fn status(snapshot: &Snapshot) -> String {
    let mut text = format!(
        "{{\"version\":1,\"uptime\":{:.3},\"draining\":{},\"ready\":{},\"working\":{},\"pending\":{},\"held_bytes\":{},\"workers\":[",
        snapshot.uptime.as_secs_f64(),
        snapshot.draining,
        snapshot.ready,
        snapshot.working,
        snapshot.pending,
        snapshot.held_bytes,
    );
    for (number, worker) in snapshot.workers.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(
            text,
            "{comma}{{\"id\":{},\"dialect\":\"{}\",\"state\":\"{}\",\"since\":{:.3}}}",
            Quoted(&Name(&worker.id).to_string()),
            worker.dialect,
            worker.state.name(),
            worker.since.as_secs_f64(),
        );
    }
    text.push_str("],\"counters\":{");
    for (number, (name, _, value)) in snapshot.counters.each().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\"{name}\":{value}");
    }
    text.push_str("}}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Config, Event, Outbox};

    #[test]
    fn the_status_names_every_worker_and_counter() {
        let (mut broker, mut out) = (Broker::<Vec<u8>>::new(Config::default()), Outbox::default());
        for worker in [&b"WOR \"1\""[..], b"\0\x01\x02\x03\x04"] {
            broker.handle(Duration::ZERO, Event::FromWorker(&mut vec![worker.to_vec(), vec![1]]), &mut out, &mut ());
        }
        let report = report(&broker, Duration::from_secs(3));
        let status: serde_json::Value = serde_json::from_str(&report.status.unwrap()).unwrap();
        assert_eq!(status["ready"], 2);
        assert_eq!(status["workers"][0]["id"], "0x0001020304");
        assert_eq!(status["workers"][1], serde_json::json!({ "id": "WOR \"1\"", "dialect": "ppp", "state": "ready", "since": 3.0 }));
        assert_eq!(status["counters"]["registrations"], 2);
        assert!(report.metrics.contains("\ncbw_broker_registrations_total 2\n"));
        assert_eq!((report.unhealthy, report.unready), (None, None));
    }
}
