//! `unreachable-host`

use crate::compose::Context;
use crate::compose::surroundings::Host;
use crate::finding::{Finding, Place};
use crate::rules::list;

rule! {
    /// Two services that talk to each other share no network.
    ///
    /// ### What happens
    /// A name is known only to the services of the same network. The connection never comes about: "name or service not known".
    /// A service with `network_mode: host` or `none` has no name for anybody.
    ///
    /// ### What to do
    /// Let both join one network.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   broker:
    ///     networks: [front, back]
    ///   worker:
    ///     environment: { CONNECT: "tcp://broker:5555" }
    ///     networks: [back]
    /// ```
    "unreachable-host", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for (endpoint, host) in all.connections(service) {
            let Host::Unreachable(other) = host else { continue };
            let (owner, other_owner) = (all.network_owner(service), all.network_owner(other));
            // A service that uses the network of another is reached by the other's name.
            if std::ptr::eq(owner, other_owner) {
                continue;
            }
            let mode = |one: &crate::compose::view::Service<'_>| one.mode.map(|(mode, _)| mode.to_owned());
            let networks = |one: &crate::compose::view::Service<'_>| list(one.networks.iter().map(|attachment| attachment.network));
            let (why, help) = match (mode(owner), mode(other_owner)) {
                (Some(mode), _) if mode == "host" => (
                    format!("`{}` uses the host's network, where no service has a name", service.name),
                    format!("publish the port of `{}` and connect to `127.0.0.1`, or remove `network_mode: host`", other.name),
                ),
                (Some(mode), _) if mode == "none" => {
                    (format!("`{}` has no network at all", service.name), "remove `network_mode: none`".to_owned())
                }
                (_, Some(mode)) if mode == "host" => (
                    format!("`{}` uses the host's network, where it has no name", other.name),
                    "connect to `host.docker.internal` with `extra_hosts: [\"host.docker.internal:host-gateway\"]`, or remove `network_mode: host`".to_owned(),
                ),
                (_, Some(mode)) if mode.starts_with("service:") => (
                    format!("`{}` uses the network of `{}` and has no name of its own", other.name, other_owner.name),
                    format!("connect to `{}`", other_owner.name),
                ),
                (_, Some(mode)) => (format!("`{}` has `network_mode: {mode}`", other.name), "let both join one network".to_owned()),
                (Some(mode), _) => (format!("`{}` has `network_mode: {mode}`", service.name), "let both join one network".to_owned()),
                (None, None) => (
                    format!("`{}` is in {}, `{}` in {}", service.name, networks(owner), other.name, networks(other_owner)),
                    match owner.networks.first() {
                        Some(attachment) => format!("add `{}` to the `networks` of `{}`", attachment.network, other.name),
                        None => "let both join one network".to_owned(),
                    },
                ),
            };
            let place = other.mode.map(|(_, origin)| origin).or(other.networks.first().map(|attachment| attachment.origin)).unwrap_or(other.key);
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &endpoint.host)),
                    format!("`{}` connects to `{}`, which it cannot reach: {why}", service.name, endpoint.shown()),
                    format!("the name `{}` is not found, and the connection never comes about", endpoint.host),
                    help,
                )
                .about(&endpoint.path)
                .with(Place::At(place), format!("`{}` is somewhere else", other.name)),
            );
        }
    }
}
