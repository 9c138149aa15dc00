//! `read-only-data`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::stateful_without_volume::state;

rule! {
    /// A database's volume is mounted read-only.
    ///
    /// ### What happens
    /// It cannot write its files and does not start.
    ///
    /// ### What to do
    /// Take `:ro` away.
    "read-only-data", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some((folder, _)) = state(service) else { continue };
        let Some(mount) = service.mount_of(folder).filter(|mount| mount.is_read_only) else { continue };
        findings.push(
            RULE.finding(
                Place::At(mount.origin),
                format!("`{}` keeps its data in `{folder}`, which is mounted read-only", service.name),
                "it does not start: \"read-only file system\"".to_owned(),
                "take `:ro` away".to_owned(),
            )
            .about(service.path(&format!("volumes.{}", mount.index))),
        );
    }
}
