//! From files to a [`Project`], in the order of Compose: read, put in variables, include, extend, merge, validate, long syntax,
//! defaults, absolute paths, names, types, profiles, consistency, env files.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path as FilePath, PathBuf};
use std::rc::Rc;

use super::files::{Files, Kind};
use super::interpolate::{Environment, interpolate};
use super::merge::{merge, unique};
use super::path::Path;
use super::paths::{self, Base};
use super::problem::Problems;
use super::tree::{Entry, Map, Node, Value};
use super::{Project, canonical, consistency, dotenv, normalize, types, validate};
use crate::finding::{Finding, Place, Severity, did_you_mean};
use crate::rules;
use crate::source::yaml::{self, Mark};
use crate::source::{Origin, ReadError, Source};

/// What the user says about a project: Compose's own options.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `-f`: the files, the later over the earlier; none: the ones with the usual names, and their overrides.
    pub files: Vec<PathBuf>,
    /// `-p`: the project's name.
    pub name: Option<String>,
    /// `--profile`: profiles that are active.
    pub profiles: Vec<String>,
    /// `--env-file`: instead of `.env`.
    pub env_files: Vec<PathBuf>,
    /// `--project-directory`: where relative paths begin.
    pub directory: Option<PathBuf>,
    /// The environment of whoever runs Compose.
    pub environment: BTreeMap<String, String>,
    /// Where the user is.
    pub current: PathBuf,
}

/// The names that Compose looks for, the best first, with their overrides.
pub const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The names of files that go over them.
pub const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// The most values that Compose reads from one document (compose-go v2.16).
const MAX_VALUES: usize = 100_000;
/// The longest chain of services that extend each other, and of files that include each other.
const MAX_CHAIN: usize = 100;
/// The most files that one project reads.
const MAX_FILES: usize = 10_000;
/// The most bytes that are read again because a file is included or extended once more.
const MAX_AGAIN: usize = 4 * 1024 * 1024;
/// The most values that `extends` and env files put into services: each service gets all of them.
const MAX_COPIES: usize = 500_000;

/// The usual files of a folder: the first name that is there, and its override.
#[must_use]
pub fn usual_files(folder: &FilePath, files: &dyn Files) -> Vec<PathBuf> {
    let is_there = |name: &&&str| matches!(files.kind(&folder.join(name)), Kind::File | Kind::Other);
    let Some(first) = NAMES.iter().find(is_there) else { return Vec::new() };
    let first = std::iter::once(folder.join(first));
    first.chain(OVERRIDES.iter().find(is_there).map(|name| folder.join(name))).collect()
}

