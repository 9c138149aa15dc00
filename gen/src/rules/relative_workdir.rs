//! `relative-workdir`

use std::collections::HashSet;

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;

rule! {
    /// The working directory of an image depends on that of another one.
    ///
    /// ### What happens
    /// `WORKDIR app` is below whatever the base image has; when that changes, nothing is where it was.
    ///
    /// ### What to do
    /// Begin the path with `/`.
    "relative-workdir", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        let mut told = HashSet::new();
        for instruction in built.dockerfile.instructions.iter().filter(|one| one.keyword == "WORKDIR") {
            let Some(word) = instruction.words.first() else { continue };
            // Only the first of a stage depends on the base.
            let is_first = told.insert(instruction.stage);
            if !is_first || word.text.starts_with(['/', '$', '\\']) || word.text.contains(':') {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(built.at(&word.range)),
                    format!("`WORKDIR {}` is relative to whatever the base image has", word.text),
                    "when the base image changes, nothing is where it was".to_owned(),
                    format!("write `WORKDIR /{}`", word.text),
                )
                .about(about(built)),
            );
        }
    }
}
