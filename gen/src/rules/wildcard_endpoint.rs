//! `wildcard-endpoint`

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::compose::surroundings::binds;
use crate::finding::{Finding, Place};

rule! {
    /// A service connects to every address: `*`, `0.0.0.0` or `::`.
    ///
    /// ### What happens
    /// One can listen on every address, but connect only to one. ZeroMQ refuses `*` ("invalid argument"); `0.0.0.0` is the container
    /// itself on Linux, where nothing listens.
    ///
    /// ### What to do
    /// Write the name of the service that listens.
    "wildcard-endpoint", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for endpoint in service.endpoints.iter().filter(|one| one.role == Role::Connect && one.is_wildcard()) {
            let other = endpoint.number().and_then(|port| {
                all.services.values().take(1000).find(|other| other.name != service.name && binds(other).any(|(bound, _)| bound == port))
            });
            let help = match (other, endpoint.number()) {
                (Some(other), Some(port)) => format!("write the name of the service that listens: `{}:{port}`", other.name),
                _ => "write the name of the service that listens".to_owned(),
            };
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &endpoint.host)),
                    format!("`{}` connects to `{}`: `{}` is where one listens, not where one connects to", service.name, endpoint.shown(), endpoint.host),
                    "the program ends with \"invalid argument\", or finds nobody but itself".to_owned(),
                    help,
                )
                .about(&endpoint.path),
            );
        }
    }
}
