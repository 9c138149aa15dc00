//! `missing-dependency`

use std::collections::HashSet;

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service connects to another one but does not wait for it.
    ///
    /// ### What happens
    /// Compose starts both at the same time. Whoever is faster finds nobody; a program that does not try again ends. When they stop,
    /// the order is left to chance as well.
    ///
    /// ### What to do
    /// Add `depends_on`, best with `condition: service_healthy`.
    "missing-dependency", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for (service, endpoint, other) in context.surroundings.links() {
        let waits = |name: &str| service.depends_on.iter().any(|one| one.name == name);
        // The other way round they would wait for each other.
        let is_back = other.depends_on.iter().any(|one| one.name == service.name);
        if service.name == other.name || waits(other.name) || is_back || !told.insert((service.name, other.name)) {
            continue;
        }
        let condition = if other.health.as_ref().is_some_and(|health| !health.is_disabled) { "service_healthy" } else { "service_started" };
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(endpoint.origin, &endpoint.host)),
                format!("`{}` connects to `{}` but does not wait for it", service.name, other.name),
                "they start at the same time: whoever is faster finds nobody".to_owned(),
                format!("add `depends_on: {{ {}: {{ condition: {condition} }} }}` to `{}`", other.name, service.name),
            )
            .about(&endpoint.path),
        );
    }
}
