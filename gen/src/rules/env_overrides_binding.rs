//! `env-overrides-binding`

use crate::finding::{Finding, Place, below};
use crate::plan::{Component, Origin, Role};
use crate::rules::Context;
use crate::source::decode::shorten;
use crate::spec::values::Duration;

rule! {
    /// `env` sets a variable that the topology sets already, to something else.
    ///
    /// ### What happens
    /// The program believes its environment: it connects or listens elsewhere than the plan, the networks, the firewall and
    /// the checks say, or works with another deadline than they reckon with.
    ///
    /// ### What to do
    /// Say it with the key that is meant for it (`broker = "…"`, `needs`, `frontend`, `deadline`, …) and remove the variable.
    "env-overrides-binding", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.components.values() {
        if component.env.values().all(|variable| variable.origin != Origin::User) {
            continue;
        }
        for (key, planned, remedy) in planned(component) {
            let Some(variable) = component.env.get(&key).filter(|variable| variable.origin == Origin::User) else { continue };
            // What Compose fills in later is not known here.
            if same(&variable.value, &planned) || variable.value.contains('$') {
                continue;
            }
            findings.push(RULE.finding(
                Place::Key(below(&below(&component.pointer, "env"), &key)),
                format!("`{key}` is `{}` here, but `{planned}` by the rest of the topology", shorten(&variable.value)),
                format!("`{}` does something else than the plan, the networks and the checks say", component.name),
                format!("remove it from `env`; {remedy}"),
            ));
        }
    }
}

/// Whether two values mean the same: `2s` is `2000ms`.
fn same(a: &str, b: &str) -> bool {
    let time = |text: &str| text.parse::<Duration>().ok();
    a == b || time(a).is_some_and(|a| time(b) == Some(a))
}

/// The variables that follow from a component's keys, with their values and the keys to use instead.
fn planned(component: &Component) -> Vec<(String, String, String)> {
    let mut planned = Vec::new();
    for binding in &component.bindings {
        let prefix = binding.need.to_uppercase().replace('-', "_");
        let key = match binding.need.as_str() {
            role @ ("broker" | "logger") => format!("say `{role} = \"…\"` to bind it to another {role}"),
            need => format!("say what it is bound to in `needs`: `{need} = \"…\"`"),
        };
        for (suffix, value) in [("HOST", binding.host.clone()), ("PORT", binding.port.to_string()), ("URL", binding.url())] {
            planned.push((format!("{prefix}_{suffix}"), value, key.clone()));
        }
    }
    let mut setting = |variable: &str, value: String, key: &str| {
        planned.push((variable.to_owned(), value, format!("the key `{key}` of the table is meant for it")));
    };
    match &component.role {
        Role::Broker { frontend, backend, deadline, retries, queue } => {
            setting("FRONTEND_PORT", frontend.to_string(), "frontend");
            setting("BACKEND_PORT", backend.to_string(), "backend");
            setting("DEADLINE", deadline.to_string(), "deadline");
            setting("RETRIES", retries.to_string(), "retries");
            setting("QUEUE", queue.to_string(), "queue");
        }
        Role::Worker { service_time: Some(time), .. } => setting("SERVICE_TIME", time.to_string(), "service_time"),
        Role::Client { requests, .. } => setting("REQUESTS", requests.to_string(), "requests"),
        Role::Logger { port, .. } => setting("LOGGER_PORT", port.to_string(), "port"),
        Role::Worker { .. } | Role::Service => {}
    }
    planned
}
