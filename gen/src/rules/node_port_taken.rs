//! `node-port-taken`

use crate::finding::{Finding, Place};
use crate::plan::{Obstacle, Place as Where};
use crate::render::Target;
use crate::rules::{Context, count};

rule! {
    /// An instance is to publish a port on a node on which another one has it.
    ///
    /// In a Swarm an instance publishes its ports on the node where it runs, so components may publish the same port as long as
    /// they run on different nodes. It is told for `--target swarm`, when the topology states its nodes; `port-clash` and
    /// `published-replicas` judge a single machine.
    ///
    /// ### What happens
    /// The instance waits for ever: Swarm says "no suitable node (host-mode port already in use on 1 node)". Nothing ends, and
    /// nothing else tells that it is missing.
    ///
    /// ### What to do
    /// Place one of the two on another node, publish another port, or run fewer instances.
    "node-port-taken", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if context.target != Target::Swarm {
        return;
    }
    for component in context.plan.deployed() {
        let Some(Where::Nowhere(Obstacle::Port { port, protocol, holder })) = component.places.last() else { continue };
        let Some(published) = component.published.iter().find(|published| published.host_port == *port && published.protocol == *protocol)
        else {
            continue;
        };
        let waiting = count(component.places.iter().filter(|place| place.node().is_none()).count() as u64, "instance");
        let whose = match &component.placement.node {
            Some(node) => format!("on node `{node}`"),
            None => "on every node that would do".to_owned(),
        };
        let message = if *holder == component.name {
            format!("host port {port}/{protocol} is taken {whose} before all instances of `{holder}` have one")
        } else {
            format!("`{}.{}` wants host port {port}/{protocol} {whose}, where `{holder}` has it", component.name, published.endpoint)
        };
        let mut finding = RULE.finding(
            Place::Value(published.pointer.clone()),
            message,
            format!("{waiting} is not started; Swarm says \"no suitable node (host-mode port already in use)\"")
                .replace("instances is", "instances are"),
            "place it on another node, publish another port, or run fewer instances".to_owned(),
        );
        let other = context.plan.component(holder).filter(|other| other.name != component.name);
        let first = other.and_then(|other| other.published.iter().find(|other| other.host_port == *port && other.protocol == *protocol));
        finding.related.extend(first.map(|first| (Place::Value(first.pointer.clone()), "it is published here too".to_owned())));
        findings.push(finding);
    }
}
