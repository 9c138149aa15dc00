//! `no-restart`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// Nothing starts a service again when it ends.
    ///
    /// ### What happens
    /// After a crash, or when the machine starts again, the service stays away.
    ///
    /// ### What to do
    /// `restart: unless-stopped`; for a job that ends say so: `restart: "no"`.
    "no-restart", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let jobs: std::collections::HashSet<&str> = context
        .services()
        .flat_map(|service| &service.depends_on)
        .filter(|one| one.condition == "service_completed_successfully")
        .map(|one| one.name)
        .collect();
    for service in context.services() {
        if service.node.get("restart").is_some() || service.node.at(&["deploy", "restart_policy"]).is_some() || jobs.contains(service.name) {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(service.key),
                format!("nothing starts `{}` again when it ends", service.name),
                "after a crash, or when the machine starts again, it stays away".to_owned(),
                "add `restart: unless-stopped`; for a job that ends, `restart: \"no\"`".to_owned(),
            )
            .about(service.path("restart")),
        );
    }
}
