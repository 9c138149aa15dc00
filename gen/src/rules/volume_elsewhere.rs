//! `volume-elsewhere`

use std::collections::HashMap;

use crate::finding::{Finding, Place, below};
use crate::plan::{Component, stays};
use crate::rules::Context;
use crate::spec::values::Volume;

rule! {
    /// A component uses a volume that is on another node.
    ///
    /// A volume, or a folder of the machine, is on one node: that of the component that writes into it.
    ///
    /// ### What happens
    /// On the other node there is an empty volume of the same name, or no such folder. Both components run, and neither sees what
    /// the other one writes.
    ///
    /// ### What to do
    /// Place both on the same node, or let them talk over the network.
    "volume-elsewhere", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // Where each volume is: with the first that writes into it and whose node is certain.
    let mut homes: HashMap<&str, (&Component, &str)> = HashMap::new();
    for component in context.plan.deployed() {
        let Some(node) = component.places.iter().find_map(|place| place.node()) else { continue };
        for volume in component.volumes.iter().filter(|volume| stays(volume) && !volume.read_only) {
            homes.entry(&volume.source).or_insert((component, node));
        }
    }
    for component in context.plan.deployed() {
        for (index, volume) in component.volumes.iter().enumerate() {
            let Some((writer, home)) = homes.get(volume.source.as_str()).copied() else { continue };
            let Some(node) = component.places.iter().filter_map(|place| place.node()).find(|node| *node != home) else { continue };
            let consequence = if volume.is_bind() {
                "on the other node there is no such folder, or another one: neither sees what the other writes"
            } else {
                "on the other node there is an empty volume of this name: neither sees what the other writes"
            };
            let mut finding = RULE.finding(
                place(context, component, index, volume),
                format!("`{}` runs on node `{node}`, but `{}` of `{}` is on node `{home}`", component.name, volume.source, writer.name),
                consequence.to_owned(),
                format!("place `{}` on node `{home}` too, or let it ask `{}` over the network", component.name, writer.name),
            );
            finding.related.push((Place::key(&writer.pointer), format!("runs on node `{home}`")));
            findings.push(finding);
        }
    }
}

/// Where the file names a volume: among `volumes`, or as a logger's `volume`.
fn place(context: &Context<'_>, component: &Component, index: usize, volume: &Volume) -> Place {
    let single = Place::Value(below(&component.pointer, "volume"));
    let own = usize::from(context.is_written(&single));
    let listed = |index: usize| Place::Value(below(&below(&component.pointer, "volumes"), &index.to_string()));
    let found = index.checked_sub(own).map_or(single, listed);
    if context.is_written(&found) { found } else { Place::key_of(&component.pointer, &volume.source) }
}
