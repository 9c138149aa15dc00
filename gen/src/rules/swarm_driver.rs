//! `swarm-driver`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A network has a driver that needs Swarm.
    ///
    /// ### What happens
    /// `docker compose up` fails on a machine that is no Swarm manager: "this node is not a swarm manager". Of an overlay network that
    /// exists already nothing of this holds: that is `external: true`.
    ///
    /// ### What to do
    /// Remove `driver: overlay`; on one machine the default, `bridge`, is right. For several use `docker stack deploy`.
    "swarm-driver", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let used: std::collections::HashSet<&str> = context.services().flat_map(|service| service.networks.iter().map(|one| one.network)).collect();
    for (name, entry) in context.project.model.get("networks").into_iter().flat_map(Node::entries) {
        let Some(driver) = entry.node.get("driver").filter(|driver| driver.str() == Some("overlay")) else { continue };
        if context.surroundings.is_external(name) || !used.contains(name) {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(driver.origin),
                format!("the network `{name}` has the driver `overlay`, which needs Swarm"),
                "`docker compose up` fails on a machine that is no Swarm manager".to_owned(),
                "remove `driver: overlay`, or deploy with `docker stack deploy`".to_owned(),
            )
            .about(format!("networks.{name}.driver")),
        );
    }
}
