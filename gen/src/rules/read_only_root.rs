//! `read-only-root`

use crate::compose::Context;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// A container with a read-only root writes where nothing can be written.
    ///
    /// ### What happens
    /// "Read-only file system": the program ends, or runs on without its log.
    ///
    /// ### What to do
    /// Mount something there that can be written: `tmpfs: [/tmp]` for what may be lost, a volume for what may not.
    "read-only-root", Error, Default, topology: None, compose: Some(check)
}

/// Folders that well-known images write into when they start.
const WRITES: &[(&str, &[&str])] = &[
    ("nginx", &["/var/cache/nginx", "/var/run"]),
    ("httpd", &["/usr/local/apache2/logs"]),
    ("postgres", &["/var/run/postgresql"]),
    ("mysql", &["/var/run/mysqld", "/tmp"]),
    ("mariadb", &["/run/mysqld", "/tmp"]),
    ("mongo", &["/tmp"]),
];

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(read_only) = service.node.get("read_only").filter(|value| value.is_true()) else { continue };
        let mut writes: Vec<(String, String, Origin)> = written(service);
        let image = service.known().and_then(|known| WRITES.iter().find(|(name, _)| *name == known.name));
        if let (Some((_, folders)), Some((_, origin))) = (image, service.image) {
            // Only the official way of starting it is known.
            let folders = folders.iter().filter(|_| service.command.is_none() && service.entrypoint.is_none());
            writes.extend(folders.map(|folder| ("image".to_owned(), (*folder).to_owned(), origin)));
        }
        for (what, path, origin) in writes {
            let mount = service.mount_of(&path).or_else(|| path.strip_prefix("/var/run").and_then(|rest| service.mount_of(&format!("/run{rest}"))));
            if mount.is_some() || path.starts_with("/dev/") || path.starts_with("/proc/") {
                continue;
            }
            let folder = if what == "image" { path.as_str() } else { path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder }) };
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("`{}` writes to `{path}`, but its root is read-only", service.name),
                    "\"read-only file system\": the program ends, or goes on without what it should write".to_owned(),
                    format!("add `tmpfs: [{folder}]`, or a volume if it must be kept"),
                )
                .about(if what == "image" { service.path("image") } else { service.path(&format!("environment.{what}")) })
                .with(Place::At(read_only.origin), "the root is read-only"),
            );
        }
    }
}

/// Variables that name a file or folder which is written.
fn written(service: &Service<'_>) -> Vec<(String, String, Origin)> {
    let words = ["LOG", "LOGS", "LOGFILE", "PID", "PIDFILE", "TMP", "TMPDIR", "TEMP", "CACHE", "SPOOL", "OUTPUT", "OUT", "UPLOAD", "UPLOADS", "DUMP", "STATE"];
    let found = service.environment.iter().filter_map(|(name, variable)| {
        let upper = name.to_ascii_uppercase();
        let mut parts = upper.split('_');
        let says = parts.clone().any(|part| words.contains(&part)) && !parts.any(|part| matches!(part, "LEVEL" | "CONFIG" | "CONF" | "URL" | "FORMAT"));
        let value = variable.value.as_deref()?;
        (says && value.starts_with('/') && !value.contains([' ', ':', '$'])).then(|| (name.clone(), value.to_owned(), variable.origin))
    });
    found.collect()
}
