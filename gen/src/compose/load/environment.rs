//! `.env`, `env_file` and `label_file`.

use super::{
    Entry, Environment, FilePath, HashMap, Kind, Loader, Map, Node, Options, Origin, PathBuf, ReadError, Source, Value, canonical, dotenv,
    paths, rules,
};

impl Loader<'_> {
    /// `.env`, or what `--env-file` names: variables that the environment does not have.
    pub(super) fn dot_env(&mut self, options: &Options, directory: &FilePath, environment: &mut Environment) -> Result<(), ReadError> {
        let mut named: Vec<PathBuf> = options.env_files.iter().map(|file| paths::join(&options.current, file)).collect();
        if named.is_empty() {
            let usual = directory.join(".env");
            if self.files.kind(&usual) != Kind::File {
                return Ok(());
            }
            named.push(usual);
        }
        let mut found = Environment::new();
        for path in named {
            let source = self.files.read(&path)?;
            self.env_text(source, environment, &mut found);
        }
        for (name, value) in found {
            environment.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Reads the text of an env file, and keeps it for messages.
    pub(super) fn env_text(&mut self, source: Source, environment: &Environment, found: &mut Environment) {
        let file = self.push(source);
        let text = self.project.sources[file as usize].text.clone();
        let known = found.clone();
        let lookup = |name: &str| environment.get(name).or_else(|| known.get(name)).cloned();
        match dotenv::parse(&text, &lookup) {
            Ok(variables) => found.extend(variables.into_iter().map(|(name, line)| (name, line.value))),
            Err(mistake) => self.wrong_env(file, &mistake),
        }
    }

    pub(super) fn wrong_env(&mut self, file: u32, mistake: &dotenv::Mistake) {
        let range = self.project.sources.get(file as usize).map_or(0..0, |source| source.line_range(mistake.line));
        self.problems.refuse(&rules::syntax::RULE, Origin::new(file, &range), "", mistake.message.clone(), "write one `NAME=value` a line");
    }

    /// What `env_file` and `label_file` say goes under what the service says itself.
    pub(super) fn env_files(&mut self, root: &mut Node, environment: &Environment) {
        let Some(services) = root.map_mut().and_then(|map| map.get_mut("services")) else { return };
        let mut services = std::mem::take(&mut services.node);
        for (name, entry) in services.map_mut().into_iter().flatten() {
            let Some(service) = entry.node.map_mut() else { continue };
            self.env_file(name, service, environment);
            self.label_file(name, service, environment);
        }
        if let Some(entry) = root.map_mut().and_then(|map| map.get_mut("services")) {
            entry.node = services;
        }
    }

    fn env_file(&mut self, name: &str, service: &mut Map, environment: &Environment) {
        let Some(list) = service.get("env_file") else { return };
        let list: Vec<Node> = list.node.items().to_vec();
        let mut found = Map::default();
        let own: HashMap<String, String> = service
            .get("environment")
            .into_iter()
            .flat_map(|entry| entry.node.entries())
            .filter_map(|(key, entry)| Some((key.to_owned(), entry.node.scalar()?)))
            .collect();
        for (index, file) in list.iter().enumerate() {
            let Some(path) = file.get("path").and_then(Node::str) else { continue };
            let required = file.get("required").is_none_or(Node::is_true);
            let place = format!("services.{name}.env_file.{index}");
            let origin = file.get("path").map_or(file.origin, |node| node.origin);
            let absolute = PathBuf::from(path);
            if !self.can_read(&absolute) {
                if required || self.files.kind(&absolute) != Kind::Missing {
                    let shown = self.short(&absolute);
                    self.missing(&shown, &absolute, origin, &place, "read");
                }
                continue;
            }
            let raw = file.get("format").and_then(Node::str) == Some("raw");
            self.env_lines(&absolute, raw, environment, &own, &mut found, (origin, &place));
        }
        if found.is_empty() {
            return;
        }
        let target = paths::section(service, "environment");
        for (key, entry) in std::mem::take(target) {
            found.insert(key, entry);
        }
        *target = found;
    }

    fn env_lines(
        &mut self,
        path: &FilePath,
        raw: bool,
        environment: &Environment,
        own: &HashMap<String, String>,
        found: &mut Map,
        (origin, place): (Origin, &str),
    ) {
        // What is refused already need not be read for every other service.
        if self.copies == 0 {
            return;
        }
        let Ok(source) = self.files.read(path) else {
            return self.missing(&self.short(path), path, origin, place, "read");
        };
        let known = self.project.sources.iter().position(|known| known.name == source.name);
        let file = match known {
            Some(file) => u32::try_from(file).unwrap_or(u32::MAX),
            None => self.push(source),
        };
        let text = self.project.sources[file as usize].text.clone();
        let earlier: HashMap<String, String> = found.iter().filter_map(|(key, entry)| Some((key.clone(), entry.node.scalar()?))).collect();
        let lookup = |name: &str| environment.get(name).or_else(|| own.get(name)).or_else(|| earlier.get(name)).cloned();
        let parsed = if raw { Ok(raw_lines(&text)) } else { dotenv::parse(&text, &lookup) };
        match parsed {
            Err(mistake) => self.wrong_env(file, &mistake),
            Ok(variables) => {
                if !self.copy(variables.len(), origin, place.to_owned()) {
                    return;
                }
                for (name, line) in variables {
                    let range = self.project.sources[file as usize].line_range(line.line);
                    let place = Origin::new(file, &range);
                    found.insert(name, Entry { key: place, node: Node::text(place, line.value) });
                }
            }
        }
    }

    fn label_file(&mut self, name: &str, service: &mut Map, environment: &Environment) {
        let Some(list) = service.get("label_file") else { return };
        let list: Vec<Node> = list.node.items().to_vec();
        let mut found = Map::default();
        for (index, file) in list.iter().enumerate() {
            let Some(path) = file.str() else { continue };
            let place = format!("services.{name}.label_file.{index}");
            let absolute = PathBuf::from(path);
            if self.can_read(&absolute) {
                self.env_lines(&absolute, false, environment, &HashMap::new(), &mut found, (file.origin, &place));
            } else {
                let shown = self.short(&absolute);
                self.missing(&shown, &absolute, file.origin, &place, "read");
            }
        }
        if !found.is_empty() {
            let target = paths::section(service, "labels");
            found.extend(std::mem::take(target));
            *target = found;
        }
    }
}

/// `format: raw`: nothing is put in, quotes stay.
fn raw_lines(text: &str) -> indexmap::IndexMap<String, dotenv::Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|(index, line)| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim().to_owned(), dotenv::Line { value: value.to_owned(), line: index + 1 }))
    });
    pairs.collect()
}

/// Variables of services without a value, and contents of secrets and configs, come from the environment.
pub(super) fn resolve_environment(root: &mut Node, environment: &Environment) {
    let Some(root) = root.map_mut() else { return };
    canonical::for_each(root, "services", |node, _| {
        let Some(Value::List(items)) = node.map_mut().and_then(|map| canonical::get(map, "environment")).map(|node| &mut node.value) else {
            return;
        };
        for item in items {
            if let Some(value) = item.str().and_then(|name| environment.get(name)) {
                let text = format!("{}={value}", item.str().unwrap_or_default());
                item.value = Value::String(text);
            }
        }
    });
    canonical::for_each(root, "configs", |node, _| {
        let found = node.get("environment").and_then(Node::str).and_then(|name| environment.get(name)).cloned();
        let origin = node.origin;
        if let (Some(config), Some(value)) = (node.map_mut(), found) {
            config.insert("content".to_owned(), Entry { key: origin, node: Node::text(origin, value) });
        }
    });
}
