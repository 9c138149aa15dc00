//! `sla-throughput`, `sla-p95`: what the topology promises, measured.

use std::time::Duration;

use super::load::Load;
use super::{Bench, BrokerUnderTest, Check};
use crate::live::Error;
use crate::spec::Sla;

/// How long each is measured.
const TIME: Duration = Duration::from_secs(5);

/// What is promised against what is measured.
pub fn checks(bench: &Bench<'_>, test: &BrokerUnderTest<'_>, sla: &Sla) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    let name = test.name();
    let broker = bench.running(name)?;
    let clients = (test.workers() * 4).clamp(8, 128).to_string();
    let wait = TIME + test.patience() + Duration::from_secs(30);
    if let Some(promised) = sla.throughput.map(|throughput| throughput.0) {
        let load = Load::start(bench, &broker, test, &["--clients", &clients, "--window", "2"])?;
        bench.sleep(TIME)?;
        let account = load.finish(wait)?;
        let rate = f64::from(u32::try_from(account.answered().count()).unwrap_or(u32::MAX)) / account.span().as_secs_f64().max(0.001);
        let mut trouble = account.trouble();
        if rate < promised {
            trouble.push(format!("{rate:.0} requests a second; {promised} are promised"));
        }
        let done = format!("{clients} clients asked as fast as they could for {} s", TIME.as_secs());
        checks.push(Check::judged(
            "sla-throughput",
            name,
            done,
            format!("{rate:.0} requests a second; {promised} are promised"),
            &trouble,
            "more workers, or a smaller promise: `cbwgen lint` computes what the workers can do",
        ));
    }
    if let Some(promised) = sla.p95.map(|p95| Duration::from_millis(p95.as_millis())) {
        // At the load that is promised, or at half of what the workers can do.
        let able = f64::from(u32::try_from(test.workers()).unwrap_or(u32::MAX)) / test.service.as_secs_f64().max(0.001) / 2.0;
        let rate = sla.throughput.map_or(able.min(200.0), |throughput| throughput.0).max(1.0).to_string();
        let load = Load::start(bench, &broker, test, &["--clients", &clients, "--window", "8", "--rate", &rate])?;
        bench.sleep(TIME)?;
        let account = load.finish(wait)?;
        let p95 = account.percentile(95);
        let mut trouble = account.trouble();
        let seen = format!("95 of 100 answers within {:.1} ms; {} ms are promised", p95.as_secs_f64() * 1000.0, promised.as_millis());
        if p95 > promised {
            trouble.push(seen.clone());
        }
        checks.push(Check::judged(
            "sla-p95",
            name,
            format!("{rate} requests a second for {} s", TIME.as_secs()),
            seen,
            &trouble,
            "more workers shorten the queue; a faster service time shortens the rest",
        ));
    }
    Ok(checks)
}
