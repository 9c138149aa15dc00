//! A project as it is written: one document with nothing resolved but where things stand.

use std::path::{Path as FilePath, PathBuf};

use serde_json::Value as Json;

use super::{Entry, Environment, Files, Loader, Map, Node, Options, Origin, ReadError, Value};
use crate::compose::relative;
use crate::render::paths::{Folder, with_dot};
use crate::source::Source;

/// Reads a project and keeps its words: files are merged, `extends` and `include` are put in; variables stay variables, and the
/// short syntax stays short. Relative paths begin at the project's directory. The project is one that [`super::load`] accepts;
/// of another, what can be read is there. The sources are those that [`Origin::file`] is an index into.
pub fn written(options: &Options, files: &dyn Files) -> Result<(Node, Vec<Source>), ReadError> {
    let (mut loader, environment, named) = Loader::start(options, files)?;
    let directory = loader.project.directory.clone();
    loader.as_written = Some(directory.clone());
    let root = loader.model(&named, &directory, &environment, &mut Vec::new())?;
    Ok((root, loader.project.sources))
}

impl Loader<'_> {
    /// Several files as one document, with paths told from where the including project is.
    pub(super) fn written_model(
        &mut self,
        named: &[PathBuf],
        folder: &FilePath,
        environment: &Environment,
        included: &mut Vec<PathBuf>,
    ) -> Result<Node, ReadError> {
        let outer = self.as_written.replace(folder.to_owned());
        let mut root = Node::new(Origin::default(), Value::Map(Map::default()));
        for path in named {
            self.file(path, folder, environment, included, &mut root)?;
        }
        say_context(&mut root);
        if let Some(outer) = &outer {
            retell(&mut root, folder, outer);
        }
        self.as_written = outer;
        Ok(root)
    }
}

/// A build without a context is one here: that must be said before it is told from elsewhere.
fn say_context(root: &mut Node) {
    let Some(services) = root.map_mut().and_then(|root| root.get_mut("services")?.node.map_mut()) else { return };
    for service in services.values_mut() {
        let Some(build) = service.node.map_mut().and_then(|service| service.get_mut("build")) else { continue };
        let place = build.key;
        if let Some(build) = build.node.map_mut() {
            build.entry("context".to_owned()).or_insert_with(|| Entry { key: place, node: Node::text(place, ".") });
        }
    }
}

/// Tells a document's paths from another folder.
pub(super) fn retell(root: &mut Node, from: &FilePath, to: &FilePath) {
    if from == to {
        return;
    }
    let (Ok(from), Ok(to)) = (Folder::new(from), Folder::new(to)) else { return };
    let Json::Object(mut document) = crate::compose::config::plain(root) else { return };
    relative::retell(&mut document, &to.way_to(&from), &|path| with_dot(to.way_to(&from.join(path))));
    restore(root, Json::Object(document));
}

/// Gives a tree other texts, where nothing else changed.
fn restore(node: &mut Node, json: Json) {
    match (&mut node.value, json) {
        (Value::Map(map), Json::Object(entries)) => {
            for (key, value) in entries {
                restore(&mut map.entry(key).or_insert_with(Entry::default).node, value);
            }
        }
        (Value::List(items), Json::Array(values)) => items.iter_mut().zip(values).for_each(|(item, value)| restore(item, value)),
        (Value::String(text), Json::String(new)) => *text = new,
        _ => {}
    }
}
