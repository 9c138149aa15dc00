//! `deprecated-links`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service has `links`, which nobody needs any more.
    ///
    /// ### What happens
    /// Services of one network know each other by name without it. A link hides which of several networks is used, and says
    /// nothing of the order.
    ///
    /// ### What to do
    /// Remove it; for another name give the other service an alias, for the order write `depends_on`.
    "deprecated-links", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for key in ["links", "external_links"] {
            let Some(links) = service.node.get(key).filter(|links| !links.items().is_empty()) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(service.node.key(key)),
                    format!("`{}` has `{key}`, which services of one network do not need", service.name),
                    "it says nothing that the network does not say already".to_owned(),
                    "remove it; use `depends_on` for the order, and aliases for other names".to_owned(),
                )
                .about(service.path(key)),
            );
            let _ = links;
        }
    }
}
