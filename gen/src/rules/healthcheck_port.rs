//! `healthcheck-port`

use crate::compose::Context;
use crate::compose::surroundings::binds;
use crate::finding::{Finding, Place};
use crate::rules::published_port_inside::local_ports;

rule! {
    /// A health check asks a port that the service is not known to listen on.
    ///
    /// ### What happens
    /// If it does not listen there, it is never healthy, and whoever waits for it never starts.
    ///
    /// ### What to do
    /// Ask the port that the program listens on, or say that it listens there, too: `expose: ["8081"]`.
    "healthcheck-port", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none()) {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled) else { continue };
        let mut known: Vec<u16> = service.ports.iter().map(|port| port.target).chain(service.exposed.iter().copied()).collect();
        known.extend(binds(service).map(|(port, _)| port));
        known.extend(service.known().map(|known| known.ports).unwrap_or_default());
        let numbers = service.environment.iter().filter(|(name, _)| name.to_ascii_uppercase().ends_with("PORT"));
        known.extend(numbers.filter_map(|(_, variable)| variable.value.as_deref()?.parse::<u16>().ok()));
        let Some(first) = known.first().copied() else { continue };
        for port in local_ports(health).into_iter().filter(|port| !known.contains(port)) {
            findings.push(
                RULE.finding(
                    Place::At(context.surroundings.narrow(health.test.last().map_or(health.origin, |(_, origin)| *origin), &port.to_string())),
                    format!("the health check of `{}` asks port {port}, but it is known to listen on {first}", service.name),
                    "if nothing listens there, it is never healthy".to_owned(),
                    format!("ask port {first}, or add `expose: [\"{port}\"]`"),
                )
                .about(service.path("healthcheck.test")),
            );
        }
    }
}
