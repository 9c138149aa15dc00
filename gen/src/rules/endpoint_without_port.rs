//! `endpoint-without-port`

use crate::compose::Context;
use crate::compose::endpoint::{Port, Role};
use crate::compose::surroundings::{Host, binds};
use crate::finding::{Finding, Place};

rule! {
    /// An endpoint has no port, or one that cannot be.
    ///
    /// ### What happens
    /// `tcp://` has no port of its own. ZeroMQ says "invalid argument" and the program ends; other programs guess.
    ///
    /// ### What to do
    /// Write the port that the other side listens on: `tcp://broker:5555`. It is a number from 1 to 65535.
    "endpoint-without-port", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for endpoint in service.endpoints.iter().filter(|one| one.role != Role::Other && one.scheme.is_some()) {
            let needs_port = matches!(endpoint.scheme.as_deref(), Some("tcp" | "udp" | "zmq")) && !endpoint.name.contains("DOCKER");
            let what = match &endpoint.port {
                Port::Missing if needs_port => "has no port".to_owned(),
                Port::Wrong(text) => format!("has the port `{text}`, which is none"),
                _ => continue,
            };
            let port = match all.resolve(service, &endpoint.host) {
                Host::Services(found) => found.first().and_then(|index| all.service(*index)).and_then(|other| {
                    binds(other).map(|(port, _)| port).next().or(other.exposed.first().copied()).or(other.ports.first().map(|port| port.target))
                }),
                _ => None,
            };
            let scheme = endpoint.scheme.as_deref().unwrap_or_default();
            let help = match port {
                Some(port) => format!("write `{scheme}://{}:{port}`", endpoint.host),
                None => format!("write the port that the other side listens on: `{scheme}://{}:5555`", endpoint.host),
            };
            findings.push(
                RULE.finding(
                    Place::At(endpoint.origin),
                    format!("the endpoint `{}` of `{}` {what}", endpoint.shown(), service.name),
                    "the program ends with \"invalid argument\", or connects to a port that nobody meant".to_owned(),
                    help,
                )
                .about(&endpoint.path),
            );
        }
    }
}
