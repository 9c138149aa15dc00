//! `broker-restart`: the broker goes and comes back; its workers and clients find it again by themselves.

use std::time::Duration;

use super::faults::at_work;
use super::load::token;
use super::{Bench, BrokerUnderTest, Check};
use crate::live::{Action, Error};

const NAME: &str = "broker-restart";
/// How long the clients ask.
const DURATION: Duration = Duration::from_secs(6);

/// Clients that ask all the time, and a restart in the middle.
pub fn check(bench: &Bench<'_>, test: &BrokerUnderTest<'_>) -> Result<Check, Error> {
    let subject = test.name();
    if bench.deployment.kind() == "local" && test.peers.broker.restart == crate::spec::Restart::No {
        return Ok(Check::skip(NAME, subject, "`restart = \"no\"`: nobody would start it again"));
    }
    let broker = bench.running(subject)?;
    let before = bench.deployment.ask(&broker, "/status").ok().map(|status| at_work(&status));
    let id = format!("AUD_{}", token());
    let timeout = format!("{}ms", (test.deadline + test.service + Duration::from_secs(1)).as_millis());
    let duration = format!("{}s", DURATION.as_secs());
    let words = [
        &*id,
        "--duration",
        &duration,
        "--rate",
        "20",
        "--concurrency",
        "4",
        "--json",
        "--request-tries",
        "20",
        "--request-timeout",
        &timeout,
    ];
    let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut client = bench.deployment.client(&broker, &arguments)?;
    bench.sleep(Duration::from_secs(1))?;
    bench.deployment.act(&broker, Action::Restart)?;
    (bench.progress)(&format!("{subject} is restarted, and four clients ask on"));
    bench.sleep(Duration::from_millis(300))?;
    let up = bench.is_up_again(&broker.name)?;
    let (lines, status) = client.rest(DURATION + test.patience() + Duration::from_secs(60))?;
    let outcomes: Vec<serde_json::Value> = lines.iter().filter_map(|(_, line)| serde_json::from_str(line).ok()).collect();
    let answered = outcomes.iter().filter(|outcome| outcome["reply"].is_string()).count();
    let retried = outcomes.iter().filter(|outcome| outcome["retries"].as_u64().unwrap_or(0) > 0).count();
    let mut trouble = Vec::new();
    if !up {
        trouble.push("the broker did not come back".to_owned());
    }
    if answered == outcomes.len() && answered > 0 && !status.success() {
        trouble.push("clients got replies that were not their own".to_owned());
    } else if answered < outcomes.len() || outcomes.is_empty() {
        trouble.push(format!("{answered} of {} requests were answered", outcomes.len()));
        let said = client.complaint();
        if outcomes.is_empty() && !said.is_empty() {
            trouble.push(said);
        }
    }
    let mut found = 0;
    if let Some(before) = before.filter(|_| up) {
        let all = bench.until(bench.deployment.patience(), || {
            let broker = bench.running(subject)?;
            let now = bench.deployment.ask(&broker, "/status").map(|status| at_work(&status)).unwrap_or_default();
            found = before.intersection(&now).count();
            Ok(found == before.len())
        })?;
        if !all {
            trouble.push(format!("{found} of {} workers found it again", before.len()));
        }
    }
    let done = "restarted it while four clients asked 20 questions a second";
    let well = format!("all {answered} requests were answered ({retried} were asked again), {found} workers found it again");
    let advice =
        "workers and clients must connect again by themselves: look at their logs; programs that do not need a broker that adopts them";
    Ok(Check::judged(NAME, subject, done, well, &trouble, advice))
}
