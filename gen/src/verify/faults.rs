//! `kill`, `pause`, `cut`: a worker is lost while it is busy.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::load::{Account, Load};
use super::{Bench, BrokerUnderTest, Check, Trial};
use crate::live::fault::{Fault, Standing, stop_it_busy};
use crate::live::{Error, Instance};

/// A request may take this much longer than deadline and service time.
const SLACK: Duration = Duration::from_secs(1);

/// What happens, in words.
#[must_use]
pub fn words(trial: Trial) -> &'static str {
    match trial {
        Trial::Kill => "it is killed",
        Trial::Pause => "it is paused past its deadline",
        _ => "it is cut off from the network",
    }
}

/// The check's name.
#[must_use]
pub fn name(trial: Trial) -> &'static str {
    match trial {
        Trial::Kill => "kill",
        Trial::Pause => "pause",
        _ => "cut",
    }
}

/// How long a worker that is stopped may be given nothing, and how often it is tried.
const GIVEN: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;

/// How long a client may take to start.
const BEGINS: Duration = Duration::from_secs(60);

/// Lets it happen under load; each request must be answered exactly once, in time, and the worker must come back.
pub fn check(bench: &Bench<'_>, test: &BrokerUnderTest<'_>, trial: Trial) -> Result<Check, Error> {
    let (check, subject) = (name(trial), test.name());
    if trial == Trial::Cut && !bench.deployment.can_cut() {
        return Ok(Check::skip(check, subject, "local processes have no network of their own to be cut off from"));
    }
    let instances = bench.deployment.instances()?;
    let workers: Vec<Instance> =
        instances.into_iter().filter(|instance| test.has_worker(&instance.component) && instance.is_running()).collect();
    if workers.len() < 2 {
        return Ok(Check::skip(check, subject, "with fewer than two workers nobody could take over"));
    }
    // Another one each time, so that a fault that leaves something behind shows in the next check.
    let victim = &workers[trial as usize % workers.len()];
    let broker = bench.running(subject)?;
    let events = bench.listen(&broker);

    let clients = (workers.len() * 2).clamp(4, 32).to_string();
    let able = f64::from(u32::try_from(workers.len()).unwrap_or(u32::MAX)) / test.service.as_secs_f64().max(0.02);
    let rate = able.clamp(1.0, 50.0).to_string();
    let mut load = Load::start(bench, &broker, test, &["--clients", &clients, "--rate", &rate, "--linger", "1s"])?;
    // However long it takes to begin: a worker that is stopped before is given up by the broker meanwhile.
    let _ = bench.until(BEGINS, || Ok(load.look() > 0))?;
    let held = match (&events, &victim.identity) {
        (Ok(events), Some(identity)) => stop_it_busy(bench.deployment, victim, identity, events, TRIES, GIVEN + test.service)?,
        _ => {
            let pause = Standing::begin(bench.deployment, victim, Fault::Pause)?;
            bench.sleep(Duration::from_secs(1) + test.service)?;
            Some(pause)
        }
    };
    let Some(pause) = held else {
        drop(load.finish(test.patience() + Duration::from_secs(10)));
        let seen = format!("`{}` was given nothing, {TRIES} times within {} s", victim.name, GIVEN.as_secs());
        return Ok(Check::fail(
            check,
            subject,
            "waited until a worker is busy",
            seen,
            "is it registered? `broker ask /status` lists the workers",
        ));
    };
    (bench.progress)(&format!("{subject}: {} is busy, and {}", victim.name, words(trial)));
    let happened = Instant::now();
    match trial {
        Trial::Kill => {
            let kill = Standing::begin(bench.deployment, victim, Fault::Kill)?;
            // Nothing is left to be resumed.
            pause.forget();
            bench.sleep(Duration::from_millis(500))?;
            kill.end()?;
        }
        Trial::Pause => {
            bench.sleep(test.deadline + Duration::from_millis(500))?;
            pause.end()?;
        }
        _ => {
            let cut = Standing::begin(bench.deployment, victim, Fault::Cut)?;
            // Now it works on, and its answer goes nowhere.
            pause.end()?;
            bench.sleep(test.deadline + test.service + Duration::from_millis(500))?;
            cut.end()?;
        }
    }
    let back = comes_back(bench, &broker, victim)?;
    bench.sleep((test.deadline + test.service).saturating_sub(happened.elapsed()) + Duration::from_millis(200))?;
    let account = load.finish(test.patience() + Duration::from_secs(10))?;
    Ok(judge(test, trial, victim, &account, back))
}

/// Whether the worker takes work again: the broker says so, or, of a broker that says nothing, the worker runs.
fn comes_back(bench: &Bench<'_>, broker: &Instance, victim: &Instance) -> Result<bool, Error> {
    if !bench.is_up_again(&victim.name)? {
        return Ok(false);
    }
    if victim.identity.is_none() || bench.deployment.ask(broker, "/status").is_err() {
        return Ok(true);
    }
    bench.until(bench.deployment.patience(), || {
        // A Swarm's new task has another host name, and so another identity.
        let now = bench.deployment.instances()?.into_iter().find(|instance| instance.name == victim.name);
        let Some(identity) = now.and_then(|instance| instance.identity) else { return Ok(false) };
        let Ok(status) = bench.deployment.ask(broker, "/status") else { return Ok(false) };
        Ok(at_work(&status).contains(identity.as_str()))
    })
}

/// The identities of the workers that are ready or working, from a broker's status.
#[must_use]
pub fn at_work(status: &str) -> BTreeSet<String> {
    let status: serde_json::Value = serde_json::from_str(status).unwrap_or_default();
    let workers = status["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let busy = workers.iter().filter(|worker| matches!(worker["state"].as_str(), Some("ready" | "working")));
    busy.filter_map(|worker| worker["id"].as_str()).map(str::to_owned).collect()
}

fn judge(test: &BrokerUnderTest<'_>, trial: Trial, victim: &Instance, account: &Account, back: bool) -> Check {
    let mut trouble = account.trouble();
    let limit = test.deadline + test.service + SLACK;
    let longest = account.longest();
    if longest > limit {
        let seconds = |time: Duration| time.as_secs_f64();
        trouble.push(format!("an answer took {:.2} s; deadline and service time allow {:.2} s", seconds(longest), seconds(limit)));
    }
    if !back {
        trouble.push(format!("`{}` did not come back", victim.name));
    }
    let done = format!("{} under load: while it was busy {}", victim.name, words(trial));
    let well = format!("{} requests, each answered once; the longest took {:.2} s; it is back", account.sent, longest.as_secs_f64());
    let advice = "look at `broker ask /events` while `cbwgen fault` does the same: a request that is lost with its worker must be given to another one";
    Check::judged(name(trial), test.name(), done, well, &trouble, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_or_wants_work_is_at_work() {
        let status = r#"{"workers":[{"id":"a","state":"ready"},{"id":"b","state":"late"},{"id":"c","state":"working"}]}"#;
        assert_eq!(at_work(status), BTreeSet::from(["a".to_owned(), "c".to_owned()]));
        assert_eq!(at_work("no status"), BTreeSet::new());
    }
}
