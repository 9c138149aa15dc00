//! `published-replicas`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::render::Target;
use crate::rules::{Context, instances, replicas_place};

rule! {
    /// A component that publishes a port runs more than once.
    ///
    /// ### What happens
    /// A host port belongs to one container. The first instance gets it; for the second Docker says "port is already
    /// allocated", and half of the system is deployed.
    ///
    /// ### What to do
    /// Keep one instance, or publish nothing and put one proxy in front that publishes the port and knows all instances.
    /// With `--target kubernetes` a load balancer does that, and the rule is silent.
    "published-replicas", Error, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // In a Swarm each instance has the ports of its node: `node-port-taken`, and `target-loses` where no nodes are stated. In
    // Kubernetes a load balancer has the port.
    if matches!(context.target, Target::Swarm | Target::Kubernetes) {
        return;
    }
    for component in context.plan.deployed() {
        // Two brokers or loggers of one name are wrong for more than their port.
        if component.replicas < 2 || matches!(component.role, Role::Broker { .. } | Role::Logger { .. }) {
            continue;
        }
        let Some(published) = component.published.first() else { continue };
        let mut finding = RULE.finding(
            replicas_place(component),
            format!("{}, and one host port cannot be published for all of them", instances(component)),
            "only the first starts; Docker says \"port is already allocated\", and half of the system is deployed".to_owned(),
            "keep one instance, or remove `publish` and put a proxy in front of them".to_owned(),
        );
        let label = format!("host port {} is published here", published.host_port);
        finding.related.push((Place::Value(published.pointer.clone()), label));
        findings.push(finding);
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.replicas.0 > 1 && service.mode.is_none()) {
        let (replicas, origin) = service.replicas;
        for port in &service.ports {
            let Some((first, last)) = port.published else { continue };
            let there = u64::from(last.saturating_sub(first)) + 1;
            if there >= replicas {
                continue;
            }
            let (what, help) = if there == 1 {
                let help = format!("keep one instance, or publish nothing and put a proxy in front of them; `\"{}\"` alone takes any free port", port.target);
                (format!("host port {first}"), help)
            } else {
                let enough = u64::from(first) + replicas - 1;
                (format!("{there} host ports"), format!("publish as many as there are: `\"{first}-{enough}:{}\"`", port.target))
            };
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("`{}` has {replicas} instances, but {what} to publish", service.name),
                    format!("only {there} of them can start; for the next Docker says \"port is already allocated\""),
                    help,
                )
                .about(service.path(&format!("ports.{}", port.index)))
                .with(Place::At(origin), format!("{replicas} instances")),
            );
        }
    }
}
