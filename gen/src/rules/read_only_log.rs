//! `read-only-log`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::log_without_volume::logs;
use crate::rules::{Context, log_folder, log_volume};

rule! {
    /// A logger's volume is mounted read-only.
    ///
    /// ### What happens
    /// The logger cannot write a single line. It says so and stays unhealthy, and everything that waits for it never starts.
    ///
    /// ### What to do
    /// Take `:ro` away.
    "read-only-log", Error, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for logger in context.plan.deployed().filter(|component| matches!(component.role, Role::Logger { .. })) {
        let Some((_, volume)) = log_volume(logger).filter(|(_, volume)| volume.read_only) else { continue };
        let Some((_, place)) = log_folder(logger) else { continue };
        findings.push(RULE.finding(
            place,
            format!("logger `{}` cannot write into its volume: it is mounted read-only", logger.name),
            "not a line is kept, the logger stays unhealthy, and what waits for it never starts".to_owned(),
            format!("write `\"{}:{}\"`, without `:ro`", volume.source, volume.target),
        ));
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for (name, path, origin) in logs(service) {
            let Some(mount) = service.mount_of(path).filter(|mount| mount.is_read_only) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(mount.origin),
                    format!("`{}` writes its log to `{path}`, which is mounted read-only", service.name),
                    "\"read-only file system\": not a line is kept".to_owned(),
                    "take `:ro` away".to_owned(),
                )
                .about(service.path(&format!("volumes.{}", mount.index)))
                .with(Place::At(origin), format!("`{name}` says where")),
            );
        }
    }
}
