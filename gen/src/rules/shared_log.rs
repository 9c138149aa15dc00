//! `shared-log`

use std::collections::HashMap;

use crate::compose;
use crate::compose::view::{Service, inside};
use crate::finding::{Finding, Place};
use crate::plan::{Component, Role};
use crate::rules::log_without_volume::logs;
use crate::rules::{Context, log_folder};
use crate::source::Origin;

rule! {
    /// Two loggers keep their log in the same folder of the host.
    ///
    /// ### What happens
    /// Both append to the same file. Neither knows of the other: lines end up inside of each other, and when one rotates or
    /// mends the file, the other goes on writing to the old one.
    ///
    /// ### What to do
    /// Give each logger a folder of its own.
    ///
    /// ### Example
    /// ```toml
    /// [logger.audit]
    /// volume = "./logs/audit:/var/log/cbw"
    /// [logger.trace]
    /// volume = "./logs/trace:/var/log/cbw"
    /// ```
    "shared-log", Error, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let loggers = context.plan.deployed().filter(|component| matches!(component.role, Role::Logger { .. }));
    let mut keepers: Vec<(&Component, String, Place)> = loggers
        .filter(|logger| logger.replicas > 0)
        .filter_map(|logger| log_folder(logger).map(|(folder, place)| (logger, folder, place)))
        .collect();
    keepers.sort_by_key(|(.., place)| context.position(place));
    let mut seen: HashMap<String, (&Component, Place)> = HashMap::new();
    for (logger, folder, place) in keepers {
        let Some((first, first_place)) = seen.get(&folder) else {
            seen.insert(folder, (logger, place));
            continue;
        };
        let mut finding = RULE.finding(
            place,
            format!("loggers `{}` and `{}` keep their log in the same folder", first.name, logger.name),
            "both append to one file without knowing of each other: lines end up inside of each other".to_owned(),
            format!("give each a folder of its own, as in `volume = \"./logs/{}:/var/log/cbw\"`", logger.name),
        );
        finding.related.push((first_place.clone(), format!("`{}` keeps its log here", first.name)));
        findings.push(finding);
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<String, (&Service<'_>, Origin)> = HashMap::new();
    for service in context.services() {
        for (name, path, origin) in logs(service) {
            let is_file = name.to_ascii_uppercase().contains("FILE") || path.rsplit('/').next().is_some_and(|last| last.contains('.'));
            let Some(mount) = service.mount_of(path).filter(|mount| is_file && !mount.is_read_only) else { continue };
            let (Some(source), Some(rest)) = (mount.source, inside(path, mount.target)) else { continue };
            let kept = format!("{}:{}{rest}", mount.kind, source.trim_end_matches('/'));
            let instances = service.replicas.0;
            let Some((first, place)) = seen.get(&kept).copied().or((instances > 1).then_some((service, service.replicas.1))) else {
                seen.insert(kept, (service, origin));
                continue;
            };
            if first.name == service.name && instances < 2 {
                continue;
            }
            let who = if first.name == service.name { format!("all {instances} instances of `{}`", service.name) } else { format!("`{}` and `{}`", first.name, service.name) };
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("{who} write the same file: `{path}`"),
                    "all append to one file without knowing of each other: lines end up inside of each other".to_owned(),
                    format!("give each a file of its own, or let one write and the others send to it (`{}`)", service.name),
                )
                .about(service.path(&format!("environment.{name}")))
                .with(Place::At(place), if first.name == service.name { "several instances".to_owned() } else { format!("`{}` writes it", first.name) }),
            );
        }
    }
}
