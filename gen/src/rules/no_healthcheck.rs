//! `no-healthcheck`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// Nothing checks whether a service that others use still answers.
    ///
    /// ### What happens
    /// A process that hangs is "running". Nobody can wait until it answers, and nobody sees that it no longer does.
    ///
    /// ### What to do
    /// Add a `healthcheck`.
    "no-healthcheck", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let wanted: std::collections::HashSet<&str> = context.services().flat_map(|service| service.depends_on.iter().map(|one| one.name)).collect();
    for service in context.services() {
        let is_used = wanted.contains(service.name) || !service.ports.is_empty();
        let may_have = service.reference().is_none_or(|image| image.may_have_healthcheck()) && service.build.is_none();
        if service.health.is_some() || !is_used || may_have {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(service.key),
                format!("nothing checks whether `{}` still answers", service.name),
                "a process that hangs is \"running\" for everybody".to_owned(),
                "add a `healthcheck`".to_owned(),
            )
            .about(service.path("healthcheck")),
        );
    }
}
