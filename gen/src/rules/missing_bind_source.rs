//! `missing-bind-source`

use std::path::Path;

use crate::compose::Context;
use crate::compose::files::Kind;
use crate::finding::{Finding, Place};

rule! {
    /// A folder that is mounted does not exist yet.
    ///
    /// ### What happens
    /// Docker makes it, and it belongs to root. A program that does not run as root cannot write there: "permission denied".
    ///
    /// ### What to do
    /// Make it first, with the owner that writes, or use a named volume.
    "missing-bind-source", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::HashSet::new();
    for service in context.services() {
        for mount in service.mounts.iter().filter(|mount| mount.kind == "bind" && !mount.is_read_only) {
            let Some(source) = mount.source.map(Path::new) else { continue };
            if !source.starts_with(&context.project.directory) || context.files.kind(source) != Kind::Missing || !told.insert(source) {
                continue;
            }
            let shown = source.strip_prefix(&context.project.directory).unwrap_or(source).display();
            findings.push(
                RULE.finding(
                    Place::At(mount.origin),
                    format!("`{}` mounts `./{shown}`, which does not exist yet", service.name),
                    "Docker makes it as a folder that belongs to root: a program that does not run as root cannot write there".to_owned(),
                    format!("make it first, with the owner that writes: `install -d -o USER ./{shown}`"),
                )
                .about(service.path(&format!("volumes.{}", mount.index))),
            );
        }
    }
}
