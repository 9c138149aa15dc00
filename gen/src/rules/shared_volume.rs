//! `shared-volume`

use crate::finding::{Finding, Place, below};
use crate::plan::Role;
use crate::rules::{Context, instances, replicas_place};

rule! {
    /// All instances of a component write into one folder.
    ///
    /// ### What happens
    /// Each instance believes that the folder is its own. They overwrite each other's files; a database refuses to start a
    /// second time on its files, or destroys them.
    ///
    /// ### What to do
    /// Keep one instance, mount the folder read-only (`:ro`) where the instances only read, or write a table with a folder of
    /// its own for each.
    "shared-volume", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.deployed() {
        // Two brokers or loggers of one name are wrong for more than their files.
        if component.replicas < 2 || matches!(component.role, Role::Broker { .. } | Role::Logger { .. }) {
            continue;
        }
        for (index, volume) in component.volumes.iter().enumerate().filter(|(_, volume)| !volume.read_only) {
            let mut finding = RULE.finding(
                Place::Value(below(&below(&component.pointer, "volumes"), &index.to_string())),
                format!("{}, and all of them write into `{}`", instances(component), volume.source),
                "they overwrite each other's files".to_owned(),
                format!("if they only read, write `\"{}:{}:ro\"`; else keep one instance", volume.source, volume.target),
            );
            if component.scaled_by.is_none() {
                finding.related.push((replicas_place(component), format!("{} instances", component.replicas)));
            }
            findings.push(finding);
        }
    }
}
