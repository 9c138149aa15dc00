//! `published-to-all`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A database is published for every machine that reaches the host.
    ///
    /// ### What happens
    /// A port without an address is open on all interfaces, past the host's firewall. Robots find an open database within minutes.
    ///
    /// ### What to do
    /// Publish nothing: other services reach it by its name. For a tool on the host: `"127.0.0.1:5432:5432"`.
    "published-to-all", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none()) {
        let Some(known) = service.known().filter(|known| !known.data.is_empty() || matches!(known.name, "memcached" | "etcd" | "zookeeper" | "adminer")) else { continue };
        for port in service.ports.iter().filter(|port| port.published.is_some() && port.address.is_none_or(|address| address.is_unspecified())) {
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("`{}` (`{}`) is published for every machine that reaches the host", service.name, known.name),
                    "Docker opens the port past the host's firewall".to_owned(),
                    format!("remove it, or publish it for this host alone: `\"127.0.0.1:{}:{}\"`", port.published_text(), port.target),
                )
                .about(service.path(&format!("ports.{}", port.index))),
            );
        }
    }
}
