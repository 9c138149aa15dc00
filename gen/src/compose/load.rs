//! From files to a [`Project`], in the order of Compose: read, put in variables, include, extend, merge, validate, long syntax,
//! defaults, absolute paths, names, types, profiles, consistency, env files.

mod environment;
mod extends;
mod include;
mod written;

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
pub use written::written;

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
const MAX_COPIES: usize = 1_000_000;

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
    let (mut loader, mut environment, named) = Loader::start(options, files)?;
    let directory = loader.project.directory.clone();
    let profiles = match environment.get("COMPOSE_PROFILES") {
        Some(profiles) if options.profiles.is_empty() => profiles.split(',').map(|name| name.trim().to_owned()).collect(),
        _ => options.profiles.clone(),
    };
    let name = loader.name(options, &named, &mut environment);
    let mut root = loader.model(&named, &directory, &environment, &mut Vec::new())?;
    let first = named.first().and_then(|file| loader.documents.get(file)).map_or(0, |(file, _)| *file);
    let start = Origin::new(first, &(0..0));
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
    /// How much may still be read again: see [`MAX_AGAIN`].
    again: usize,
    /// How many values may still be copied: see [`MAX_COPIES`].
    copies: usize,
    /// When nothing is resolved (see [`written`]): the folder that relative paths are told from.
    as_written: Option<PathBuf>,
}

impl<'f> Loader<'f> {
    /// Reads the files of the command line, and finds out where the project is and which variables it has.
    fn start(options: &Options, files: &'f dyn Files) -> Result<(Self, Environment, Vec<PathBuf>), ReadError> {
        let mut loader = Loader {
            files,
            home: options.environment.get("HOME").cloned(),
            project: Project::default(),
            problems: Problems::default(),
            documents: HashMap::new(),
            scopes: Vec::new(),
            known_scopes: HashMap::new(),
            again: MAX_AGAIN,
            copies: MAX_COPIES,
            as_written: None,
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
        loader.project.directory = directory;
        for file in &named {
            loader.read(file)?;
        }
        Ok((loader, environment, named))
    }
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
        let (rule, help) = match mistake.kind {
            yaml::Kind::Syntax => (&rules::syntax::RULE, "correct the line; `https://yaml.org` describes the format"),
            yaml::Kind::DuplicateKey => (&rules::duplicate_key::RULE, "remove one of them, or rename it"),
            yaml::Kind::Key => (&rules::wrong_type::RULE, "write the key in quotes"),
            yaml::Kind::TooMuch => (&rules::too_large::RULE, "write less of it by aliases, and nest less"),
        };
        let place = Origin::new(file, &mistake.span);
        let finding = self.problems.refuse(rule, place, mistake.path, mistake.message, help);
        if let Some(first) = mistake.first {
            finding.related.push((Place::At(Origin::new(file, &first)), "it is here first".to_owned()));
        }
    }

    fn push(&mut self, source: Source) -> u32 {
        self.project.sources.push(source);
        u32::try_from(self.project.sources.len() - 1).unwrap_or(u32::MAX)
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
        if self.as_written.is_some() {
            return self.written_model(named, folder, environment, included);
        }
        for path in named {
            self.file(path, folder, environment, included, &mut root)?;
        }
        canonical::defaults(&mut root);
        consistency::resources(&root, &mut self.problems);
        paths::resolve(&mut root, Base { folder, home: self.home.as_deref() }, &mut self.problems);
        environment::resolve_environment(&mut root, environment);
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
            if let Some(map) = root.map_mut() {
                map.shift_remove("version");
            }
            if self.as_written.is_some() {
                continue;
            }
            validate::validate(root, &mut self.problems);
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
        if self.as_written.is_none() {
            interpolate(&mut own, environment, &mut self.project.variables, &mut self.problems);
        }
        Some((own, marks))
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
