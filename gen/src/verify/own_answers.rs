//! `own-answers`, `no-idle-worker`, `spread`: what one load shows.

use std::time::{Duration, Instant};

use super::load::{Account, Load};
use super::{Bench, BrokerUnderTest, Check, events};
use crate::live::{Error, Instance};

/// Requests of the load: enough that one lost in fifty is seen, few enough that slow workers end.
const REQUESTS: (u64, u64) = (200, 400);
/// How long the load should take.
const TIME: Duration = Duration::from_secs(10);

/// Several clients at once ask questions that nobody can guess.
pub fn checks(bench: &Bench<'_>, test: &BrokerUnderTest<'_>) -> Result<Vec<Check>, Error> {
    let name = test.name();
    let workers = test.workers() as u64;
    if workers == 0 {
        return Ok(vec![Check::skip("own-answers", name, "it has no workers")]);
    }
    let broker = bench.running(name)?;
    let in_time = u64::try_from(TIME.as_millis() / test.service.as_millis().max(1)).unwrap_or(u64::MAX).saturating_mul(workers);
    let total = in_time.clamp(REQUESTS.0, REQUESTS.1).max(workers * 4);
    let clients = (workers * 2).clamp(8, 64);
    let each = total.div_ceil(clients);
    let recording = bench.listen(&broker);
    let arguments = ["--clients", &clients.to_string(), "--requests", &each.to_string()];
    let started = Instant::now();
    let mut load = Load::start(bench, &broker, test, &arguments)?;
    let mut known = 0;
    let mut since = Instant::now();
    bench.until(Duration::from_secs(3600), || {
        let settled = load.look();
        if settled > known {
            (known, since) = (settled, Instant::now());
            (bench.progress)(&format!("{name}: {settled} of {} answers", clients * each));
        }
        Ok(settled as u64 >= clients * each || since.elapsed() > test.patience() + Duration::from_secs(30))
    })?;
    let account = load.rest(test.patience() + Duration::from_secs(30))?;
    let took = started.elapsed();
    let done = format!("{clients} clients at once asked {} questions that nobody can guess", account.sent);
    let well = format!("{} own answers in {:.1} s; none missing, none twice, nobody else's", account.sent, took.as_secs_f64());
    let mut checks = vec![Check::judged("own-answers", name, done, well, &account.trouble(), ADVICE)];
    match recording {
        Ok(recording) => {
            // The last events may be on their way.
            bench.sleep(Duration::from_millis(100))?;
            let lines: Vec<String> = recording.ready().map(|(_, line)| line).collect();
            checks.push(no_idle_worker(name, &events::parse(lines.iter().map(String::as_str))));
        }
        Err(Error(why)) => checks.push(Check::skip("no-idle-worker", name, format!("its events cannot be read: {why}"))),
    }
    checks.push(spread(bench, test, &account)?);
    Ok(checks)
}

const ADVICE: &str = "look at `broker ask /status`, at the broker's log and at whether another broker uses the same name; a broker that fails here gives answers to the wrong clients";

fn no_idle_worker(name: &str, recorded: &[events::Event]) -> Check {
    let done = "read every event of the broker under that load";
    let dispatches: usize = events::dispatches(recorded).values().sum();
    if dispatches == 0 {
        return Check::fail(
            "no-idle-worker",
            name,
            done,
            "the broker told of no dispatch at all",
            "look at its `/events` yourself: `broker ask /events`",
        );
    }
    let idle = events::idle(recorded);
    let well = format!(
        "{dispatches} dispatches, {} requests open at most, and at no moment did one wait beside a ready worker",
        events::most_open(recorded)
    );
    let trouble: Vec<String> = match idle.first() {
        None => Vec::new(),
        Some(first) => vec![format!(
            "{} times a request waited although a worker was ready, first request {} beside `{}` at {:.3} s",
            idle.len(),
            first.request,
            first.worker,
            first.t
        )],
    };
    Check::judged(
        "no-idle-worker",
        name,
        done,
        well,
        &trouble,
        "the broker does not give work to free workers: use ours, or look for what holds it back",
    )
}

/// Every worker got some of the work.
fn spread(bench: &Bench<'_>, test: &BrokerUnderTest<'_>, account: &Account) -> Result<Check, Error> {
    let instances = bench.deployment.instances()?;
    let workers: Vec<&Instance> =
        instances.iter().filter(|instance| test.has_worker(&instance.component) && instance.is_running()).collect();
    let found = account.workers();
    let done = "counted who answered";
    let mut trouble = Vec::new();
    if found.len() < workers.len() {
        trouble.push(format!("{} workers run, and {} of them answered", workers.len(), found.len()));
        for worker in &workers {
            if let Some(identity) = worker.identity.as_deref().filter(|identity| !found.contains_key(identity)) {
                trouble.push(format!("`{}` (`{identity}`) answered nothing", worker.name));
            }
        }
    }
    let (least, most) = (found.values().min().copied().unwrap_or(0), found.values().max().copied().unwrap_or(0));
    let well = format!("{} workers answered {least} to {most} requests each", found.len());
    let advice = "a worker that gets nothing is bound to another broker, or not registered: `broker ask /status` lists the workers";
    Ok(Check::judged("spread", test.name(), done, well, &trouble, advice))
}
