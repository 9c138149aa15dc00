//! `down-up`: all goes down and comes up again, and the log is still there.

use super::{Bench, BrokerUnderTest, Check};
use crate::live::Error;

const NAME: &str = "down-up";

/// Takes the deployment down and brings it up.
pub fn checks(bench: &Bench<'_>, brokers: &[BrokerUnderTest<'_>]) -> Result<Vec<Check>, Error> {
    let loggers: Vec<&str> = {
        let mut names: Vec<&str> = brokers.iter().filter_map(|broker| broker.peers.broker.bound_to("logger")).collect();
        names.dedup();
        names
    };
    let mut before = Vec::new();
    for logger in &loggers {
        before.push(bench.deployment.log(&bench.running(logger)?)?);
    }
    if let Err(Error(why)) = bench.deployment.recycle() {
        return Ok(vec![Check::skip(NAME, "", why)]);
    }
    let mut trouble = Vec::new();
    for (logger, before) in loggers.iter().zip(&before) {
        let after = bench.deployment.log(&bench.running(logger)?)?;
        if !after.starts_with(before) {
            trouble.push(format!("the log of `{logger}` had {} bytes, and does not begin as it did", before.len()));
        }
    }
    let well = format!("all is up again, and {} kept every byte", crate::rules::count(loggers.len() as u64, "log"));
    let mut checks = vec![Check::judged(NAME, "", "took it down and brought it up", well, &trouble, "give the logger a `volume`")];
    for broker in brokers {
        checks.extend(super::own_answers::checks(bench, broker)?);
    }
    Ok(checks)
}
