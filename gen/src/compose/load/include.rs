//! `include`: other projects, each with its own directory and environment.

use super::{
    Environment, FilePath, Finding, Kind, Loader, MAX_CHAIN, MAX_FILES, Mark, Node, Origin, Path, PathBuf, Place, ReadError, Severity,
    Value, is_remote_file, merge, paths, reset, rules,
};

/// An entry of `include`, each path with its place.
struct Entry {
    /// The files, the later over the earlier; at least one.
    named: Vec<(String, Origin)>,
    directory: Option<String>,
    env_files: Vec<(String, Origin)>,
}

impl Loader<'_> {
    /// Adds what the files below `include` say.
    pub(super) fn include(
        &mut self,
        own: &mut Node,
        folder: &FilePath,
        environment: &Environment,
        included: &mut Vec<PathBuf>,
        marks: &[Mark],
    ) -> Result<(), ReadError> {
        let Some(include) = own.map_mut().and_then(|map| map.shift_remove("include")) else { return Ok(()) };
        let path = Path::ROOT.key("include");
        let items = match include.node.value {
            Value::List(items) => items,
            Value::Null | Value::Wrong => return Ok(()),
            _ => {
                self.problems.wrong_type(&include.node, &path, "list");
                return Ok(());
            }
        };
        for (index, item) in items.into_iter().enumerate() {
            let path = path.index(index);
            let Some(Entry { named, directory, env_files }) = self.entry(&item, &path) else { continue };
            if let Some((remote, origin)) = named.iter().find(|(name, _)| is_remote_file(name)) {
                self.not_read(remote, *origin, &path.to_string());
                continue;
            }
            let absolute: Vec<PathBuf> = named.iter().map(|(name, _)| paths::join(folder, FilePath::new(name))).collect();
            let directory = match (directory, absolute.first().and_then(|file| file.parent())) {
                (Some(directory), _) => paths::join(folder, FilePath::new(&directory)),
                (None, parent) => parent.unwrap_or(folder).to_owned(),
            };
            if let Some(at) = included.iter().position(|known| absolute.first() == Some(known)) {
                let way: Vec<String> = included[at..].iter().map(|path| self.short(path)).collect();
                let message = format!("the files include each other: {} → {}", way.join(" → "), way.first().cloned().unwrap_or_default());
                self.problems.refuse(&rules::reference_loop::RULE, item.origin, path, message, "remove one of the `include` entries");
                continue;
            }
            // Files that include a few others twice each would be read twice as often at every step.
            let sizes = absolute.iter().filter_map(|path| Some(self.project.sources[self.documents.get(path)?.0 as usize].text.len()));
            let again: usize = sizes.map(|bytes| bytes.max(4096)).sum();
            self.again = self.again.saturating_sub(again);
            if included.len() > MAX_CHAIN || self.project.sources.len() > MAX_FILES || self.again == 0 {
                let message = "the files include each other too deeply, or the same ones too often".to_owned();
                self.problems.refuse(&rules::too_large::RULE, item.origin, path, message, "include fewer files");
                continue;
            }
            let missing = named
                .iter()
                .zip(&absolute)
                .filter(|(_, path)| !self.can_read(path))
                .map(|((name, origin), path)| (name.clone(), *origin, path.clone()));
            let missing: Vec<_> = missing.collect();
            if !missing.is_empty() {
                for (name, origin, file) in missing {
                    self.missing(&name, &file, origin, &path.to_string(), "included");
                }
                continue;
            }
            let mut inner = environment.clone();
            self.include_env(&env_files, &directory, folder, environment, &mut inner, &path.to_string())?;
            let model = self.model(&absolute, &directory, &inner, included)?;
            self.import(own, model, marks);
        }
        Ok(())
    }

    /// What an entry of `include` says; `None` when it was told that it says nothing that can be used.
    fn entry(&mut self, item: &Node, path: &Path<'_>) -> Option<Entry> {
        match &item.value {
            Value::String(text) => {
                return Some(Entry { named: vec![(text.clone(), item.origin)], directory: None, env_files: Vec::new() });
            }
            Value::Map(_) => {}
            Value::Wrong => return None,
            _ => {
                self.problems.wrong_type(item, path, "string or mapping");
                return None;
            }
        }
        let mut wrong = false;
        for (key, list) in [("path", true), ("env_file", true), ("project_directory", false)] {
            let Some(node) = item.get(key).filter(|node| !node.is_null() && node.value != Value::Wrong) else { continue };
            let is_list = list && matches!(node.value, Value::List(_)) && node.items().iter().all(|item| item.str().is_some());
            if node.str().is_none() && !is_list {
                self.problems.wrong_type(node, &path.key(key), if list { "string or list of strings" } else { "string" });
                wrong = true;
            }
        }
        if wrong {
            return None;
        }
        let texts = |key: &str| -> Vec<(String, Origin)> {
            let Some(node) = item.get(key) else { return Vec::new() };
            let items = if node.str().is_some() { std::slice::from_ref(node) } else { node.items() };
            items.iter().filter_map(|item| Some((item.str()?.to_owned(), item.origin))).collect()
        };
        let named = texts("path");
        if named.is_empty() {
            let finding = rules::missing_key::RULE.finding(
                Place::At(item.origin),
                format!("`{path}` has no `path`"),
                "nothing is included".to_owned(),
                "add `path: FILE`".to_owned(),
            );
            self.problems.findings.push(Finding { severity: Severity::Warning, ..finding.about(path.to_string()) });
            return None;
        }
        let directory = item.get("project_directory").and_then(Node::str).map(str::to_owned);
        Some(Entry { named, directory, env_files: texts("env_file") })
    }

    fn include_env(
        &mut self,
        env_files: &[(String, Origin)],
        directory: &FilePath,
        folder: &FilePath,
        environment: &Environment,
        inner: &mut Environment,
        path: &str,
    ) -> Result<(), ReadError> {
        let mut found = Environment::new();
        if env_files.is_empty() {
            let usual = directory.join(".env");
            if self.files.kind(&usual) == Kind::File {
                let source = self.files.read(&usual)?;
                self.again = self.again.saturating_sub(source.text.len());
                self.env_text(source, environment, &mut found);
            }
        }
        for (name, origin) in env_files.iter().filter(|(name, _)| name != "/dev/null") {
            let file = paths::join(folder, FilePath::new(name));
            if self.can_read(&file) {
                let source = self.files.read(&file)?;
                self.env_text(source, environment, &mut found);
            } else {
                self.missing(name, &file, *origin, path, "read");
            }
        }
        for (name, value) in found {
            inner.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Puts an included model under the document that includes it.
    fn import(&mut self, own: &mut Node, model: Node, marks: &[Mark]) {
        let Value::Map(model) = model.value else { return };
        for (section, entry) in model {
            if !["services", "volumes", "networks", "secrets", "configs", "models"].contains(&section.as_str()) {
                continue;
            }
            let Some(root) = own.map_mut() else { return };
            let Value::Map(resources) = entry.node.value else { continue };
            if root.get(&section).is_some_and(|known| !matches!(known.node.value, Value::Map(_) | Value::Null)) {
                continue;
            }
            let up = Path::ROOT.key(&section);
            let target = paths::section(root, &section);
            for (name, mut resource) in resources {
                match target.get_mut(&name) {
                    None => {
                        target.insert(name, resource);
                    }
                    Some(conflict) => {
                        reset(&mut resource.node, marks, &[&section, &name]);
                        let over = std::mem::take(&mut conflict.node);
                        conflict.node = merge(resource.node, over, &up.key(&name), &mut self.problems);
                    }
                }
            }
        }
    }
}
