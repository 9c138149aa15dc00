//! `nobody-listens`

use crate::compose::Context;
use crate::compose::surroundings::{Listens, binds};
use crate::compose::endpoint::Role;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};

rule! {
    /// A service connects to a port on which the other one does not listen.
    ///
    /// ### What happens
    /// "connection refused", or, with ZeroMQ, silence: both ends wait for each other for ever, and every container says "running".
    ///
    /// ### What to do
    /// Let one side listen (`BIND: tcp://*:5555`) and the other connect to the same number.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   broker:
    ///     environment: { BIND: "tcp://*:5555" }
    ///   worker:
    ///     environment: { CONNECT: "tcp://broker:5555" }
    /// ```
    "nobody-listens", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for (service, endpoint, other) in all.links() {
        let Some(port) = endpoint.number() else { continue };
        if service.name == other.name || is_published(other, port) {
            continue;
        }
        let place = Place::At(all.narrow(endpoint.origin, &port.to_string()));
        if other.replicas.0 == 0 {
            findings.push(
                RULE.finding(
                    place,
                    format!("`{}` connects to `{}`, of which no instance runs", service.name, other.name),
                    "the name is not found, and the connection never comes about".to_owned(),
                    format!("run one instance of `{}` at least", other.name),
                )
                .about(&endpoint.path)
                .with(Place::At(other.replicas.1), "no instance"),
            );
            continue;
        }
        match all.listens(other, port) {
            Listens::No(ports) if other.known().is_some() || is_bare(endpoint.scheme.as_deref()) => {
                let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
                let bound = binds(other).next().map_or(other.image.map_or(other.key, |(_, origin)| origin), |(_, endpoint)| endpoint.origin);
                findings.push(
                    RULE.finding(
                        place,
                        format!("`{}` connects to port {port} of `{}`, which listens on {}", service.name, other.name, numbers.join(", ")),
                        "the connection never comes about: \"connection refused\"".to_owned(),
                        format!("connect to `{}:{}`", other.name, numbers.first().map_or("PORT", String::as_str)),
                    )
                    .about(&endpoint.path)
                    .with(Place::At(bound), format!("`{}` listens here", other.name)),
                );
            }
            Listens::Unknown if is_bare(endpoint.scheme.as_deref()) && connects_back(all, other, service) => {
                findings.push(
                    RULE.finding(
                        place,
                        format!("`{}` and `{}` connect to each other on port {port}, and nobody listens", service.name, other.name),
                        "both wait for ever; with ZeroMQ there is not even an error".to_owned(),
                        format!("let `{}` listen: `tcp://*:{port}`", other.name),
                    )
                    .about(&endpoint.path)
                    .with(Place::At(other.key), "this one connects, too"),
                );
            }
            _ => {}
        }
    }
}

/// Protocols of which the endpoint is the whole truth: `ZeroMQ` and its like.
fn is_bare(scheme: Option<&str>) -> bool {
    matches!(scheme, Some("tcp" | "zmq"))
}

/// Whether it has such endpoints to the first one, and listens on none.
fn connects_back(all: &crate::compose::surroundings::Surroundings<'_>, other: &Service<'_>, to: &Service<'_>) -> bool {
    let mut bare = other.endpoints.iter().filter(|endpoint| is_bare(endpoint.scheme.as_deref()) && endpoint.role == Role::Connect);
    bare.any(|endpoint| matches!(all.resolve(other, &endpoint.host), crate::compose::surroundings::Host::Services(found) if found.first().and_then(|index| all.service(*index)).is_some_and(|found| found.name == to.name)))
}

/// Then it is the host's port that is meant, which another rule tells.
pub(crate) fn is_published(service: &Service<'_>, port: u16) -> bool {
    service.ports.iter().any(|one| one.target != port && one.published.is_some_and(|(first, last)| (first..=last).contains(&port)))
}
