//! `alias-shadows-service`

use std::collections::HashMap;

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A service answers to the name of another one.
    ///
    /// ### What happens
    /// An alias or a container name is a name like that of a service. DNS gives both addresses in turn: every second connection
    /// goes to the wrong container, and which one it is changes with every start.
    ///
    /// ### What to do
    /// Choose a name that no service has.
    "alias-shadows-service", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    // The networks of each service, by its name in small letters.
    let mut names: HashMap<String, usize> = HashMap::new();
    for (index, name) in all.services.keys().enumerate() {
        names.entry(name.to_lowercase()).or_insert(index);
    }
    for service in context.services() {
        for (name, _, origin) in crate::compose::view::pairs(service.node.get("extra_hosts")) {
            let name = name.split(':').next().unwrap_or_default();
            let Some(other) = names.get(&name.to_lowercase()).and_then(|index| all.service(*index)).filter(|other| other.name != service.name) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("`extra_hosts` of `{}` gives `{name}`, the name of a service, another address", service.name),
                    format!("`{}` never reaches the service `{}`", service.name, other.name),
                    "choose a name that no service has".to_owned(),
                )
                .about(service.path("extra_hosts"))
                .with(Place::At(other.key), "the service of this name"),
            );
        }
        let container = service.text("container_name");
        for (number, attachment) in service.networks.iter().enumerate() {
            let aliases = attachment.node.get("aliases").map(Node::items).unwrap_or_default();
            let aliases = aliases.iter().filter_map(|alias| Some((alias.str()?, alias.origin, "alias")));
            for (alias, origin, what) in aliases.chain(container.filter(|_| number == 0).map(|(name, origin)| (name, origin, "container name"))) {
                let Some(other) = names.get(&alias.to_lowercase()).and_then(|index| all.service(*index)) else { continue };
                let shared = other.networks.iter().any(|one| one.network == attachment.network);
                if other.name == service.name || !shared {
                    continue;
                }
                let way = if what == "alias" { format!("networks.{}.aliases", attachment.network) } else { "container_name".to_owned() };
                findings.push(
                    RULE.finding(
                        Place::At(origin),
                        format!("the {what} `{alias}` of `{}` is the name of another service", service.name),
                        format!("who connects to `{alias}` reaches now one, now the other"),
                        "choose a name that no service has".to_owned(),
                    )
                    .about(service.path(&way))
                    .with(Place::At(other.key), "the service of this name"),
                );
            }
        }
    }
}
