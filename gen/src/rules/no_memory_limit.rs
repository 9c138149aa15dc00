//! `no-memory-limit`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// Nothing limits the memory of a container.
    ///
    /// ### What happens
    /// A leak in one program takes the memory of the machine; Linux then kills whichever process it finds worst, often another one.
    ///
    /// ### What to do
    /// `mem_limit: 256m`, or `deploy: { resources: { limits: { memory: 256M } } }`.
    "no-memory-limit", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        if service.node.get("mem_limit").is_some() || service.node.at(&["deploy", "resources", "limits", "memory"]).is_some() {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(service.key),
                format!("nothing limits the memory of `{}`", service.name),
                "a leak takes the memory of the whole machine".to_owned(),
                "add `mem_limit: 256m`, or as much as it needs".to_owned(),
            )
            .about(service.path("mem_limit")),
        );
    }
}
