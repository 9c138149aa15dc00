//! `unused-resource`

use std::collections::HashSet;

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};

rule! {
    /// A network, volume, secret or config is declared that nobody uses.
    ///
    /// ### What happens
    /// Compose does not make it. Often somebody was meant to use it: the service that should be in that network is in `default`.
    ///
    /// ### What to do
    /// Let the service that needs it name it, or remove it.
    "unused-resource", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    let mut used: HashSet<(&str, &str)> = HashSet::new();
    for service in all.services.values().chain(all.disabled.values()) {
        used.extend(service.networks.iter().map(|one| ("networks", one.network)));
        used.extend(service.mounts.iter().filter_map(|mount| Some(("volumes", mount.source?))));
        used.extend(named(service, "secrets").chain(build_secrets(service)).map(|name| ("secrets", name)));
        used.extend(named(service, "configs").map(|name| ("configs", name)));
        // Whether models, `volumes_from` and the like use one is not known here.
        if service.node.get("volumes_from").is_some() {
            return;
        }
    }
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    let one = [("networks", "network"), ("volumes", "volume"), ("secrets", "secret"), ("configs", "config")];
    for (key, what) in one {
        // The model has only what is used.
        let declared = context.project.written.iter().filter_map(|document| document.get(key)).flat_map(Node::entries);
        for (name, entry) in declared.filter(|(name, _)| !used.contains(&(key, *name)) && *name != "default" && !name.starts_with("x-")) {
            if !told.insert((key, name)) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(entry.key),
                    format!("the {what} `{name}` is used by nobody"),
                    "Compose does not make it; perhaps a service was meant to use it".to_owned(),
                    format!("write `{key}: [{name}]` at the service that needs it, or remove it"),
                )
                .about(format!("{key}.{name}")),
            );
        }
    }
}

/// The names in a list of `name` or `{source: name}`.
pub(crate) fn named<'p>(service: &Service<'p>, key: &str) -> impl Iterator<Item = &'p str> + use<'p> {
    let items = service.node.get(key).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| item.str().or_else(|| item.get("source")?.str()))
}

fn build_secrets<'p>(service: &Service<'p>) -> impl Iterator<Item = &'p str> + use<'p> {
    let items = service.node.at(&["build", "secrets"]).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| item.str().or_else(|| item.get("source")?.str()))
}
