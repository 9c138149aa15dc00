//! `nobody-connects`

use std::collections::HashSet;

use crate::compose::Context;
use crate::compose::surroundings::binds;
use crate::finding::{Finding, Place};

rule! {
    /// A service listens on an endpoint to which nobody connects.
    ///
    /// ### What happens
    /// With ZeroMQ there is no error: it waits for ever. Often the other side listens too, instead of connecting.
    ///
    /// ### What to do
    /// Let the other side connect (`tcp://broker:5555`), publish the port for clients outside, or remove the endpoint.
    "nobody-connects", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    let used: HashSet<(&str, u16)> = all.links().filter_map(|(_, endpoint, to)| Some((to.name, endpoint.number()?))).collect();
    for service in context.services() {
        for (port, endpoint) in binds(service).filter(|(_, endpoint)| endpoint.scheme.as_deref() == Some("tcp")) {
            let is_published = service.ports.iter().any(|one| one.target == port) || service.exposed.contains(&port) || service.mode.is_some();
            if is_published || used.contains(&(service.name, port)) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &port.to_string())),
                    format!("`{}` listens on port {port}, to which nobody connects", service.name),
                    "it waits for ever; with ZeroMQ there is not even an error".to_owned(),
                    format!("let the other side connect to `tcp://{}:{port}`, or publish the port", service.name),
                )
                .about(&endpoint.path),
            );
        }
    }
}
