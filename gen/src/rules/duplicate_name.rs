//! `duplicate-name`

use crate::finding::{Finding, Place};

rule! {
    /// Two components have the same name.
    ///
    /// ### What happens
    /// A component's name is its host name. With one name for two, nobody could say who answers.
    ///
    /// ### What to do
    /// Rename one of them.
    "duplicate-name", Error, None
}

/// `name` stands at `place` and stood at `first` before.
#[must_use]
pub fn finding(name: &str, place: &[String], first: &[String]) -> Finding {
    let mut finding = RULE.finding(
        Place::key(place),
        format!("the name `{name}` is taken"),
        "a name is a host name in the deployment, and two components cannot share it".to_owned(),
        format!("rename `[{}]`", place.join(".")),
    );
    finding.related.push((Place::key(first), "it is used here first".to_owned()));
    finding
}
