//! `relative-target`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// The path of a mount in the container is not absolute.
    ///
    /// ### What happens
    /// The container is not created: "invalid mount path: … mount path must be absolute".
    ///
    /// ### What to do
    /// Begin the path with `/`.
    "relative-target", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for mount in &service.mounts {
            let target = mount.target;
            // Paths of Windows containers: `C:\data`.
            let is_windows = target.as_bytes().get(1) == Some(&b':') || target.starts_with('\\');
            if target.starts_with('/') || is_windows || target.is_empty() {
                continue;
            }
            let key = if mount.node.is_some() { "volumes" } else { "tmpfs" };
            findings.push(
                RULE.finding(
                    Place::At(mount.origin),
                    format!("`{}` mounts something at `{target}`, which is no absolute path", service.name),
                    "the container is not created: \"mount path must be absolute\"".to_owned(),
                    format!("write `/{}`", target.trim_start_matches("./")),
                )
                .about(service.path(&format!("{key}.{}", mount.index))),
            );
        }
    }
}
