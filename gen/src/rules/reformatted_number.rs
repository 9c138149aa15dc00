//! `reformatted-number`

use crate::compose::Context;
use crate::compose::tree::{Node, Value};
use crate::finding::{Finding, Fix, Place};

rule! {
    /// A number arrives in another form than it is written in.
    ///
    /// ### What happens
    /// Without quotes YAML reads a number, and Compose writes it again in its own way: `1.10` becomes `1.1`, `0777` becomes `511`, `1e3`
    /// becomes `1000`. A version, a mode or an id is then another one.
    ///
    /// ### What to do
    /// Write it in quotes: `VERSION: "1.10"`.
    "reformatted-number", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for document in &context.project.written {
        for (service, entry) in document.get("services").into_iter().flat_map(Node::entries) {
            let maps = [("environment", entry.node.get("environment")), ("labels", entry.node.get("labels")), ("build.args", entry.node.at(&["build", "args"]))];
            for (key, map) in maps {
                for (name, value) in map.into_iter().flat_map(Node::entries) {
                    let Some(arrives) = changed(&value.node, context.surroundings.text_of(value.node.origin)) else { continue };
                    let text = context.surroundings.text_of(value.node.origin).trim();
                    let mut finding = RULE
                        .finding(
                            Place::At(value.node.origin),
                            format!("`{name}` is written `{text}` and arrives as `{arrives}`"),
                            "without quotes it is a number, and numbers are written anew".to_owned(),
                            format!("write `\"{text}\"`"),
                        )
                        .about(format!("services.{service}.{key}.{name}"));
                    finding.fix = Some(Fix { title: "quote it".to_owned(), edits: vec![(value.node.origin, format!("\"{text}\""))] });
                    findings.push(finding);
                }
            }
        }
    }
}

/// What arrives, if it is not what is written.
fn changed(node: &Node, text: &str) -> Option<String> {
    let arrives = match node.value {
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        _ => return None,
    };
    let text = text.trim();
    // A plus or a point at the end changes no meaning that anybody relies on.
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    (is_plain && text != arrives && text.len() < 40 && !text.contains('\n')).then_some(arrives)
}
