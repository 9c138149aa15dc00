//! `stray-quotes`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::secret::shown;

rule! {
    /// Quotes become part of a variable.
    ///
    /// ### What happens
    /// In the list form (`- NAME="value"`) everything behind `=` is the value, with the quotes: the program gets `"value"` instead of
    /// `value`.
    ///
    /// ### What to do
    /// Write `- NAME=value`, or the form of a mapping, `NAME: "value"`, in which YAML takes the quotes away.
    "stray-quotes", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for document in &context.project.written {
        for (service, entry) in document.get("services").into_iter().flat_map(Node::entries) {
            let lists = [("environment", entry.node.get("environment")), ("build.args", entry.node.at(&["build", "args"]))];
            for (key, list) in lists {
                for (index, item) in list.map(Node::items).unwrap_or_default().iter().enumerate() {
                    let Some((name, value)) = item.str().and_then(|text| text.split_once('=')) else { continue };
                    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                    // JSON and options keep their quotes on purpose.
                    let inner = quote.filter(|quote| value.len() > 1 && value.ends_with(*quote)).map(|quote| value.trim_matches(quote));
                    let inner = inner.filter(|inner| !inner.contains(['"', '\'']));
                    let clean = name.trim();
                    let Some(inner) = inner else { continue };
                    let what = format!("the value of `{clean}` begins and ends with a quote");
                    let consequence = "the program gets the quotes, too".to_owned();
                    let value = shown(clean, inner);
                    findings.push(
                        RULE.finding(Place::At(item.origin), what, consequence, format!("write `- {clean}={}`", crate::source::decode::shorten(value).replace('`', "'")))
                            .about(format!("services.{service}.{key}.{index}")),
                    );
                }
            }
        }
    }
}
