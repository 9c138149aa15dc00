//! `published-to-all`

use crate::compose::Context;
use crate::finding::{Finding, Place, Severity};

rule! {
    /// A port is published for every machine that reaches the host.
    ///
    /// ### What happens
    /// A port without an address is open on all interfaces, past the host's firewall. Robots find an open database
    /// within minutes.
    ///
    /// ### What to do
    /// Publish nothing: other services reach it by its name. For a tool on the host: `"127.0.0.1:5432:5432"`.
    "published-to-all", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none()) {
        let database = service.known().filter(|known| !known.data.is_empty() || matches!(known.name, "memcached" | "etcd" | "zookeeper" | "adminer"));
        let mut told = None;
        for port in service.ports.iter().filter(|port| port.published.is_some() && port.address.is_none_or(|address| address.is_unspecified())) {
            // A range is told once.
            if told.replace(port.origin) == Some(port.origin) {
                continue;
            }
            let what = database.map_or_else(String::new, |known| format!(" (`{}`)", known.name));
            let mut finding = RULE.finding(
                Place::At(port.origin),
                format!("port {} of `{}`{what} is published for every machine that reaches the host", port.target, service.name),
                "Docker opens the port past the host's firewall".to_owned(),
                format!("if only this host needs it: `\"127.0.0.1:{}:{}\"`", port.published_text(), port.target),
            );
            if database.is_some() {
                finding.severity = Severity::Warning;
            }
            findings.push(finding.about(service.path(&format!("ports.{}", port.index))));
        }
    }
}
