//! `plan`: is the deployment what the plan says? `unchanged`: is it, at the end, as it was found?

use super::{Bench, Check};
use crate::live::{Error, Instance, State};

const NAME: &str = "plan";

/// Instances, images, settings, ports, networks and volumes against the plan.
pub fn check(bench: &Bench<'_>, seen: &[Instance]) -> Result<Check, Error> {
    let mut trouble = numbers(bench, seen);
    trouble.extend(bench.stale.clone());
    trouble.extend(bench.deployment.drift(bench.plan)?);
    let well = format!("{} as planned", crate::rules::count(seen.len() as u64, "instance"));
    let advice = "`make deploy` brings it to what the topology says, `cbwgen plan --live` shows what that would change";
    Ok(Check::judged(NAME, "", "compared topology, generated files and instances", well, &trouble, advice))
}

/// Components that have more or fewer instances than planned, or unhealthy ones.
fn numbers(bench: &Bench<'_>, seen: &[Instance]) -> Vec<String> {
    let mut trouble = Vec::new();
    for component in bench.plan.deployed() {
        let name = &component.name;
        let own = || seen.iter().filter(|instance| instance.component == *name);
        // Clients have done their work and ended.
        let counted = own().filter(|instance| component.is_one_shot() || matches!(instance.state, State::Running)).count();
        if counted as u64 != u64::from(component.replicas) {
            let verb = if component.is_one_shot() { "are there" } else { "run" };
            trouble.push(format!("`{name}`: {counted} {verb}, {} planned", component.replicas));
        }
        for instance in own() {
            match instance.state {
                State::Exited(code) if component.is_one_shot() && code != 0 => {
                    trouble.push(format!("`{}` ended with exit code {code}", instance.name));
                }
                _ => {}
            }
            if instance.health.as_deref() == Some("unhealthy") {
                trouble.push(format!("`{}` is unhealthy", instance.name));
            }
        }
    }
    for instance in seen.iter().filter(|instance| bench.plan.component(&instance.component).is_none()) {
        trouble.push(format!("`{}` is in no plan", instance.name));
    }
    trouble
}

/// Whether whoever ran before runs now.
pub fn left_behind(bench: &Bench<'_>, before: &[Instance]) -> Result<Check, Error> {
    let runs = |instances: &[Instance]| -> Vec<String> {
        instances.iter().filter(|instance| instance.is_running()).map(|instance| instance.name.clone()).collect()
    };
    let wanted = runs(before);
    let mut now = Vec::new();
    let same = bench.until(bench.deployment.patience(), || {
        now = runs(&bench.deployment.instances()?);
        Ok(now == wanted)
    })?;
    let missing: Vec<String> =
        wanted.iter().filter(|name| !now.contains(name)).map(|name| format!("`{name}` does not run any more")).collect();
    let added = now.iter().filter(|name| !wanted.contains(name)).map(|name| format!("`{name}` runs now"));
    let trouble: Vec<String> = if same { Vec::new() } else { missing.into_iter().chain(added).collect() };
    let well = format!("the same {} run", crate::rules::count(wanted.len() as u64, "instance"));
    Ok(Check::judged(
        "unchanged",
        "",
        "compared the instances with those at the beginning",
        well,
        &trouble,
        "`cbwgen status` shows how they are",
    ))
}
