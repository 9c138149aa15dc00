//! `discarded-ports`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service that uses another network than its own publishes ports.
    ///
    /// ### What happens
    /// With `network_mode: host` there is nothing to publish: the program's own ports are the host's. Docker discards `ports` with a
    /// warning, and what was meant to be 8080 on the host is 80. With `none` nothing is reached at all.
    ///
    /// ### What to do
    /// Remove `ports`, or remove `network_mode`.
    "discarded-ports", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some((mode, origin)) = service.mode.filter(|(mode, _)| !matches!(*mode, "bridge" | "default")) else { continue };
        let Some(port) = service.ports.first() else { continue };
        let consequence = match mode {
            "host" => format!("the program's own ports are the host's: it is reached on {} or not at all", port.target),
            "none" => "the container has no network, and nobody reaches it".to_owned(),
            _ => "the container is not created: \"port publishing and the container type network mode\" exclude each other".to_owned(),
        };
        let help = match mode.strip_prefix("service:") {
            Some(other) => format!("publish the port at `{other}`, whose network it uses"),
            None => format!("remove `ports`, or remove `network_mode: {mode}`"),
        };
        let ports = service.node.get("ports").map_or(port.origin, |ports| if ports.origin == crate::source::Origin::default() { port.origin } else { ports.origin });
        findings.push(
            RULE.finding(Place::At(ports), format!("the `ports` of `{}` are discarded: it has `network_mode: {mode}`", service.name), consequence, help)
                .about(service.path("ports"))
                .with(Place::At(origin), "because of this"),
        );
    }
}
