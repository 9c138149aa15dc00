//! `inactive-host`

use crate::compose::Context;
use crate::compose::surroundings::Host;
use crate::finding::{Finding, Place};
use crate::rules::list;

rule! {
    /// A service connects to one that is behind a profile which is not active.
    ///
    /// ### What happens
    /// `docker compose up` does not start the other one, and says nothing: unlike `depends_on`, an address in a variable is only
    /// text to Compose. The name is not found.
    ///
    /// ### What to do
    /// Take the profile away, start with `--profile NAME`, or put both behind it.
    "inactive-host", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for (endpoint, host) in all.connections(service) {
            let Host::Inactive(other) = host else { continue };
            let profiles = other.node.get("profiles");
            let names: Vec<&str> = profiles.map(crate::compose::tree::Node::items).unwrap_or_default().iter().filter_map(|item| item.str()).collect();
            let first = names.first().copied().unwrap_or("NAME");
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &endpoint.host)),
                    format!("`{}` connects to `{}`, which is not started: profile {} is not active", service.name, endpoint.host, list(names.iter().copied())),
                    format!("the name `{}` is not found, and the connection never comes about", endpoint.host),
                    format!("remove `profiles` from `{}`, start with `--profile {first}`, or give `{}` the same profile", other.name, service.name),
                )
                .about(&endpoint.path)
                .with(Place::At(profiles.map_or(other.key, |profiles| profiles.origin)), "the profile that is not active"),
            );
        }
    }
}
