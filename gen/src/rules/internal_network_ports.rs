//! `internal-network-ports`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::rules::list;

rule! {
    /// A service publishes a port but is only in internal networks.
    ///
    /// ### What happens
    /// An internal network has no way out, and Docker publishes nothing from it: the port is not open on the host.
    ///
    /// ### What to do
    /// Let the service join a second network that is not `internal`.
    "internal-network-ports", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none() && !service.networks.is_empty()) {
        let Some(port) = service.ports.first() else { continue };
        let internal = |network: &str| context.project.model.at(&["networks", network, "internal"]).filter(|internal| internal.is_true()).map(|node: &Node| node.origin);
        if service.networks.iter().any(|attachment| internal(attachment.network).is_none()) {
            continue;
        }
        let mut finding = RULE.finding(
            Place::At(port.origin),
            format!("`{}` publishes port {} but is only in internal networks: {}", service.name, port.target, list(service.networks.iter().map(|one| one.network))),
            "Docker publishes nothing from an internal network: nobody reaches the port on the host".to_owned(),
            "let it join a second network that is not `internal`, for example `default`".to_owned(),
        );
        finding.related.extend(service.networks.first().and_then(|one| internal(one.network)).map(|origin| (Place::At(origin), "internal".to_owned())));
        findings.push(finding.about(service.path(&format!("ports.{}", port.index))));
    }
}
