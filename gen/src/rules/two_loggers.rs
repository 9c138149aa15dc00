//! `two-loggers`

use crate::finding::Finding;
use crate::plan::Role;
use crate::rules::{Context, instances, replicas_place};

rule! {
    /// A logger runs more than once under one name.
    ///
    /// ### What happens
    /// Each sender is connected to one of the instances by chance: one gets everything and the other nothing, or the log is
    /// split in two and neither half is in order. With a common folder two processes write into one file, and lines end
    /// up inside of each other.
    ///
    /// ### What to do
    /// Keep one: a logger takes millions of lines in a second. Or give each a table, a name and a folder of its own, and say
    /// in every component which of them it means.
    ///
    /// ### Example
    /// ```toml
    /// [logger.audit]
    /// volume = "./audit:/var/log/cbw"
    /// [logger.trace]
    /// volume = "./trace:/var/log/cbw"
    ///
    /// [broker.bro]
    /// logger = "audit"
    /// ```
    "two-loggers", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let loggers = context.plan.deployed().filter(|component| matches!(component.role, Role::Logger { .. }));
    for logger in loggers.filter(|logger| logger.replicas > 1) {
        let name = &logger.name;
        let both = match logger.volumes.iter().find(|volume| !volume.read_only) {
            Some(volume) => format!(", and all write into one file in `{}`", volume.source),
            None => String::new(),
        };
        findings.push(RULE.finding(
            replicas_place(logger),
            format!("{} under one name", instances(logger)),
            format!("the log is split between them by chance and its lines are out of order{both}"),
            format!("keep one; or write a second table, `[logger.{name}-2]`, and say in the components which one they mean: `logger = \"{name}-2\"`"),
        ));
    }
}
