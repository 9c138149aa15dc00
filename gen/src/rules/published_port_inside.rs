//! `published-port-inside`

use crate::compose::Context;
use crate::compose::surroundings::Listens;
use crate::compose::view::{Health, Service};
use crate::finding::{Finding, Place};
use crate::rules::nobody_listens::is_published;

rule! {
    /// A service connects to the port that another one publishes on the host.
    ///
    /// ### What happens
    /// A published port is open on the host. Between containers only the port *in* the container counts: "connection refused".
    ///
    /// ### What to do
    /// Use the number behind the colon: with `ports: ["9998:5555"]` other services connect to `broker:5555`.
    "published-port-inside", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for (service, endpoint, other) in all.links() {
        let Some(port) = endpoint.number().filter(|port| is_published(other, *port)) else { continue };
        if matches!(all.listens(other, port), Listens::Yes) {
            continue;
        }
        let Some(published) = mapping(other, port) else { continue };
        findings.push(
            RULE.finding(
                Place::At(all.narrow(endpoint.origin, &port.to_string())),
                format!("`{}` connects to port {port} of `{}`, which is its port on the host; in the container it is {}", service.name, other.name, published.target),
                "between containers only the port in the container counts: \"connection refused\"".to_owned(),
                format!("connect to `{}:{}`", other.name, published.target),
            )
            .about(&endpoint.path)
            .with(Place::At(published.origin), format!("{port} on the host is {} in the container", published.target)),
        );
    }
    for service in context.services().filter(|service| service.mode.is_none()) {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled) else { continue };
        for port in local_ports(health) {
            let Some(published) = mapping(service, port).filter(|_| !matches!(all.listens(service, port), Listens::Yes)) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(health.test.last().map_or(health.origin, |(_, origin)| *origin), &port.to_string())),
                    format!("the health check of `{}` asks port {port}, which is the port on the host; in the container it is {}", service.name, published.target),
                    "the check runs in the container, where nothing listens there: it is never healthy".to_owned(),
                    format!("ask `localhost:{}`", published.target),
                )
                .about(service.path("healthcheck.test"))
                .with(Place::At(published.origin), format!("{port} on the host is {} in the container", published.target)),
            );
        }
    }
}

fn mapping<'s, 'p>(service: &'s Service<'p>, port: u16) -> Option<&'s crate::compose::view::Port<'p>> {
    service.ports.iter().find(|one| one.target != port && one.published.is_some_and(|(first, last)| (first..=last).contains(&port)))
}

/// Ports behind `localhost:` and `127.0.0.1:` in a check.
pub(crate) fn local_ports(health: &Health<'_>) -> Vec<u16> {
    let text = health.text();
    let mut ports = Vec::new();
    for host in ["localhost:", "127.0.0.1:", "0.0.0.0:"] {
        for (at, _) in text.match_indices(host) {
            let digits: String = text[at + host.len()..].chars().take_while(char::is_ascii_digit).collect();
            ports.extend(digits.parse::<u16>().ok().filter(|port| *port > 0));
        }
    }
    ports.dedup();
    ports
}
