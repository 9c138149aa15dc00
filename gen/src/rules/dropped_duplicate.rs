//! `dropped-duplicate`

use std::collections::HashMap;

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::compose::view::From;
use crate::finding::{Finding, Fix, Place};
use crate::secret::shown;
use crate::source::Origin;

rule! {
    /// A list says the same thing twice, and only one of them counts.
    ///
    /// ### What happens
    /// Of two values for one variable or label the last one wins, without a word; a port that is written twice is
    /// published once. Whoever changes the first of them wonders why nothing happens.
    ///
    /// ### What to do
    /// Remove the one that does not count. Mappings (`A: 1`) cannot have a key twice: Compose refuses them.
    "dropped-duplicate", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for document in &context.project.written {
        let services = document.get("services").into_iter().flat_map(Node::entries);
        for (name, entry) in services {
            for key in ["environment", "labels"] {
                keyed(name, key, entry.node.get(key), |text| Some(text.split_once('=').map_or(text, |(name, _)| name)), findings);
            }
            keyed(name, "build.args", entry.node.at(&["build", "args"]), |text| text.split_once('=').map(|(name, _)| name), findings);
            exact(name, "ports", entry.node.get("ports"), context, findings);
        }
    }
    let mut told_files = std::collections::HashSet::new();
    for service in context.services() {
        for (name, hidden) in service.hidden.iter().filter(|(_, hidden)| hidden.from == From::EnvFile) {
            let Some(last) = service.environment.get(name).filter(|last| last.from == From::EnvFile && last.origin.file == hidden.origin.file) else { continue };
            if last.value != hidden.value && told_files.insert(hidden.key) {
                findings.push(told(service.name, "env_file", name, hidden.key, last.key, "the last one wins"));
            }
        }
    }
    findings.dedup();
}

fn told(service: &str, key: &str, what: &str, lost: Origin, kept: Origin, why: &str) -> Finding {
    RULE.finding(
        Place::At(lost),
        format!("`{what}` stands twice in `{key}` of `{service}`"),
        format!("{why}, without a word"),
        "remove the one that does not count".to_owned(),
    )
    .about(format!("services.{service}.{key}"))
    .with(Place::At(kept), "this one counts")
}

/// Lists in which the last item of a key wins.
fn keyed(service: &str, key: &str, list: Option<&Node>, name: fn(&str) -> Option<&str>, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    for item in list.map(Node::items).unwrap_or_default() {
        let Some(what) = item.str().and_then(name).filter(|what| !what.contains('$')) else { continue };
        if let Some(first) = seen.insert(what, item).filter(|first| first.value != item.value) {
            findings.push(told(service, key, shown("", what), first.origin, item.origin, "the last one wins"));
        }
    }
}

/// Lists in which an item that is there already is dropped.
fn exact(service: &str, key: &str, list: Option<&Node>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let items = list.map(Node::items).unwrap_or_default();
    let mut seen: HashMap<String, Origin> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(text) = item.scalar() else { continue };
        let text = text.trim_end_matches("/tcp").to_owned();
        let Some(first) = seen.get(&text) else {
            seen.insert(text, item.origin);
            continue;
        };
        let mut finding = told(service, key, &text, item.origin, *first, "it is published once");
        finding.fix = index.checked_sub(1).and_then(|before| items.get(before)).and_then(|before| removal(context, before.origin, item.origin));
        findings.push(finding);
    }
}

/// Takes an item of a list on one line away, with the comma before it.
fn removal(context: &Context<'_>, before: Origin, item: Origin) -> Option<Fix> {
    let gap = Origin { start: before.end, end: item.start, ..item };
    let text = context.surroundings.text_of(gap);
    let fits = before.file == item.file && before.end <= item.start && text.trim() == ",";
    fits.then(|| Fix { title: "remove the duplicate".to_owned(), edits: vec![(Origin { start: before.end, ..item }, String::new())] })
}
