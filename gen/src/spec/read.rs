//! From a tree to a topology.

use std::hash::Hash;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use super::Spec;
use crate::source::decode::{Located, Mistake, decode};
use crate::source::{Node as Tree, Value, pointer};

/// Reads a tree as a topology: what is right of it, and every mistake with its place.
#[must_use]
pub fn read(mut root: Tree) -> (Spec, Vec<Located>) {
    // Each component is decoded by itself, so that a mistake in one of 10,000 costs one component and not all.
    let mut mistakes = Vec::new();
    let members = Members {
        broker: root.remove(&pointer(["broker"])),
        worker: root.remove(&pointer(["worker"])),
        client: root.remove(&pointer(["client"])),
        logger: root.remove(&pointer(["logger"])),
        service: root.remove(&pointer(["service"])),
        external: root.remove(&pointer(["external"])),
        image: root.remove(&pointer(["image"])),
        node: root.remove(&pointer(["node"])),
        scenario: root.remove(&pointer(["scenario"])),
    };
    let (spec, wrong) = decode::<Spec>(root, &Vec::new());
    mistakes.extend(wrong);
    let spec = Spec {
        broker: table(members.broker, "broker", &mut mistakes),
        worker: table(members.worker, "worker", &mut mistakes),
        client: table(members.client, "client", &mut mistakes),
        logger: table(members.logger, "logger", &mut mistakes),
        service: table(members.service, "service", &mut mistakes),
        external: table(members.external, "external", &mut mistakes),
        image: table(members.image, "image", &mut mistakes),
        node: table(members.node, "node", &mut mistakes),
        scenario: table(members.scenario, "scenario", &mut mistakes),
        ..spec.unwrap_or_default()
    };
    (spec, mistakes)
}

/// Whether a TOML text that could be anything is a topology: it declares a component, and has no table that topologies do not
/// have.
#[must_use]
pub fn looks_like_topology(text: &str) -> bool {
    const COMPONENTS: [&str; 6] = ["broker", "worker", "client", "logger", "service", "external"];
    const OTHERS: [&str; 9] = ["checks", "compose", "defaults", "host", "image", "lints", "node", "scenario", "sla"];
    let headers = || text.lines().filter_map(|line| line.trim_start().strip_prefix('[')).map(|header| header.trim_start_matches('['));
    let mut tables = headers().map(|header| header.split(['.', ']']).next().unwrap_or_default().trim());
    let is_component = |header: &str| header.split_once('.').is_some_and(|(table, _)| COMPONENTS.contains(&table.trim()));
    headers().any(is_component) && tables.all(|table| COMPONENTS.contains(&table) || OTHERS.contains(&table))
}

/// The tables of named things, before they are decoded.
struct Members {
    broker: Option<Tree>,
    worker: Option<Tree>,
    client: Option<Tree>,
    logger: Option<Tree>,
    service: Option<Tree>,
    external: Option<Tree>,
    image: Option<Tree>,
    node: Option<Tree>,
    scenario: Option<Tree>,
}

fn table<K, T>(node: Option<Tree>, kind: &str, mistakes: &mut Vec<Located>) -> IndexMap<K, T>
where
    K: FromStr<Err = String> + Eq + Hash,
    T: DeserializeOwned,
{
    let Some(node) = node else { return IndexMap::new() };
    let Value::Table(entries) = node.value else {
        let wanted = format!("tables with a name, as in `[{kind}.name]`");
        let mistake = Mistake::WrongType { found: "something else".to_owned(), wanted };
        mistakes.push(Located { pointer: pointer([kind]), at_key: false, mistake });
        return IndexMap::new();
    };
    let mut members = IndexMap::with_capacity(entries.len());
    for (key, entry) in entries {
        let place = pointer([kind, &key]);
        let name = key.parse::<K>().map_err(Mistake::WrongValue);
        let is_table = matches!(entry.node.value, Value::Table(_));
        if !is_table {
            // `[broker] frontend = 9998`: the name was forgotten, and the key is taken for one.
            let short = crate::source::decode::shorten(&key);
            let message = format!("`{short}` stands in `[{kind}]`, but every {kind} has a name: write it below `[{kind}.{}]`", &kind[..3]);
            mistakes.push(Located { pointer: place, at_key: true, mistake: Mistake::WrongValue(message) });
            continue;
        }
        let (member, wrong) = decode::<T>(entry.node, &place);
        mistakes.extend(wrong);
        match (name, member) {
            (Ok(name), Some(member)) => {
                members.insert(name, member);
            }
            (Err(mistake), _) => mistakes.push(Located { pointer: place, at_key: true, mistake }),
            (Ok(_), None) => {}
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_known_by_its_tables() {
        assert!(looks_like_topology("[broker.bro]\n"));
        assert!(looks_like_topology("name = \"shop\"\n[broker.bro]\n[[checks]]\nhttp = \"http://web.http/\"\n"));
        assert!(!looks_like_topology("[package]\nname = \"shop\"\n"));
        assert!(!looks_like_topology("[broker.bro]\n[dependencies]\n"));
        assert!(!looks_like_topology("[[worker]]\n[[queue]]\n"));
    }
}
