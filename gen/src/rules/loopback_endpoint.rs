//! `loopback-endpoint`

use std::collections::HashMap;

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::compose::surroundings::Listens;
use crate::finding::{Finding, Place};

rule! {
    /// A service looks for another one on `localhost`.
    ///
    /// ### What happens
    /// In a container `localhost` is the container itself. Nothing listens there: "connection refused".
    ///
    /// ### What to do
    /// Connect to the other service by its name and its port in the container.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   web:
    ///     environment:
    ///       DATABASE_URL: postgres://db:5432/app    # not `localhost`
    ///   db:
    ///     image: postgres:16.4
    /// ```
    "loopback-endpoint", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    // Who listens on a port, and on which network's addresses: the first of each is enough.
    let mut listeners: HashMap<u16, Vec<usize>> = HashMap::new();
    for (index, service) in all.services.values().enumerate() {
        let ports = service.known().map(|known| known.ports).unwrap_or_default().iter().copied();
        let binds = crate::compose::surroundings::binds(service).map(|(port, _)| port);
        for port in ports.chain(binds).chain(service.exposed.iter().copied()).chain(service.ports.iter().map(|port| port.target)) {
            let listeners = listeners.entry(port).or_default();
            if listeners.len() < 3 && listeners.last() != Some(&index) {
                listeners.push(index);
            }
        }
    }
    for service in context.services() {
        let owner = all.network_owner(service);
        if owner.mode.is_some() {
            continue;
        }
        for endpoint in service.endpoints.iter().filter(|one| one.role == Role::Connect && one.is_loopback() && one.is_sure) {
            let Some(port) = endpoint.number() else { continue };
            // It may have the port itself, or whoever shares its network.
            if matches!(all.listens(service, port), Listens::Yes) {
                continue;
            }
            // An argument may be what a program listens on; with a scheme, and somebody else on the port, it is not.
            let is_argument = endpoint.path.contains(".command") || endpoint.path.contains(".entrypoint");
            if is_argument && (endpoint.scheme.is_none() || endpoint.is_http()) {
                continue;
            }
            let others = listeners.get(&port).map(Vec::as_slice).unwrap_or_default();
            let sharing = |other: &&crate::compose::view::Service<'_>| !std::ptr::eq(all.network_owner(other), owner);
            let Some(other) = others.iter().filter_map(|index| all.service(*index)).find(sharing) else { continue };
            // A browser on the host may be meant, and is right.
            let is_published = others.iter().filter_map(|index| all.service(*index)).any(|other| {
                other.ports.iter().any(|one| one.published.is_some_and(|(first, last)| (first..=last).contains(&port)))
            });
            let of_system = other.known().is_some_and(|known| endpoint.scheme.as_deref().is_none_or(|scheme| known.schemes.contains(&scheme)));
            if endpoint.is_http() && (is_published || !of_system && service.build.is_none() && service.image.is_none()) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &endpoint.host)),
                    format!("`{}` connects to `{}`, which is its own container; port {port} is that of `{}`", service.name, endpoint.shown(), other.name),
                    "nothing listens there: \"connection refused\"".to_owned(),
                    format!("connect to `{}:{port}`", other.name),
                )
                .about(&endpoint.path)
                .with(Place::At(other.key), format!("port {port} is here")),
            );
        }
    }
}
