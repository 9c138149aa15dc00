//! `shared-log`

use std::collections::HashMap;

use crate::finding::{Finding, Place};
use crate::plan::{Component, Role};
use crate::rules::{Context, log_folder};

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
    "shared-log", Error, Some(check)
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
