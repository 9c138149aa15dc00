//! `mount-kind`

use std::path::Path;

use crate::compose::Context;
use crate::compose::files::Kind;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place, Severity};

rule! {
    /// A folder is mounted where a file belongs, or a file where a folder belongs, or nothing is there.
    ///
    /// ### What happens
    /// The program finds a directory where it wants to read a file and ends; or the engine refuses: "not a directory". What does not exist on the
    /// host is made by Docker: as an empty directory that belongs to root.
    ///
    /// ### What to do
    /// Name the file on both sides (`./conf/broker.toml:/etc/broker.toml`), or the folder on both sides. Make the file first.
    "mount-kind", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for mount in service.mounts.iter().filter(|mount| mount.kind == "bind") {
            let Some(source) = mount.source.map(Path::new) else { continue };
            // Only the project's own folder is the same here and where it is deployed.
            if !source.starts_with(&context.project.directory) || source == context.project.directory {
                continue;
            }
            let shown = source.strip_prefix(&context.project.directory).unwrap_or(source).display().to_string();
            let target = mount.target.trim_end_matches('/');
            let creates = mount.node.and_then(|node| node.at(&["bind", "create_host_path"])).is_none_or(Node::is_true);
            let kind = context.files.kind(source);
            let (message, consequence, help) = match kind {
                Kind::Directory if is_file(target) && !is_file(&shown) => (
                    format!("`{}` mounts the folder `./{shown}` where a file belongs: `{target}`", service.name),
                    "the program finds a directory where it wants to read a file",
                    format!("name the file on both sides: `./{shown}/{}:{target}`", target.rsplit('/').next().unwrap_or_default()),
                ),
                Kind::File if mount.target.ends_with('/') && is_file(&shown) => (
                    format!("`{}` mounts the file `./{shown}` where a folder belongs: `{}`", service.name, mount.target),
                    "the engine refuses it: \"not a directory\", or the program finds a file where it wants a folder",
                    format!("name the file on both sides: `./{shown}:{target}/{}`", shown.rsplit('/').next().unwrap_or_default()),
                ),
                Kind::Missing if is_file(target) && is_file(&shown) && creates => (
                    format!("`{}` mounts `./{shown}`, which does not exist", service.name),
                    "Docker makes an empty directory of this name, and the program finds that instead of a file",
                    format!("make the file `./{shown}` before you start"),
                ),
                Kind::Missing if !creates => (
                    format!("`{}` mounts `./{shown}`, which does not exist", service.name),
                    "the container is not created: \"bind source path does not exist\"",
                    format!("make `./{shown}` before you start"),
                ),
                _ => continue,
            };
            let mut finding = RULE.finding(Place::At(mount.origin), message, consequence.to_owned(), help);
            if kind == Kind::Missing {
                // Somebody may make it before the start.
                finding.severity = Severity::Warning;
            }
            findings.push(finding.about(service.path(&format!("volumes.{}", mount.index))));
        }
    }
}

/// Whether a path looks like that of a file: its last part has an extension that files have.
fn is_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    !stem.is_empty()
        && matches!(
            extension.to_ascii_lowercase().as_str(),
            "toml" | "yaml" | "yml" | "json" | "conf" | "cfg" | "ini" | "env" | "xml" | "properties" | "cnf" | "pem" | "crt" | "key" | "cert" | "txt" | "sql" | "sh" | "py"
                | "js" | "ts" | "php" | "html" | "css" | "log" | "template" | "tpl" | "lua" | "rules" | "acl" | "hcl" | "csv" | "db" | "sqlite" | "sqlite3" | "config" | "jar" | "war" | "zip" | "sock-never"
        )
}
