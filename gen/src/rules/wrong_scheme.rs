//! `wrong-scheme`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::list;

rule! {
    /// A URL speaks another protocol than the service that it names.
    ///
    /// ### What happens
    /// The connection comes about, and then one side hangs up: neither understands the other.
    ///
    /// ### What to do
    /// Write the scheme that the service understands, or the service that was meant.
    "wrong-scheme", Error, Default, topology: None, compose: Some(check)
}

/// Schemes that say which system is meant.
const SYSTEMS: &[&str] = &[
    "amqp", "amqps", "bolt", "cassandra", "mariadb", "mongo", "mongodb", "mysql", "nats", "neo4j", "postgres", "postgresql", "redis", "rediss",
];

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (service, endpoint, other) in context.surroundings.links() {
        let (Some(scheme), Some(known)) = (endpoint.scheme.as_deref(), other.known()) else { continue };
        let is_web = matches!(scheme, "http" | "https") && !known.schemes.contains(&"http") && endpoint.number().is_some_and(|port| known.ports.contains(&port));
        if known.schemes.is_empty() || known.schemes.contains(&scheme) || !(SYSTEMS.contains(&scheme) || is_web) {
            continue;
        }
        let image = other.image.map_or("", |(image, _)| image);
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(endpoint.origin, scheme)),
                format!("`{}` speaks `{scheme}` to `{}`, which is `{image}`", service.name, other.name),
                "neither side understands the other, and the connection is closed".to_owned(),
                format!("write a scheme that it understands: {}", list(known.schemes.iter().copied().take(2))),
            )
            .about(&endpoint.path)
            .with(Place::At(other.image.map_or(other.key, |(_, origin)| origin)), "what it is"),
        );
    }
}
