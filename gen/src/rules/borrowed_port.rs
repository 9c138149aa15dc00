//! `borrowed-port`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A port that a Compose project publishes is one that the kernel lends to outgoing connections.
    ///
    /// ### What happens
    /// Linux gives every outgoing connection a port from 32768 to 60999 (`net.ipv4.ip_local_port_range`). Now and then the
    /// published one is among them, and the deployment fails with "address already in use", to succeed a minute later.
    ///
    /// ### What to do
    /// Publish a port below 32768, or reserve it: `sudo sysctl -w net.ipv4.ip_local_reserved_ports=PORT`.
    "borrowed-port", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none()) {
        let mut told = None;
        for port in &service.ports {
            let Some((first, _)) = port.published.filter(|(first, last)| *first <= 60_999 && *last >= 32_768) else { continue };
            // A range is told once.
            if told.replace(port.origin) == Some(port.origin) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("host port {} of `{}` is one that Linux lends to outgoing connections", port.published_text(), service.name),
                    "now and then the deployment fails with \"address already in use\"".to_owned(),
                    format!("choose a port below 32768, or reserve it: `sudo sysctl -w net.ipv4.ip_local_reserved_ports={first}`"),
                )
                .about(service.path(&format!("ports.{}", port.index))),
            );
        }
    }
}
