//! `privileged-port`

use crate::compose::Context;
use crate::compose::surroundings::binds;
use crate::compose::tree::Node;
use crate::compose::view::pairs;
use crate::finding::{Finding, Place};

rule! {
    /// A program that does not run as root listens on a port that only root may have.
    ///
    /// ### What happens
    /// "permission denied", and it ends. Docker lets everybody in a container have every port
    /// (`net.ipv4.ip_unprivileged_port_start=0`), but not where this is set back, and not in the host's network, where ports below 1024
    /// belong to root.
    ///
    /// ### What to do
    /// Listen on a port from 1024 on and publish it as `80:8080`, or add `cap_add: [NET_BIND_SERVICE]` for root in the container.
    "privileged-port", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some((user, user_origin)) = service.user.as_ref().filter(|(user, _)| !matches!(user.split(':').next(), Some("root" | "0" | ""))) else { continue };
        let sysctls = pairs(service.node.get("sysctls"));
        let set = sysctls.iter().find(|(name, ..)| name == "net.ipv4.ip_unprivileged_port_start").and_then(|(_, value, _)| value.as_deref()?.parse::<u16>().ok());
        let of_host = service.mode.is_some_and(|(mode, _)| mode == "host");
        let first = match (set, of_host) {
            (Some(first), _) => first,
            (None, true) => 1024,
            (None, false) => continue,
        };
        let capabilities = service.node.get("cap_add").map(Node::items).unwrap_or_default();
        if capabilities.iter().any(|one| one.str().is_some_and(|name| matches!(name.trim_start_matches("CAP_"), "NET_BIND_SERVICE" | "ALL"))) && user.is_empty() {
            continue;
        }
        for (port, endpoint) in binds(service).filter(|(port, _)| *port < first) {
            let why = if of_host && set.is_none() { "it uses the host's network, where ports below 1024 belong to root" } else { "`net.ipv4.ip_unprivileged_port_start` keeps it for root" };
            findings.push(
                RULE.finding(
                    Place::At(context.surroundings.narrow(endpoint.origin, &port.to_string())),
                    format!("`{}` runs as user `{user}` and listens on port {port}: {why}", service.name),
                    "\"permission denied\": the program ends".to_owned(),
                    format!("listen on {} and publish it as `{port}:{}`", u32::from(port) + 8000, u32::from(port) + 8000),
                )
                .about(&endpoint.path)
                .with(Place::At(*user_origin), "not root"),
            );
        }
    }
}
