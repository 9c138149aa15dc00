//! `overlapping-subnets`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::rules::static_address::{Subnet, subnets};

rule! {
    /// The subnet of a network cannot be made.
    ///
    /// ### What happens
    /// Two networks of one host cannot share addresses: "pool overlaps with other one on this address space", and nothing is started. A
    /// gateway must lie in its subnet.
    ///
    /// ### What to do
    /// Give each network addresses of its own, or leave `ipam` out: Docker finds free ones.
    "overlapping-subnets", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let used: std::collections::HashSet<&str> = context.services().flat_map(|service| service.networks.iter().map(|one| one.network)).collect();
    let mut all = Vec::new();
    for (name, entry) in context.project.model.get("networks").into_iter().flat_map(Node::entries) {
        if context.surroundings.is_external(name) || !used.contains(name) {
            continue;
        }
        for (text, origin, gateway) in subnets(&entry.node) {
            let Some(subnet) = Subnet::parse(text) else { continue };
            let path = format!("networks.{name}.ipam.config");
            if let Some((gateway, place)) = gateway.filter(|(gateway, _)| Subnet::parse(&format!("{gateway}/{}", if gateway.is_ipv4() { 32 } else { 128 })).is_some_and(|one| one.is_v4 != subnet.is_v4 || one.first < subnet.first || one.last > subnet.last)) {
                let finding = RULE.finding(
                    Place::At(place),
                    format!("the gateway {gateway} of `{name}` is not in its subnet {text}"),
                    "the network is not made: \"invalid gateway\"".to_owned(),
                    format!("choose an address in {text}, or leave the gateway out"),
                );
                findings.push(finding.about(&path).with(Place::At(origin), "the subnet"));
            }
            all.push((subnet, name, text, origin, path));
        }
    }
    // Sorted by where they begin, a subnet overlaps with the one that reaches furthest so far, or with none.
    all.sort_by_key(|(subnet, _, _, origin, _)| (subnet.is_v4, subnet.first, *origin));
    let mut furthest: Option<usize> = None;
    for index in 0..all.len() {
        let (subnet, name, text, origin, path) = &all[index];
        if let Some((before, other, other_text, place, other_path)) = furthest.and_then(|at| all.get(at)).filter(|(before, ..)| before.is_v4 == subnet.is_v4 && before.last >= subnet.first) {
            let _ = before;
            // The later one in the file is told.
            let (told, first) = if origin > place { ((name, text, origin, path), (other, other_text, place)) } else { ((other, other_text, place, other_path), (name, text, origin)) };
            findings.push(
                RULE.finding(
                    Place::At(*told.2),
                    format!("the subnet {} of `{}` overlaps with {} of `{}`", told.1, told.0, first.1, first.0),
                    "the network is not made: \"pool overlaps with other one on this address space\"".to_owned(),
                    "give each network addresses of its own, or leave `ipam` out".to_owned(),
                )
                .about(told.3.as_str())
                .with(Place::At(*first.2), "the other one"),
            );
        }
        if furthest.and_then(|at| all.get(at)).is_none_or(|(before, ..)| before.is_v4 != subnet.is_v4 || before.last < subnet.last) {
            furthest = Some(index);
        }
    }
}
