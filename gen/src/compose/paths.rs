//! Relative paths become absolute: relative to the folder of the file that names them.

use std::path::{Component, Path, PathBuf};

use super::canonical::{for_each, get};
use super::problem::Problems;
use super::tree::{Map, Node, Value};
use crate::rules;

/// Where relative paths begin, and where `~` is.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The home of whoever runs Compose.
    pub home: Option<&'a str>,
}

impl Base<'_> {
    /// A path that is absolute. One that was absolute stays as it is written.
    #[must_use]
    pub fn absolute(&self, path: &str) -> String {
        let expanded = match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
            _ => path.to_owned(),
        };
        if expanded.starts_with('/') { expanded } else { join(self.folder, Path::new(&expanded)).display().to_string() }
    }

    fn change(&self, node: Option<&mut Node>) {
        if let Some(Value::String(path)) = node.map(|node| &mut node.value)
            && !path.is_empty()
            && !is_windows(path)
        {
            *path = self.absolute(path);
        }
    }
}

/// A path below a folder, without `.` and `..`.
#[must_use]
pub fn join(folder: &Path, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

pub(super) fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with(r"\\") || (bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/'))
}

/// Whether a build's context is not a folder of this machine.
#[must_use]
pub fn is_remote(context: &str) -> bool {
    context.contains("://")
        || ["service:", "https://", "http://", "git://", "ssh://", "github.com/", "git@"].iter().any(|start| context.starts_with(start))
}

/// Makes all paths of a document in its long syntax absolute.
pub fn resolve(root: &mut Node, base: Base<'_>, problems: &mut Problems) {
    let Some(root) = root.map_mut() else { return };
    for_each(root, "services", |node, path| {
        let Some(service) = node.map_mut() else { return };
        if let Some(build) = get(service, "build").and_then(Node::map_mut) {
            if get(build, "context").is_some_and(|context| !context.str().is_some_and(is_remote)) {
                base.change(get(build, "context"));
            }
            for (_, entry) in get(build, "additional_contexts").and_then(Node::map_mut).into_iter().flatten() {
                if !entry.node.str().is_some_and(is_remote) {
                    base.change(Some(&mut entry.node));
                }
            }
            for (_, entry) in get(build, "ssh").and_then(Node::map_mut).into_iter().flatten() {
                base.change(Some(&mut entry.node));
            }
        }
        base.change(get(service, "extends").and_then(Node::map_mut).and_then(|extends| get(extends, "file")));
        for file in items(get(service, "env_file")) {
            base.change(file.map_mut().and_then(|file| get(file, "path")));
        }
        for file in items(get(service, "label_file")) {
            base.change(Some(file));
        }
        for watch in items(get(service, "develop").and_then(Node::map_mut).and_then(|develop| get(develop, "watch"))) {
            base.change(watch.map_mut().and_then(|watch| get(watch, "path")));
        }
        let path = path.key("volumes");
        for (index, volume) in items(get(service, "volumes")).iter_mut().enumerate() {
            let origin = volume.origin;
            let is_bind = volume.get("type").and_then(Node::str) == Some("bind");
            let Some(volume) = volume.map_mut().filter(|_| is_bind) else { continue };
            if volume.contains_key("source") {
                base.change(get(volume, "source"));
            } else {
                problems.refuse(
                    &rules::missing_key::RULE,
                    origin,
                    path.index(index),
                    "a mount of the type `bind` has no `source`".to_owned(),
                    "add `source: ./folder`, or write `type: volume`",
                );
            }
        }
    });
    for kind in ["configs", "secrets"] {
        for_each(root, kind, |node, _| base.change(node.map_mut().and_then(|resource| get(resource, "file"))));
    }
    for_each(root, "volumes", |node, _| {
        let local = node.get("driver").and_then(Node::str) == Some("local");
        let Some(options) = node.map_mut().filter(|_| local).and_then(|volume| get(volume, "driver_opts")?.map_mut()) else { return };
        if options.get("o").and_then(|entry| entry.node.str()) == Some("bind") {
            base.change(get(options, "device"));
        }
    });
}

fn items(node: Option<&mut Node>) -> &mut [Node] {
    match node.map(|node| &mut node.value) {
        Some(Value::List(items)) => items,
        _ => &mut [],
    }
}

/// The section of a document, made where it is missing.
pub fn section<'m>(root: &'m mut Map, name: &str) -> &'m mut Map {
    let entry = root.entry(name.to_owned()).or_default();
    if !matches!(entry.node.value, Value::Map(_)) {
        entry.node.value = Value::Map(Map::default());
    }
    match &mut entry.node.value {
        Value::Map(map) => map,
        _ => unreachable!("it was made a mapping above"),
    }
}