/// Reads a project. An error is a file of the command line that cannot be read; all else becomes findings.
pub fn load(options: &Options, files: &dyn Files) -> Result<(Project, Vec<Finding>), ReadError> {
    let mut loader = Loader {
        files,
        home: options.environment.get("HOME").cloned(),
        project: Project::default(),
        problems: Problems::default(),
        documents: HashMap::new(),
        scopes: Vec::new(),
        known_scopes: HashMap::new(),
        values: 0,
        again: MAX_AGAIN,
        copies: MAX_COPIES,
    };
    let mut environment: Environment = options.environment.clone().into_iter().collect();
    let folder = options.directory.as_ref().map_or_else(|| options.current.clone(), |folder| paths::join(&options.current, folder));
    if options.files.is_empty() {
        // `COMPOSE_FILE` may stand in the `.env` of where the user is.
        loader.dot_env(options, &folder, &mut environment)?;
    }
    let named = files_of(options, &environment, &folder, files)?;
    let directory = match (&options.directory, named.first()) {
        (Some(_), _) => folder.clone(),
        (None, Some(file)) if file.as_os_str() != "-" => file.parent().map_or_else(|| options.current.clone(), FilePath::to_owned),
        _ => options.current.clone(),
    };
    if !options.files.is_empty() || (directory != folder && options.env_files.is_empty()) {
        loader.dot_env(options, &directory, &mut environment)?;
    }
    loader.project.directory.clone_from(&directory);
    let profiles = match environment.get("COMPOSE_PROFILES") {
        Some(profiles) if options.profiles.is_empty() => profiles.split(',').map(|name| name.trim().to_owned()).collect(),
        _ => options.profiles.clone(),
    };
    for file in &named {
        loader.read(file)?;
    }
    let name = loader.name(options, &named, &mut environment);
    let mut root = loader.model(&named, &directory, &environment, &mut Vec::new())?;
    let first = loader
        .project
        .sources
        .iter()
        .position(|source| FilePath::new(&source.name).file_name().is_some_and(|name| name != ".env"))
        .unwrap_or(0);
    let start = Origin { file: u32::try_from(first).unwrap_or(0), start: 0, end: 0 };
    if root.map().is_none_or(Map::is_empty) && loader.problems.findings.is_empty() {
        let help = "add `services:` with at least one service";
        loader.problems.refuse(&rules::empty_project::RULE, start, "", "the project is empty".to_owned(), help);
    }
    normalize::normalize(&mut root, &name, &environment);
    types::check(&mut root, &mut loader.problems);
    let disabled = split_profiles(&mut root, &profiles);
    consistency::check(&root, &disabled, &mut loader.problems);
    normalize::prune(&mut root);
    loader.env_files(&mut root, &environment);
    let Loader { mut project, problems, documents, .. } = loader;
    let mut written: Vec<(u32, Vec<yaml::Document>)> = documents.into_values().collect();
    written.sort_by_key(|(file, _)| *file);
    project.written = written.into_iter().flat_map(|(_, documents)| documents).map(|document| document.root).collect();
    project.name = name;
    project.model = root;
    project.disabled = disabled;
    project.environment = environment.into_iter().collect();
    let mut findings = problems.findings;
    project.complete = findings.iter().all(|finding| finding.severity != Severity::Error);
    let place = |finding: &Finding| match finding.place {
        Place::At(origin) => origin,
        _ => Origin::default(),
    };
    findings.sort_by(|a, b| (place(a), a.rule, &a.message).cmp(&(place(b), b.rule, &b.message)));
    findings.dedup_by(|a, b| a.rule == b.rule && a.place == b.place && a.message == b.message);
    Ok((project, findings))
}

/// The files of a project, absolute.
fn files_of(options: &Options, environment: &Environment, folder: &FilePath, files: &dyn Files) -> Result<Vec<PathBuf>, ReadError> {
    let absolute = |path: &PathBuf| if path.as_os_str() == "-" { path.clone() } else { paths::join(&options.current, path) };
    if !options.files.is_empty() {
        return Ok(options.files.iter().map(absolute).collect());
    }
    if let Some(list) = environment.get("COMPOSE_FILE").filter(|list| !list.is_empty()) {
        let separator = environment.get("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
        return Ok(list.split(separator).map(|file| absolute(&PathBuf::from(file))).collect());
    }
    let found = folder.ancestors().map(|folder| usual_files(folder, files)).find(|found| !found.is_empty());
    found.ok_or_else(|| ReadError::Missing {
        name: NAMES[0].to_owned(),
        hint: "; name the Compose file, or go to the folder that it is in".to_owned(),
    })
}

/// The services of a file while they extend each other.
struct Scope {
    file: PathBuf,
    services: Map,
    marks: Rc<[Mark]>,
}

struct Loader<'f> {
    files: &'f dyn Files,
    home: Option<String>,
    project: Project,
    problems: Problems,
    /// Files that were read, by path: the index of their source and their documents.
    documents: HashMap<PathBuf, (u32, Vec<yaml::Document>)>,
    scopes: Vec<Scope>,
    known_scopes: HashMap<PathBuf, Option<usize>>,
    values: usize,
    /// How much may still be read again: see [`MAX_AGAIN`].
    again: usize,
    /// How many values may still be copied: see [`MAX_COPIES`].
    copies: usize,
}

