//! `stop-grace-too-short`

use crate::compose;
use crate::compose::view::milliseconds;
use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::Context;
use crate::spec::values::Duration;

rule! {
    /// A component is killed before it has ended by itself.
    ///
    /// ### What happens
    /// On SIGTERM our services finish what they have in hand, for up to 4 s (`DRAIN`). When the engine does not wait that long it
    /// kills them: requests in hand are lost, the last records of a logger are not written, and the exit code is 137.
    ///
    /// ### What to do
    /// Let `stop_grace` be longer than the drain; the default, `10s`, is.
    "stop-grace-too-short", Warning, Default, topology: Some(check), compose: Some(check_compose)
}

/// How long our own services drain when `DRAIN` does not say otherwise.
const DRAIN: Duration = Duration::from_millis(4000);

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.deployed().filter(|component| component.is_own()) {
        if !matches!(component.role, Role::Broker { .. } | Role::Worker { .. } | Role::Logger { .. }) {
            continue;
        }
        let drain = match component.env.get("DRAIN").map(|variable| variable.value.parse()) {
            None => DRAIN,
            Some(Ok(drain)) => drain,
            Some(Err(_)) => continue,
        };
        if component.stop_grace > drain {
            continue;
        }
        findings.push(RULE.finding(
            Place::value_of(&component.pointer, "stop_grace"),
            format!("`{}` is killed after {}, but it may take {drain} to end by itself", component.name, component.stop_grace),
            "what it has in hand is lost, and it ends with exit code 137".to_owned(),
            "remove `stop_grace` (the default is `10s`), or set `DRAIN` in `env` to a shorter time".to_owned(),
        ));
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let said = service.text("stop_grace_period");
        let grace = said.map_or(Some(10_000), |(text, _)| milliseconds(text));
        for (name, variable) in &service.environment {
            let upper = name.to_ascii_uppercase();
            let has = |words: &[&str]| words.iter().any(|word| upper.split('_').any(|part| part == *word));
            // Work that goes on is cut off only where somebody chose a time.
            let is_work = said.is_some() && has(&["WORK", "JOB", "TASK", "SERVICE", "REQUEST"]) && has(&["TIME", "DURATION", "TIMEOUT", "DEADLINE"]);
            let is_drain = has(&["SHUTDOWN", "DRAIN", "GRACE", "GRACEFUL", "TERMINATION"]) || is_work;
            let Some(drain) = variable.value.as_deref().filter(|_| is_drain).and_then(time) else { continue };
            let Some(grace) = grace.filter(|grace| *grace < drain) else { continue };
            let shown = said.map_or("10s (the default)", |(text, _)| text);
            let mut finding = RULE.finding(
                Place::At(said.map_or(variable.origin, |(_, origin)| origin)),
                format!("`{}` is killed after {shown}, but `{name}` gives it {} to end by itself", service.name, variable.value.as_deref().unwrap_or_default()),
                "what it has in hand is lost, and it ends with exit code 137".to_owned(),
                format!("write `stop_grace_period: {}s`, or a shorter `{name}`", drain / 1000 + 5),
            );
            if said.is_some() {
                finding.related.push((Place::At(variable.origin), "what it needs".to_owned()));
            }
            let _ = grace;
            findings.push(finding.about(service.path("stop_grace_period")));
        }
    }
}

/// A duration with its unit; bare numbers may be seconds or milliseconds.
fn time(text: &str) -> Option<u64> {
    milliseconds(text).filter(|time| *time > 0)
}
