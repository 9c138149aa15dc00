//! What a broker's own events say (docs/protocol.md, "Events"): a recording, and judgements on it. No sampling: each event counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// One event, as `/events` tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// `request`, `dispatch`, `reply`, `timeout`, `redispatch`, `refused`, `drop`, `worker_up`, `worker_down`, `lost`.
    pub event: String,
    /// Seconds since the broker's start.
    #[serde(default)]
    pub t: f64,
    /// The request.
    pub id: Option<u64>,
    /// Who asks.
    #[serde(default)]
    pub client: String,
    /// Who works.
    #[serde(default)]
    pub worker: String,
    /// Which attempt a dispatch is.
    pub attempt: Option<u32>,
}

/// The events among lines; what is no event is left out.
pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Event> {
    lines.into_iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A time in which a request waited although a worker was ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Idle {
    /// The request.
    pub request: u64,
    /// A worker that was ready.
    pub worker: String,
    /// Seconds since the broker's start.
    pub t: f64,
}

/// Every time at which a request waited while a worker was ready. A broker gives a request away in the same moment in which it
/// comes or a worker is free, so between two moments there must be no request without a worker and no worker without a request.
#[must_use]
pub fn idle(events: &[Event]) -> Vec<Idle> {
    let (mut ready, mut waiting) = (BTreeSet::<&str>::new(), BTreeSet::<u64>::new());
    let mut found = Vec::new();
    let mut before = f64::NEG_INFINITY;
    for event in events {
        if event.t > before {
            if let (Some(&request), Some(worker)) = (waiting.first(), ready.first()) {
                found.push(Idle { request, worker: (*worker).to_owned(), t: event.t });
            }
            before = event.t;
        }
        let worker = event.worker.as_str();
        match (event.event.as_str(), event.id) {
            ("request" | "redispatch", Some(id)) => {
                waiting.insert(id);
            }
            ("dispatch", Some(id)) => {
                waiting.remove(&id);
                ready.remove(worker);
            }
            ("reply" | "worker_up", _) => {
                ready.insert(worker);
            }
            ("worker_down" | "timeout", _) => {
                ready.remove(worker);
            }
            // A refused or withdrawn request does not say its number, and after lost events nothing is certain.
            ("refused" | "drop" | "lost", _) => {
                waiting.clear();
                if event.event == "lost" {
                    ready.clear();
                }
            }
            _ => {}
        }
    }
    found
}

/// How many dispatches there were, and of which workers.
#[must_use]
pub fn dispatches(events: &[Event]) -> BTreeMap<&str, usize> {
    let mut workers = BTreeMap::new();
    for event in events.iter().filter(|event| event.event == "dispatch") {
        *workers.entry(event.worker.as_str()).or_default() += 1;
    }
    workers
}

/// The most requests that waited or were in work at a time.
#[must_use]
pub fn most_open(events: &[Event]) -> usize {
    let mut open = BTreeSet::new();
    let mut most = 0;
    for event in events {
        match (event.event.as_str(), event.id) {
            ("request", Some(id)) => {
                open.insert(id);
            }
            ("reply", Some(id)) => {
                open.remove(&id);
            }
            _ => {}
        }
        most = most.max(open.len());
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(text: &str) -> Vec<Event> {
        parse(text.lines())
    }

    const GOOD: &str = r#"{"event":"worker_up","t":0.1,"worker":"a","dialect":"ppp","adopted":false}
{"event":"request","t":1.0,"client":"c","id":1}
{"event":"dispatch","t":1.0,"client":"c","worker":"a","id":1,"attempt":1}
{"event":"request","t":1.1,"client":"d","id":2}
{"event":"reply","t":1.2,"client":"c","worker":"a","id":1,"took":0.2}
{"event":"dispatch","t":1.2,"client":"d","worker":"a","id":2,"attempt":1}
{"event":"reply","t":1.3,"client":"d","worker":"a","id":2,"took":0.2}"#;

    #[test]
    fn a_request_may_wait_while_all_are_busy() {
        assert_eq!(idle(&recorded(GOOD)), []);
        assert_eq!(most_open(&recorded(GOOD)), 2);
        assert_eq!(dispatches(&recorded(GOOD)), BTreeMap::from([("a", 2)]));
    }

    #[test]
    fn a_ready_worker_beside_a_waiting_request_is_found() {
        let text = GOOD.replace(r#"{"event":"dispatch","t":1.0,"client":"c","worker":"a","id":1,"attempt":1}"#, "");
        let found = idle(&recorded(&text));
        assert_eq!((found[0].request, found[0].worker.as_str()), (1, "a"));
    }

    #[test]
    fn who_was_lost_is_not_ready() {
        let text = format!(
            "{GOOD}\n{}",
            r#"{"event":"worker_down","t":1.4,"worker":"a","why":"silent"}
{"event":"request","t":1.5,"client":"c","id":3}
{"event":"request","t":1.6,"client":"d","id":4}"#
        );
        assert_eq!(idle(&recorded(&text)), []);
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let text = r#"{"event":"lost","count":7}
{"event":"dispatch","t":2.0,"client":"c","worker":"b","id":9,"attempt":1}
no event
{"event":"request","t":2.1,"client":"c","id":10}
{"event":"request","t":2.2,"client":"c","id":11}"#;
        assert_eq!(idle(&recorded(text)), []);
    }
}
