//! `ephemeral-port`

use crate::finding::{Finding, Place};
use crate::rules::{Context, published};

rule! {
    /// A published port is one of those that the kernel lends to outgoing connections.
    ///
    /// ### What happens
    /// Linux gives every outgoing connection a port from 32768 to 60999 (`net.ipv4.ip_local_port_range`). Now and then the
    /// published one is among them, and the deployment fails with "address already in use", to succeed a minute later.
    ///
    /// ### What to do
    /// Publish a port below 32768, or reserve it: `sudo sysctl -w net.ipv4.ip_local_reserved_ports=PORT`.
    "ephemeral-port", Note, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published) in published(context.plan).filter(|(_, published)| (32768..=60999).contains(&published.host_port)) {
        let port = published.host_port;
        findings.push(RULE.finding(
            Place::Value(published.pointer.clone()),
            format!("host port {port} of `{}.{}` is one that Linux lends to outgoing connections", component.name, published.endpoint),
            "now and then the deployment fails with \"address already in use\"".to_owned(),
            format!("choose a port below 32768, or reserve it: `sudo sysctl -w net.ipv4.ip_local_reserved_ports={port}`"),
        ));
    }
}