impl Loader<'_> {
    /// Reads a file once; its mistakes become findings.
    fn read(&mut self, path: &FilePath) -> Result<u32, ReadError> {
        if let Some((file, _)) = self.documents.get(path) {
            return Ok(*file);
        }
        let source = self.files.read(path)?;
        let file = u32::try_from(self.project.sources.len()).unwrap_or(u32::MAX);
        let (documents, mistakes) = yaml::parse(&source.text, file);
        self.project.sources.push(source);
        for mistake in mistakes {
            self.mistake(mistake, file);
        }
        for document in &documents {
            self.values = document.values;
            if document.values > MAX_VALUES {
                let origin = Origin { file, start: 0, end: 0 };
                self.problems.refuse(
                    &rules::too_large::RULE,
                    origin,
                    "",
                    format!("the file has {} values, and Compose reads {MAX_VALUES} of them at most", document.values),
                    "split the project: `include` reads each file by itself",
                );
            }
        }
        self.documents.insert(path.to_owned(), (file, documents));
        Ok(file)
    }

    fn mistake(&mut self, mistake: yaml::Mistake, file: u32) {
        let origin = |span: std::ops::Range<usize>| {
            let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            Origin { file, start: fit(span.start), end: fit(span.end) }
        };
        let (rule, help) = match mistake.kind {
            yaml::Kind::Syntax => (&rules::syntax::RULE, "correct the line; `https://yaml.org` describes the format"),
            yaml::Kind::DuplicateKey => (&rules::duplicate_key::RULE, "remove one of them, or rename it"),
            yaml::Kind::Key => (&rules::wrong_type::RULE, "write the key in quotes"),
            yaml::Kind::TooMuch => (&rules::too_large::RULE, "write less of it by aliases, and nest less"),
        };
        let place = origin(mistake.span);
        let finding = self.problems.refuse(rule, place, mistake.path, mistake.message, help);
        if let Some(first) = mistake.first {
            finding.related.push((Place::At(origin(first)), "it is here first".to_owned()));
        }
    }

    /// `.env`, or what `--env-file` names: variables that the environment does not have.
    fn dot_env(&mut self, options: &Options, directory: &FilePath, environment: &mut Environment) -> Result<(), ReadError> {
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
    fn env_text(&mut self, source: Source, environment: &Environment, found: &mut Environment) {
        let file = self.push(source);
        let text = self.project.sources[file as usize].text.clone();
        let known = found.clone();
        let lookup = |name: &str| environment.get(name).or_else(|| known.get(name)).cloned();
        match dotenv::parse(&text, &lookup) {
            Ok(variables) => found.extend(variables.into_iter().map(|(name, line)| (name, line.value))),
            Err(mistake) => self.wrong_env(file, &mistake),
        }
    }

    fn push(&mut self, source: Source) -> u32 {
        self.project.sources.push(source);
        u32::try_from(self.project.sources.len() - 1).unwrap_or(u32::MAX)
    }

    fn wrong_env(&mut self, file: u32, mistake: &dotenv::Mistake) {
        let range = self.project.sources.get(file as usize).map_or(0..0, |source| source.line_range(mistake.line));
        let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let origin = Origin { file, start: fit(range.start), end: fit(range.end) };
        self.problems.refuse(&rules::syntax::RULE, origin, "", mistake.message.clone(), "write one `NAME=value` a line");
    }

    /// The project's name: from the command line, the environment, the files, or the folder.
    fn name(&mut self, options: &Options, named: &[PathBuf], environment: &mut Environment) -> String {
        let said = options.name.clone().or_else(|| environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned());
        let name = if let Some(name) = said {
            if normalize::project_name(&name) != name {
                let origin = Origin::default();
                let message = format!("`{name}` is no name of a project");
                let help = "use lower case letters, digits, `-` and `_`, and begin with a letter or a digit";
                self.problems.refuse(&rules::wrong_value::RULE, origin, "name", message, help);
            }
            name
        } else {
            let mut written = None;
            for (_, documents) in named.iter().filter_map(|path| self.documents.get(path)) {
                for document in documents {
                    if let Some(name) = document.root.get("name").and_then(Node::str).filter(|name| !name.is_empty()) {
                        written = Some(name.to_owned());
                    }
                }
            }
            let resolved = written.and_then(|name| super::template::substitute(&name, &mut |name, _| environment.get(name).cloned()).ok());
            resolved.map_or_else(
                || {
                    let folder = self.project.directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    normalize::project_name(folder)
                },
                |name| normalize::project_name(&name),
            )
        };
        if name.is_empty() {
            let help = "write `name: …` into the file, or use `-p NAME`";
            self.problems.refuse(&rules::missing_key::RULE, Origin::default(), "name", "the project has no name".to_owned(), help);
        }
        environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
        name
    }

    /// Several files as one document in the long syntax, with absolute paths.
    fn model(
        &mut self,
        named: &[PathBuf],
        folder: &FilePath,
        environment: &Environment,
        included: &mut Vec<PathBuf>,
    ) -> Result<Node, ReadError> {
        let mut root = Node::new(Origin::default(), Value::Map(Map::default()));
        for path in named {
            self.file(path, folder, environment, included, &mut root)?;
        }
        canonical::defaults(&mut root);
        consistency::resources(&root, &mut self.problems);
        paths::resolve(&mut root, Base { folder, home: self.home.as_deref() }, &mut self.problems);
        resolve_environment(&mut root, environment);
        Ok(root)
    }

    /// Puts one file over what is known.
    fn file(
        &mut self,
        path: &FilePath,
        folder: &FilePath,
        environment: &Environment,
        included: &mut Vec<PathBuf>,
        root: &mut Node,
    ) -> Result<(), ReadError> {
        self.read(path)?;
        let count = self.documents.get(path).map_or(0, |(_, documents)| documents.len());
        for index in 0..count {
            let Some((mut own, marks)) = self.document(path, index, environment) else { continue };
            if own.map().is_none() {
                continue;
            }
            included.push(path.to_owned());
            self.include(&mut own, folder, environment, included, &marks)?;
            included.pop();
            reset(root, &marks, &[]);
            self.extend(&mut own, path, folder, environment, marks);
            let before = std::mem::take(root);
            *root = merge(before, own, &Path::ROOT, &mut self.problems);
            unique(root, &mut self.problems);
            validate::validate(root, &mut self.problems);
            if let Some(map) = root.map_mut() {
                map.shift_remove("version");
            }
            canonical::canonical(root, &mut self.problems);
            unique(root, &mut self.problems);
        }
        Ok(())
    }

    /// A document of a file with its variables put in.
    fn document(&mut self, path: &FilePath, index: usize, environment: &Environment) -> Option<(Node, Vec<Mark>)> {
        let (_, documents) = self.documents.get(path)?;
        let document = documents.get(index)?;
        let (mut own, marks) = (document.root.clone(), document.marks.clone());
        yaml::remove(&mut own, &marks);
        if own.is_null() && documents.len() == 1 && document.values <= 1 {
            return None;
        }
        if own.map().is_none() {
            let kind = own.kind();
            let help = "a Compose file begins with `services:`";
            self.problems.refuse(
                &rules::wrong_type::RULE,
                own.origin,
                "",
                format!("the file is {}, and must be a mapping", super::validate::a(kind)),
                help,
            );
            return None;
        }
        interpolate(&mut own, environment, &mut self.project.variables, &mut self.problems);
        Some((own, marks))
    }

    /// Adds what the files below `include` say.
    fn include(
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
            let texts = |node: Option<&Node>| match node.map(|node| (&node.value, node)) {
                Some((Value::String(text), node)) => vec![(text.clone(), node.origin)],
                Some((Value::List(items), _)) => items.iter().filter_map(|item| Some((item.str()?.to_owned(), item.origin))).collect(),
                _ => Vec::new(),
            };
            let (named, directory, env_files) = match &item.value {
                Value::String(text) => (vec![(text.clone(), item.origin)], None, Vec::new()),
                Value::Map(_) => (
                    texts(item.get("path")),
                    item.get("project_directory").and_then(Node::str).map(str::to_owned),
                    texts(item.get("env_file")),
                ),
                Value::Wrong => continue,
                _ => {
                    self.problems.wrong_type(&item, &path, "string or mapping");
                    continue;
                }
            };
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
                continue;
            }
            let Some((first, _)) = named.first() else {
                let finding = rules::missing_key::RULE.finding(
                    Place::At(item.origin),
                    format!("`{path}` has no `path`"),
                    "nothing is included".to_owned(),
                    "add `path: FILE`".to_owned(),
                );
                self.problems.findings.push(Finding { severity: Severity::Warning, ..finding.about(path.to_string()) });
                continue;
            };
            if let Some((remote, origin)) = named.iter().find(|(name, _)| is_remote_file(name)) {
                self.not_read(remote, *origin, &path.to_string());
                continue;
            }
            let absolute: Vec<PathBuf> = named.iter().map(|(name, _)| paths::join(folder, FilePath::new(name))).collect();
            let directory = match directory {
                Some(directory) => paths::join(folder, FilePath::new(&directory)),
                None => paths::join(folder, FilePath::new(first)).parent().map_or_else(|| folder.to_owned(), FilePath::to_owned),
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

    /// Resolves `extends` in all services of a document.
    fn extend(&mut self, own: &mut Node, path: &FilePath, folder: &FilePath, environment: &Environment, marks: Vec<Mark>) {
        let Some(services) = own.map_mut().and_then(|map| map.get_mut("services")) else { return };
        let Some(services) = services.node.map_mut() else { return };
        if !services.values().any(|entry| entry.node.get("extends").is_some()) {
            return;
        }
        let names: Vec<String> = services.keys().cloned().collect();
        let scope = self.scopes.len();
        self.scopes.push(Scope { file: path.to_owned(), services: std::mem::take(services), marks: marks.into() });
        for name in names {
            self.extend_service(scope, &name, folder, environment, &mut Vec::new());
        }
        if let Some(target) = own.map_mut().and_then(|map| map.get_mut("services")?.node.map_mut()) {
            *target = std::mem::take(&mut self.scopes[scope].services);
        }
    }

    fn extend_service(&mut self, scope: usize, name: &str, folder: &FilePath, environment: &Environment, chain: &mut Vec<(usize, String)>) {
        let file = self.scopes[scope].file.clone();
        let place = format!("services.{name}");
        let Some(service) = self.scopes[scope].services.get_mut(name) else { return };
        let service_key = service.key;
        let Some(extends) = service.node.get("extends").cloned() else { return };
        let at = service.node.key("extends");
        if let Some(first) = chain.iter().position(|known| known.0 == scope && known.1 == name) {
            let way: Vec<&str> = chain[first..].iter().map(|(_, name)| name.as_str()).chain([name]).collect();
            let message = format!("the services extend each other: {}", way.join(" → "));
            self.problems.refuse(&rules::reference_loop::RULE, at, format!("{place}.extends"), message, "remove one of the `extends`");
            return;
        }
        if chain.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} services extend each other in a row");
            self.problems.refuse(&rules::too_large::RULE, at, format!("{place}.extends"), message, "extend the first one directly");
            return;
        }
        let (base, base_origin) = match (&extends.value, extends.get("service")) {
            (Value::String(name), _) => (name.clone(), extends.origin),
            (_, Some(Node { value: Value::String(name), origin })) => (name.clone(), *origin),
            (Value::Wrong, _) => return,
            _ => {
                let message = format!("`{place}.extends` does not name a service");
                self.problems.refuse(
                    &rules::missing_key::RULE,
                    at,
                    format!("{place}.extends"),
                    message,
                    "write `extends: { service: NAME }`",
                );
                self.forget(scope, name);
                return;
            }
        };
        let other = extends.get("file").and_then(|node| Some((node.str()?.to_owned(), node.origin)));
        let target = match &other {
            None => Some(scope),
            Some((remote, origin)) if is_remote_file(remote) => {
                self.not_read(remote, *origin, &format!("{place}.extends.file"));
                self.forget(scope, name);
                return;
            }
            Some((named, origin)) => self.scope_of(named, *origin, &place, folder, environment),
        };
        let Some(target) = target else {
            self.forget(scope, name);
            return;
        };
        if !self.scopes[target].services.contains_key(&base) {
            let near = did_you_mean(&base, self.scopes[target].services.keys().map(String::as_str));
            let help = near.map_or_else(|| "name a service of that file".to_owned(), |near| format!("did you mean `{near}`?"));
            let message = format!("`{name}` extends the service `{base}`, which `{}` does not have", self.short(&self.scopes[target].file));
            self.problems.refuse(&rules::unknown_reference::RULE, base_origin, format!("{place}.extends"), message, help);
            self.forget(scope, name);
            return;
        }
        chain.push((scope, name.to_owned()));
        let base_folder = if target == scope { folder.to_owned() } else { self.scopes[target].file.parent().unwrap_or(folder).to_owned() };
        self.extend_service(target, &base, &base_folder, environment, chain);
        chain.pop();
        let size = self.scopes[target].services.get(&base).map_or(0, |entry| entry.node.count());
        if !self.copy(size, at, format!("{place}.extends")) {
            self.forget(scope, name);
            return;
        }
        let Some(mut base) = self.scopes[target].services.get(&base).map(|entry| entry.node.clone()) else { return };
        if base.is_null() {
            return;
        }
        let marks = Rc::clone(&self.scopes[scope].marks);
        reset(&mut base, &marks, &["services", name]);
        let Some(own) = self.scopes[scope].services.get_mut(name).map(|entry| std::mem::take(&mut entry.node)) else { return };
        let services = Path::ROOT.key("services");
        let mut merged = merge(base, own, &services.key(name), &mut self.problems);
        if let Some(map) = merged.map_mut() {
            map.shift_remove("extends");
        }
        self.scopes[scope].services.insert(name.to_owned(), Entry { key: service_key, node: merged });
        let _ = file;
    }

    /// A service whose `extends` leads nowhere is told once.
    fn forget(&mut self, scope: usize, name: &str) {
        if let Some(entry) = self.scopes[scope].services.get_mut(name) {
            entry.node.value = Value::Wrong;
        }
    }

    /// The services of a file that is extended.
    fn scope_of(&mut self, named: &str, origin: Origin, place: &str, folder: &FilePath, environment: &Environment) -> Option<usize> {
        let path = paths::join(folder, FilePath::new(named));
        if let Some(known) = self.known_scopes.get(&path) {
            return *known;
        }
        self.known_scopes.insert(path.clone(), None);
        if !self.can_read(&path) || self.read(&path).is_err() {
            self.missing(named, &path, origin, &format!("{place}.extends.file"), "extended");
            return None;
        }
        let mut root = Node::new(Origin::default(), Value::Map(Map::default()));
        let mut marks = Vec::new();
        let count = self.documents.get(&path).map_or(0, |(_, documents)| documents.len());
        for index in 0..count {
            let Some((own, own_marks)) = self.document(&path, index, environment) else { continue };
            reset(&mut root, &own_marks, &[]);
            root = merge(root, own, &Path::ROOT, &mut self.problems);
            unique(&mut root, &mut self.problems);
            canonical::canonical(&mut root, &mut self.problems);
            unique(&mut root, &mut self.problems);
            marks.extend(own_marks);
        }
        let parent = path.parent().unwrap_or(folder).to_owned();
        paths::resolve(&mut root, Base { folder: &parent, home: self.home.as_deref() }, &mut self.problems);
        let Some(services) = root.map_mut().and_then(|map| map.get_mut("services")).and_then(|entry| entry.node.map_mut()) else {
            let message = format!("`{}` has no services that could be extended", self.short(&path));
            self.problems.refuse(&rules::unknown_reference::RULE, origin, format!("{place}.extends.file"), message, "name another file");
            return None;
        };
        let scope = self.scopes.len();
        self.scopes.push(Scope { file: path.clone(), services: std::mem::take(services), marks: marks.into() });
        self.known_scopes.insert(path, Some(scope));
        Some(scope)
    }

    /// Whether a service may have that many more values from elsewhere; says so once when there are too many.
    fn copy(&mut self, values: usize, origin: Origin, path: String) -> bool {
        let left = self.copies.checked_sub(values);
        if left.is_none() && self.copies > 0 {
            let message = format!("`extends` and env files put more than {MAX_COPIES} values into services");
            self.problems.refuse(&rules::too_large::RULE, origin, path, message, "let services share less");
        }
        self.copies = left.unwrap_or(0);
        left.is_some()
    }

    fn can_read(&self, path: &FilePath) -> bool {
        self.documents.contains_key(path) || self.files.kind(path) == Kind::File
    }

    /// A file as the user would name it.
    fn short(&self, path: &FilePath) -> String {
        path.strip_prefix(&self.project.directory).unwrap_or(path).display().to_string()
    }

    fn missing(&mut self, name: &str, path: &FilePath, origin: Origin, place: &str, what_for: &str) {
        let why = match self.files.kind(path) {
            Kind::Missing => "is not there",
            Kind::Directory => "is a directory",
            Kind::Other => "is not a regular file",
            Kind::File => "cannot be read",
        };
        let folder = path.parent().unwrap_or(path);
        let wanted = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let names = self.files.list(folder);
        let near = did_you_mean(wanted, names.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("make the file, or correct the path: it was looked for in `{}`", folder.display()),
            |near| format!("did you mean `{near}`?"),
        );
        self.problems.refuse(&rules::missing_file::RULE, origin, place, format!("the file `{name}` that is to be {what_for} {why}"), help);
    }

    /// A file of another machine is not fetched: what it says is not known.
    fn not_read(&mut self, name: &str, origin: Origin, place: &str) {
        let message = format!("`{name}` is on another machine, and is not read");
        let finding = rules::missing_file::RULE
            .finding(
                Place::At(origin),
                message,
                "what it says is not checked".to_owned(),
                "fetch it, and name the copy, to check all of the project".to_owned(),
            )
            .about(place);
        self.problems.findings.push(Finding { severity: Severity::Note, ..finding });
    }

    /// What `env_file` and `label_file` say goes under what the service says itself.
    fn env_files(&mut self, root: &mut Node, environment: &Environment) {
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
                    let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                    let place = Origin { file, start: fit(range.start), end: fit(range.end) };
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

/// A file that Compose would fetch from elsewhere.
fn is_remote_file(name: &str) -> bool {
    name.starts_with("oci:") || name.starts_with("git@") || name.contains("://") || name.starts_with("github.com/")
}

/// Takes away what `!reset` and `!override` of a later file name. `below` is the way to `root`.
fn reset(root: &mut Node, marks: &[Mark], below: &[&str]) {
    for mark in marks {
        let inside = mark.way.len() > below.len() && mark.way.iter().zip(below).all(|(a, b)| a == b);
        let Some((last, way)) = mark.way.split_last().filter(|_| inside) else { continue };
        let parent =
            way[below.len()..].iter().try_fold(&mut *root, |node, step| node.map_mut()?.get_mut(step).map(|entry| &mut entry.node));
        if let Some(map) = parent.and_then(Node::map_mut) {
            map.shift_remove(last);
        }
    }
}

/// Variables of services without a value, and contents of secrets and configs, come from the environment.
fn resolve_environment(root: &mut Node, environment: &Environment) {
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

/// Takes services behind profiles that are not active out of the model.
fn split_profiles(root: &mut Node, profiles: &[String]) -> indexmap::IndexMap<String, Node> {
    let mut disabled = indexmap::IndexMap::new();
    let Some(services) = root.map_mut().and_then(|map| map.get_mut("services")?.node.map_mut()) else { return disabled };
    let all = profiles.iter().any(|profile| profile == "*");
    let is_active = |service: &Node| {
        let own = service.get("profiles").map_or(&[][..], Node::items);
        own.is_empty() || all || own.iter().any(|own| profiles.iter().any(|profile| Some(profile.as_str()) == own.str()))
    };
    services.retain(|name, entry| {
        let active = is_active(&entry.node);
        if !active {
            disabled.insert(name.clone(), std::mem::take(&mut entry.node));
        }
        active
    });
    disabled
}
