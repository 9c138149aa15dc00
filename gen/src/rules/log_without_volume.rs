//! `log-without-volume`

use crate::compose::Context;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// A service writes its log into its container.
    ///
    /// ### What happens
    /// The file lives as long as the container. It is gone after `docker compose down`, and after every change that makes Compose
    /// replace the container; until then it fills the disk.
    ///
    /// ### What to do
    /// Mount a volume there, or write to the standard output and let Docker keep it.
    "log-without-volume", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for (name, path, origin) in logs(service) {
            if service.mount_of(path).is_some() || path.starts_with("/dev/") || path.starts_with("/proc/") {
                continue;
            }
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("`{}` writes its log to `{path}`, which is on no volume", service.name),
                    "the log is lost with the container: `docker compose down` deletes it".to_owned(),
                    format!("add `volumes: [\"logs:{folder}\"]`, or write to the standard output"),
                )
                .about(service.path(&format!("environment.{name}"))),
            );
        }
    }
}

/// Variables that say where a log is written: name, path, place.
pub(crate) fn logs<'s>(service: &'s Service<'_>) -> impl Iterator<Item = (&'s str, &'s str, Origin)> {
    service.environment.iter().filter_map(|(name, variable)| {
        let upper = name.to_ascii_uppercase();
        let mut parts = upper.split('_');
        let says = parts.clone().any(|part| matches!(part, "LOG" | "LOGS" | "LOGFILE" | "LOGGER" | "LOGDIR")) && !parts.any(|part| matches!(part, "LEVEL" | "CONFIG" | "CONF" | "URL" | "FORMAT"));
        let value = variable.value.as_deref().filter(|value| says && value.starts_with('/') && !value.contains([' ', ':', '$']))?;
        Some((name.as_str(), value, variable.origin))
    })
}
