//! `shared-volume`

use std::collections::HashMap;

use crate::compose;
use crate::compose::view::Service;
use crate::finding::{Finding, Place, below};
use crate::plan::Role;
use crate::rules::stateful_without_volume::state;
use crate::rules::{Context, instances, replicas_place};

rule! {
    /// Several instances, or two databases, write into one folder.
    ///
    /// ### What happens
    /// Each instance believes that the folder is its own. They overwrite each other's files; a database refuses to start a
    /// second time on its files, or destroys them.
    ///
    /// ### What to do
    /// Keep one instance, mount the folder read-only (`:ro`) where the instances only read, or write a table with a folder of
    /// its own for each.
    "shared-volume", Warning, Default, topology: Some(check), compose: Some(check_compose)
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

/// Two databases on one folder: instances of one are told elsewhere.
fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, (&Service<'_>, crate::source::Origin)> = HashMap::new();
    for service in context.services().filter(|service| service.replicas.0 > 0) {
        let Some((folder, _)) = state(service) else { continue };
        let Some(mount) = service.mounts.iter().find(|mount| mount.target.trim_end_matches('/') == folder && !mount.is_read_only) else { continue };
        let Some(source) = mount.source else { continue };
        let Some((first, origin)) = seen.get(source).copied() else {
            seen.insert(source, (service, mount.origin));
            continue;
        };
        findings.push(
            RULE.finding(
                Place::At(mount.origin),
                format!("the databases `{}` and `{}` keep their data in the same place, `{source}`", first.name, service.name),
                "the second does not start, or they destroy each other's files".to_owned(),
                format!("give each a volume of its own, as in `{}-data:{folder}`", service.name),
            )
            .about(service.path(&format!("volumes.{}", mount.index)))
            .with(Place::At(origin), format!("`{}` keeps its data here", first.name)),
        );
    }
}
