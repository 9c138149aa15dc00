//! `node-without-room`

use crate::finding::{Finding, Place, below};
use crate::plan::{Component, Obstacle, Place as Where, Plan};
use crate::rules::{Context, count};

rule! {
    /// An instance finds no node that can take it.
    ///
    /// The nodes that the topology states have only so many processors and so much memory, `placement` may ask for a node or for
    /// labels, and `max_per_node` says how many instances one node takes.
    ///
    /// ### What happens
    /// Where `placement` leaves no node the instance waits for ever ("no suitable node"). Where it is room that is missing, a
    /// Swarm starts it all the same, as limits are no reservations: the instances of the node slow each other down, and one of
    /// them is killed when the memory is used up.
    ///
    /// ### What to do
    /// Ask for fewer instances or smaller `resources`, place something elsewhere, or state another node.
    "node-without-room", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.deployed() {
        let left_out = component.places.iter().filter(|place| place.node().is_none()).count();
        let Some(Where::Nowhere(obstacle)) = component.places.last() else { continue };
        let waits = "it is not started; the engine says \"no suitable node\"".to_owned();
        let (message, consequence, help) = match obstacle {
            Obstacle::Port { .. } => continue,
            // A node that is not stated is told as such.
            Obstacle::NoSuchNode if component.placement.labels.is_empty() => continue,
            Obstacle::NoSuchNode => {
                let labels = component.placement.labels.iter().map(|(name, value)| format!("`{name} = {value}`"));
                (
                    format!("`{}` asks for a node with {}, and there is none", component.name, labels.collect::<Vec<_>>().join(", ")),
                    waits,
                    "give a `[node.NAME]` these `labels`, or ask for others".to_owned(),
                )
            }
            Obstacle::Enough => (
                format!("no node takes {} of `{}`: `max_per_node` is reached on each", instances(left_out, component), component.name),
                waits,
                "raise `max_per_node`, state another node, or ask for fewer instances".to_owned(),
            ),
            Obstacle::Room => (
                format!(
                    "{} has room for {} of `{}`, which may use {}",
                    nodes(context.plan, component),
                    instances(left_out, component),
                    component.name,
                    wants(component)
                ),
                "more is promised than there is: instances slow each other down, and one is killed when the memory is used up".to_owned(),
                "ask for smaller `resources` or fewer instances, place something elsewhere, or state another node".to_owned(),
            ),
        };
        let place = below(&component.pointer, if *obstacle == Obstacle::Room { "resources" } else { "placement" });
        let place = Place::Value(place);
        let place = if context.is_written(&place) { place } else { Place::key(&component.pointer) };
        let mut finding = RULE.finding(place, message, consequence, help);
        if *obstacle == Obstacle::Room
            && let Some(node) = &component.placement.node
        {
            let text = others(context.plan, component, node.as_str());
            finding.related.push((Place::Key(crate::source::pointer(["node", node.as_str()])), text));
        }
        findings.push(finding);
    }
}

/// `1 instance`, or `2 of the 4 instances`.
fn instances(left_out: usize, component: &Component) -> String {
    let all = component.replicas as usize;
    if left_out == all { count(left_out as u64, "instance") } else { format!("{left_out} of the {}", count(all as u64, "instance")) }
}

fn nodes(plan: &Plan, component: &Component) -> String {
    match (&component.placement.node, plan.nodes.len()) {
        (Some(node), _) => format!("node `{node}` no longer"),
        (None, 1) => "the only node no longer".to_owned(),
        (None, _) => "no node".to_owned(),
    }
}

/// What one instance may use: `0.5 processors and 64MiB`.
fn wants(component: &Component) -> String {
    let cpus = component.resources.cpus.map(|cpus| if cpus.0 > 1.0 { format!("{} processors", cpus.0) } else { format!("{} processor", cpus.0) });
    let memory = component.resources.memory.map(|size| size.to_string());
    cpus.into_iter().chain(memory).collect::<Vec<_>>().join(" and ")
}

/// Who is on a node already.
fn others(plan: &Plan, component: &Component, node: &str) -> String {
    let here = |other: &&Component| other.name != component.name && other.places.iter().any(|place| place.node() == Some(node));
    let names: Vec<&str> = plan.deployed().filter(here).map(|other| other.name.as_str()).collect();
    if names.is_empty() { "nothing else is on this node".to_owned() } else { format!("also on this node: {}", crate::rules::list(names)) }
}
