//! `unknown-host`

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::compose::surroundings::Host;
use crate::finding::{Finding, Place, did_you_mean};
use crate::rules::list;

rule! {
    /// A host name belongs to no service.
    ///
    /// ### What happens
    /// The name is looked up in the project's networks, where only services, their aliases and container names are known. Nothing
    /// is found: "name or service not known", again and again, while every container says "running".
    ///
    /// ### What to do
    /// Write the name of the service. A machine outside of the project needs its full name (`db.example.com`) or an entry in
    /// `extra_hosts`.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   db:
    ///     image: postgres:16.4
    ///   web:
    ///     image: acme/web:1.0
    ///     environment:
    ///       DATABASE_URL: postgres://db:5432/app    # not `database`
    /// ```
    "unknown-host", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        let network = all.network_owner(service).mode;
        for (endpoint, host) in all.connections(service) {
            if !endpoint.is_sure || endpoint.role != Role::Connect || !matches!(host, Host::Unknown) {
                continue;
            }
            // Docker's own names for the host, and what other programs in the container give.
            if matches!(endpoint.host.as_str(), "host" | "metadata" | "example" | "none" | "null" | "false" | "changeme" | "hostname" | "yourdomain") {
                continue;
            }
            let place = Place::At(all.narrow(endpoint.origin, &endpoint.host));
            let names = || all.services.keys().copied().filter(|name| *name != service.name);
            if network.is_some_and(|(mode, _)| mode == "none") {
                continue;
            }
            let help = match did_you_mean(&endpoint.host, names().take(1000)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names().next().is_none() => "write the full name of the machine, or add the service".to_owned(),
                None => format!("write the name of a service ({}), or the full name of a machine outside", list(names())),
            };
            findings.push(
                RULE.finding(
                    place,
                    format!("`{}` connects to `{}`, but no service has the name `{}`", service.name, endpoint.shown(), endpoint.host),
                    "the name is not found, and the connection never comes about".to_owned(),
                    help,
                )
                .about(&endpoint.path),
            );
        }
    }
}
