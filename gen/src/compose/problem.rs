//! What Compose refuses, collected while the project is read.

use std::fmt::Display;

use super::path::Path;
use super::tree::Node;
use super::validate::a;
use crate::finding::{Finding, Place};
use crate::rules::{self, Rule};
use crate::source::Origin;

/// What happens when Compose refuses a project.
pub const REFUSED: &str = "`docker compose` refuses the project: nothing is started";

/// The findings so far.
#[derive(Debug, Default)]
pub struct Problems {
    /// In the order of reading; sorted by place at the end.
    pub findings: Vec<Finding>,
    /// How many ports were spelt out of ranges so far.
    pub ports: usize,
}

impl Problems {
    /// Something that Compose refuses. `path` is the object in words of the file.
    pub fn refuse(&mut self, rule: &Rule, origin: Origin, path: impl Display, message: String, help: impl Into<String>) -> &mut Finding {
        let mut finding = rule.finding(Place::At(origin), message, REFUSED.to_owned(), help.into()).about(path.to_string()).refused();
        finding.severity = crate::finding::Severity::Error;
        self.findings.push(finding);
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    /// A list over a mapping, and the like.
    pub fn cannot_override(&mut self, base: &Node, over: &Node, path: &Path<'_>) {
        self.refuse(
            &rules::wrong_type::RULE,
            over.origin,
            path,
            format!("`{path}` is {} here and {} elsewhere", a(over.kind()), a(base.kind())),
            format!("write {}, or give it the tag `!override`", a(base.kind())),
        )
        .related
        .push((Place::At(base.origin), format!("it is {} here", a(base.kind()))));
    }

    /// An item without a key that it needs.
    pub fn lacks(&mut self, item: &Node, key: &str, path: &Path<'_>) {
        self.refuse(&rules::missing_key::RULE, item.origin, path, format!("`{path}` has no `{key}`"), format!("add `{key}: …`"));
    }

    /// A value of another type.
    pub fn wrong_type(&mut self, node: &Node, path: &Path<'_>, wanted: &str) {
        self.refuse(
            &rules::wrong_type::RULE,
            node.origin,
            path,
            format!("`{path}` is {}, and must be {}", a(node.kind()), a(wanted)),
            format!("write {}", a(wanted)),
        );
    }
}
