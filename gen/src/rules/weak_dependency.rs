//! `weak-dependency`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service waits for the start of another one that has a health check.
    ///
    /// ### What happens
    /// "Started" means that the process exists. A database takes seconds more until it answers; whoever connects before fails.
    ///
    /// ### What to do
    /// The check is there: wait for it, `condition: service_healthy`.
    "weak-dependency", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for dependency in service.depends_on.iter().filter(|one| one.condition == "service_started") {
            let Some(other) = context.surroundings.services.get(dependency.name) else { continue };
            let Some(health) = other.health.as_ref().filter(|health| !health.is_disabled && !health.test.is_empty()) else { continue };
            // `links` and the like imply a dependency that nobody wrote.
            let links = service.node.get("links").is_some_and(|links| links.items().iter().any(|link| link.origin == dependency.origin));
            if links {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(dependency.origin),
                    format!("`{}` waits only until `{}` has started, although its health is checked", service.name, other.name),
                    "a process that exists may not answer yet: the first connection fails".to_owned(),
                    format!("write `depends_on: {{ {}: {{ condition: service_healthy }} }}`", other.name),
                )
                .about(service.path(&format!("depends_on.{}", other.name)))
                .with(Place::At(health.origin), "the check"),
            );
        }
    }
}
