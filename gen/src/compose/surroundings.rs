//! What lies around a project: its services as rules ask for them, their Dockerfiles, env files and `.dockerignore`s, and who
//! reaches whom by which name.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::Project;
use super::dockerfile::{self, Dockerfile};
use super::dockerignore::Dockerignore;
use super::endpoint::{self, Endpoint, Found, Role};
use super::files::{Files, Kind};
use super::tree::Node;
use super::view::{Argv, From, Health, Service, Variable};
use crate::source::{Origin, Source};

/// What lies around a project.
#[derive(Debug)]
pub struct Surroundings<'p> {
    /// The files that were read for it. [`Origin::file`] counts on behind those of the project.
    pub sources: Vec<Source>,
    /// The services that are started.
    pub services: IndexMap<&'p str, Service<'p>>,
    /// Those behind profiles that are not active.
    pub disabled: IndexMap<&'p str, Service<'p>>,
    /// Each Dockerfile, once.
    pub dockerfiles: Vec<Built>,
    /// The project.
    pub project: &'p Project,
    first: usize,
    names: HashMap<&'p str, HashMap<String, Vec<usize>>>,
    inactive: HashMap<String, usize>,
}

/// A Dockerfile and what is built with it.
#[derive(Debug)]
pub struct Built {
    /// The build context.
    pub context: PathBuf,
    /// Its path.
    pub path: PathBuf,
    /// What is in it; nothing when it is not there.
    pub dockerfile: Dockerfile,
    /// Its index among all sources; `None` when it is not there or stands in the Compose file.
    pub file: Option<u32>,
    /// Where the Compose file speaks of it.
    pub said: Origin,
    /// What of the context the builder does not see, and the index of the file that says so.
    pub ignore: Option<(Dockerignore, u32)>,
    /// Whether its context is there.
    pub has_context: bool,
    /// The services that it is for, with the stage and the arguments.
    pub users: Vec<User>,
}

/// A service that is built with a Dockerfile.
#[derive(Debug)]
pub struct User {
    /// Its name.
    pub service: String,
    /// The index of the stage, if there is such a stage.
    pub stage: Option<usize>,
    /// The arguments.
    pub args: HashMap<String, String>,
    /// Other contexts, which `COPY --from` may name.
    pub contexts: Vec<String>,
}

impl Built {
    /// The place of bytes of it.
    #[must_use]
    pub fn at(&self, range: &std::ops::Range<usize>) -> Origin {
        self.file.map_or(self.said, |file| Origin::new(file, range))
    }
}

/// What a host name means to a service.
#[derive(Debug)]
pub enum Host<'s, 'p> {
    /// These services, by their index.
    Services(&'s [usize]),
    /// A service that shares no network with it.
    Unreachable(&'s Service<'p>),
    /// A service behind a profile that is not active.
    Inactive(&'s Service<'p>),
    /// Something that is not in the project, or that nobody can tell.
    Elsewhere,
    /// Nothing.
    Unknown,
}

/// Whether somebody listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listens {
    /// Yes.
    Yes,
    /// No: it listens on these.
    No(Vec<u16>),
    /// Nobody can tell.
    Unknown,
}

impl<'p> Surroundings<'p> {
    /// Reads what lies around a project.
    #[must_use]
    pub fn new(project: &'p Project, files: &dyn Files) -> Self {
        let view = |(name, entry): (&'p str, &'p super::tree::Entry)| (name, Service::new(name, &entry.node, entry.key, true));
        let services: IndexMap<&str, Service<'_>> = project.model.get("services").into_iter().flat_map(Node::entries).map(view).collect();
        let off = |(name, node): (&'p String, &'p Node)| (name.as_str(), Service::new(name, node, node.origin, false));
        let disabled = project.disabled.iter().map(off).collect();
        let mut reader = Reader {
            files,
            first: project.sources.len(),
            sources: Vec::new(),
            dockerfiles: Vec::new(),
            known: HashMap::new(),
            read: HashMap::new(),
            room: MOST_GIVEN,
            documents: project.written.iter().map(|document| document.origin.file).collect(),
        };
        let mut all = Self {
            sources: Vec::new(),
            services,
            disabled,
            dockerfiles: Vec::new(),
            project,
            first: project.sources.len(),
            names: HashMap::new(),
            inactive: HashMap::new(),
        };
        for service in all.services.values_mut().chain(all.disabled.values_mut()) {
            reader.complete(service);
        }
        all.sources = reader.sources;
        all.dockerfiles = reader.dockerfiles;
        all.find_names();
        all.find_endpoints();
        all
    }

    /// The text of a place.
    #[must_use]
    pub fn text_of(&self, origin: Origin) -> &str {
        let file = origin.file as usize;
        let source = self.project.sources.get(file).or_else(|| self.sources.get(file.checked_sub(self.first)?));
        source.and_then(|source| source.text.get(origin.range())).unwrap_or_default()
    }

    /// The bytes of a word within a place, if it stands there as it is; else the place.
    #[must_use]
    pub fn narrow(&self, origin: Origin, word: &str) -> Origin {
        let text = self.text_of(origin);
        match text.find(word).filter(|_| !word.is_empty()).and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Origin { start: origin.start + at, end: origin.start + at + u32::try_from(word.len()).unwrap_or(0), ..origin },
            None => origin,
        }
    }

    /// A service by its index.
    #[must_use]
    pub fn service(&self, index: usize) -> Option<&Service<'p>> {
        self.services.get_index(index).map(|(_, service)| service)
    }

    /// The service whose network another one uses, or itself.
    #[must_use]
    pub fn network_owner<'s>(&'s self, service: &'s Service<'p>) -> &'s Service<'p> {
        let mut owner = service;
        for _ in 0..8 {
            let next = owner.mode.and_then(|(mode, _)| mode.strip_prefix("service:")).and_then(|name| self.services.get(name));
            match next {
                Some(next) => owner = next,
                None => break,
            }
        }
        owner
    }

    /// Whether a network is made by somebody else, so that more may be on it than is known here.
    #[must_use]
    pub fn is_external(&self, network: &str) -> bool {
        self.project.model.at(&["networks", network, "external"]).is_some_and(Node::is_true)
    }

    /// What a host name means to a service.
    #[must_use]
    pub fn resolve<'s>(&'s self, from: &'s Service<'p>, host: &str) -> Host<'s, 'p> {
        let owner = self.network_owner(from);
        for attachment in &owner.networks {
            if let Some(services) = self.names.get(attachment.network).and_then(|names| names.get(host)) {
                return Host::Services(services);
            }
        }
        if is_told_elsewhere(from, host) || is_told_elsewhere(owner, host) || host.contains('.') || host == "gateway" {
            return Host::Elsewhere;
        }
        // Of the networks of other containers and of the host nothing is known.
        let of_host = owner.mode.is_some_and(|(mode, _)| mode == "host");
        if owner.mode.is_some_and(|(mode, _)| mode.starts_with("container:") || mode.starts_with("service:")) {
            return Host::Elsewhere;
        }
        if let Some(service) = self.services.get(host) {
            return Host::Unreachable(service);
        }
        if of_host || owner.networks.iter().any(|attachment| self.is_external(attachment.network)) {
            return Host::Elsewhere;
        }
        match self.disabled.get(host).or_else(|| self.disabled.get_index(*self.inactive.get(host)?).map(|(_, service)| service)) {
            Some(service) => Host::Inactive(service),
            None => Host::Unknown,
        }
    }

    /// Everything that a service connects to: endpoint and what its host means.
    pub fn connections<'s>(&'s self, service: &'s Service<'p>) -> impl Iterator<Item = (&'s Endpoint, Host<'s, 'p>)> {
        let connects = service.endpoints.iter().filter(|endpoint| endpoint.role == Role::Connect && endpoint.is_name());
        connects.map(move |endpoint| (endpoint, self.resolve(service, &endpoint.host)))
    }

    /// Each connection from one service to another: from, endpoint, to. Of several services with one name the first.
    pub fn links<'s>(&'s self) -> impl Iterator<Item = (&'s Service<'p>, &'s Endpoint, &'s Service<'p>)> {
        self.services.values().flat_map(move |from| {
            self.connections(from).filter_map(move |(endpoint, host)| match host {
                Host::Services(found) => Some((from, endpoint, self.service(*found.first()?)?)),
                _ => None,
            })
        })
    }

    /// Whether a service listens on a TCP port.
    #[must_use]
    pub fn listens(&self, service: &Service<'p>, port: u16) -> Listens {
        let binds: Vec<u16> = binds(service).map(|(port, _)| port).collect();
        if binds.contains(&port) || service.exposed.contains(&port) || service.ports.iter().any(|one| one.target == port) {
            return Listens::Yes;
        }
        let Some(known) = service.known() else {
            return if binds.is_empty() { Listens::Unknown } else { Listens::No(binds) };
        };
        if known.ports.contains(&port) {
            return Listens::Yes;
        }
        let is_configured = service.command.is_some()
            || service.entrypoint.is_some()
            || service.mounts.iter().any(|mount| !known.data.contains(&mount.target))
            || known.port_variables.iter().any(|name| service.environment.contains_key(*name));
        if is_configured { Listens::Unknown } else { Listens::No(known.ports.to_vec()) }
    }

    fn find_names(&mut self) {
        for (index, service) in self.services.values().enumerate() {
            let container = service.text("container_name").map(|(name, _)| name.to_lowercase());
            for attachment in &service.networks {
                let names = self.names.entry(attachment.network).or_default();
                let aliases = attachment.node.get("aliases").map(Node::items).unwrap_or_default();
                let mut own: Vec<String> = aliases.iter().filter_map(|alias| Some(alias.str()?.to_lowercase())).collect();
                own.push(service.name.to_lowercase());
                own.extend(container.clone());
                own.sort_unstable();
                own.dedup();
                for name in own {
                    names.entry(name).or_default().push(index);
                }
            }
        }
        for (index, service) in self.disabled.values().enumerate() {
            let aliases = service.networks.iter().flat_map(|one| one.node.get("aliases").map(Node::items).unwrap_or_default());
            let names = aliases.filter_map(Node::str).chain(service.text("container_name").map(|(name, _)| name));
            for name in names {
                self.inactive.entry(name.to_lowercase()).or_insert(index);
            }
        }
    }

    fn find_endpoints(&mut self) {
        let names: HashSet<String> = self.services.keys().chain(self.disabled.keys()).map(|name| name.to_lowercase()).collect();
        let is_service = |name: &str| names.contains(name);
        let found: Vec<Vec<Endpoint>> = self.services.values().map(|service| endpoints(service, &is_service)).collect();
        for (service, endpoints) in self.services.values_mut().zip(found) {
            service.endpoints = endpoints;
        }
    }
}

/// The TCP ports that a service says it binds, on which address whatever.
pub fn binds<'s>(service: &'s Service<'_>) -> impl Iterator<Item = (u16, &'s Endpoint)> {
    let binds = service.endpoints.iter().filter(|endpoint| endpoint.role == Role::Bind && endpoint.scheme.as_deref() != Some("udp"));
    binds.filter_map(|endpoint| match endpoint.port {
        endpoint::Port::Number(port) => Some((port, endpoint)),
        _ => None,
    })
}

/// Names that `links`, `external_links` and `extra_hosts` give, and those of the engine.
fn is_told_elsewhere(service: &Service<'_>, host: &str) -> bool {
    let listed = |key: &str| service.node.get(key).map(Node::items).unwrap_or_default();
    let links = listed("links").iter().chain(listed("external_links")).filter_map(Node::str);
    let mut aliases = links.map(|link| link.rsplit(':').next().unwrap_or(link));
    let extra = service.node.get("extra_hosts");
    let mut extra_names =
        extra.map(Node::items).unwrap_or_default().iter().filter_map(|item| Some(item.str()?.split([':', '=']).next()?.to_owned()));
    aliases.any(|alias| alias.eq_ignore_ascii_case(host))
        || extra.is_some_and(|extra| extra.get(host).is_some())
        || extra_names.any(|name| name.eq_ignore_ascii_case(host))
        || service.text("hostname").is_some_and(|(name, _)| name.eq_ignore_ascii_case(host))
}

fn endpoints(service: &Service<'_>, is_service: &dyn Fn(&str) -> bool) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for (name, variable) in &service.environment {
        let Some(value) = variable.value.as_deref() else { continue };
        let path = service.path(&format!("environment.{name}"));
        let found = Found { name, value, origin: variable.origin, path: &path };
        let before = endpoints.len();
        endpoint::find(found, is_service, &mut endpoints);
        let Some(prefix) = endpoint::prefix_of_host(name).filter(|_| endpoints.len() == before) else { continue };
        let port = ["PORT", "port"].iter().find_map(|suffix| service.environment.get(&format!("{prefix}{suffix}")));
        endpoint::pair(found, port.map(|port| port.value.as_deref()), service.name, is_service, &mut endpoints);
    }
    for (key, argv) in [("entrypoint", &service.entrypoint), ("command", &service.command)] {
        let Some(argv) = argv else { continue };
        let mut before = "";
        for (index, (word, origin)) in argv.words.iter().enumerate() {
            let (flag, value) = match word.split_once('=').filter(|(flag, _)| flag.starts_with('-')) {
                Some(flagged) => flagged,
                None => (before, word.as_str()),
            };
            let name = if flag.starts_with('-') { flag.trim_start_matches('-') } else { "" };
            // Lines for a shell may hold anything.
            let is_line = value.contains([' ', '$', '\n', '(']) && !argv.is_shell_form;
            let path = service.path(&if argv.is_compose { format!("{key}.{index}") } else { key.to_owned() });
            if !is_line && !word.starts_with("--no-") {
                for word in value.split(' ').filter(|word| !word.contains('$')) {
                    endpoint::find(Found { name, value: word, origin: *origin, path: &path }, is_service, &mut endpoints);
                }
            }
            before = word;
        }
    }
    endpoints
}

/// The most instructions and variables that services get from Dockerfiles and env files; what is more is not known of them.
const MOST_GIVEN: usize = 400_000;

struct Reader<'f> {
    files: &'f dyn Files,
    first: usize,
    sources: Vec<Source>,
    dockerfiles: Vec<Built>,
    known: HashMap<(PathBuf, PathBuf), usize>,
    /// Files that were read, and those that are not there.
    read: HashMap<PathBuf, Option<u32>>,
    /// How many instructions and variables may still be given to services: each service gets all of its image and its files.
    room: usize,
    /// The files that are Compose files.
    documents: HashSet<u32>,
}

/// A variable of an env file with the bytes of its name and its value.
type EnvLine = (String, String, std::ops::Range<usize>, std::ops::Range<usize>);

impl Reader<'_> {
    fn read(&mut self, path: &Path) -> Option<u32> {
        if let Some(known) = self.read.get(path) {
            return *known;
        }
        let file = self.read_first(path);
        self.read.insert(path.to_owned(), file);
        file
    }

    /// Whether a service may get that much.
    fn give(&mut self, amount: usize) -> bool {
        let left = self.room.checked_sub(amount);
        self.room = left.unwrap_or(0);
        left.is_some()
    }

    fn read_first(&mut self, path: &Path) -> Option<u32> {
        if self.files.kind(path) != Kind::File {
            return None;
        }
        let source = self.files.read(path).ok()?;
        let index = u32::try_from(self.first + self.sources.len()).ok()?;
        self.sources.push(source);
        Some(index)
    }

    fn text(&self, file: u32) -> &str {
        self.sources.get((file as usize).saturating_sub(self.first)).map_or("", |source| source.text.as_str())
    }

    /// Adds what stands in other files.
    fn complete(&mut self, service: &mut Service<'_>) {
        let image = self.image(service);
        let size: usize = image.iter().flat_map(|(image, _)| image.env.values()).map(|word| word.text.len()).sum();
        if let Some((image, built)) = image.as_ref().filter(|_| self.give(size / 64)) {
            self.add_image(service, image, *built);
        }
        for item in service.node.get("env_file").map(Node::items).unwrap_or_default() {
            let Some(path) = item.get("path").or(Some(item)).and_then(Node::str) else { continue };
            self.env_file(Path::new(path), service);
        }
        let environment = service.node.get("environment");
        let keys: HashMap<&str, Origin> = environment.into_iter().flat_map(Node::entries).map(|(name, entry)| (name, entry.key)).collect();
        for (name, value, origin) in super::view::pairs(environment) {
            if !self.documents.contains(&origin.file) {
                // The loader has put the env files' values there: theirs are filled in, ours have places.
                if let Some(known) = service.environment.get_mut(&name) {
                    known.value = value;
                    continue;
                }
            }
            let key = keys.get(name.as_str()).copied().unwrap_or(origin);
            let variable = Variable { value, origin, key, from: From::Compose };
            if let Some(below) = service.environment.insert(name.clone(), variable) {
                service.hidden.push((name, below));
            }
        }
    }

    fn image(&mut self, service: &mut Service<'_>) -> Option<(dockerfile::Image, usize)> {
        let build = service.build.as_mut()?;
        let context = build.context.clone()?;
        let args: HashMap<String, String> = build.args.iter().filter_map(|(name, value, _)| Some((name.clone(), value.clone()?))).collect();
        let inline = build.node.get("dockerfile_inline").filter(|inline| inline.str().is_some());
        let index = if let Some(inline) = inline {
            let text = inline.str().unwrap_or_default();
            let ignore = self.ignore(&context, None);
            self.dockerfiles.push(Built {
                path: context.join("Dockerfile"),
                has_context: self.files.kind(&context) == Kind::Directory,
                dockerfile: Dockerfile::parse(text),
                file: None,
                said: inline.origin,
                ignore,
                context,
                users: Vec::new(),
            });
            self.dockerfiles.len() - 1
        } else {
            let name = build.node.get("dockerfile");
            let path = context.join(name.and_then(Node::str).unwrap_or("Dockerfile"));
            let said = name.map_or(build.context_origin, |name| name.origin);
            let known = self.known.get(&(context.clone(), path.clone())).copied();
            known.unwrap_or_else(|| self.dockerfile(context, path, said))
        };
        build.dockerfile = Some(index);
        let target = build.target.map(|(target, _)| target);
        let contexts =
            super::view::pairs(build.node.get("additional_contexts")).into_iter().map(|(name, ..)| name.to_lowercase()).collect();
        let steps = self.dockerfiles.get(index)?.dockerfile.instructions.len();
        let is_known = self.give(steps);
        let built = self.dockerfiles.get_mut(index)?;
        let stage = built.dockerfile.target(target).filter(|_| is_known);
        let image = stage.map(|stage| (built.dockerfile.image(stage, &args), index));
        built.users.push(User { service: service.name.to_owned(), stage, args, contexts });
        image
    }

    fn dockerfile(&mut self, context: PathBuf, path: PathBuf, said: Origin) -> usize {
        let file = self.read(&path);
        let dockerfile = file.map(|file| Dockerfile::parse(self.text(file))).unwrap_or_default();
        let ignore = self.ignore(&context, Some(&path));
        let has_context = self.files.kind(&context) == Kind::Directory;
        self.known.insert((context.clone(), path.clone()), self.dockerfiles.len());
        self.dockerfiles.push(Built { context, path, dockerfile, file, said, ignore, has_context, users: Vec::new() });
        self.dockerfiles.len() - 1
    }

    fn ignore(&mut self, context: &Path, dockerfile: Option<&Path>) -> Option<(Dockerignore, u32)> {
        let own = dockerfile.map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(".dockerignore");
            PathBuf::from(name)
        });
        let file = own.and_then(|own| self.read(&own)).or_else(|| self.read(&context.join(".dockerignore")))?;
        Some((Dockerignore::parse(self.text(file)), file))
    }

    fn add_image(&self, service: &mut Service<'_>, image: &dockerfile::Image, index: usize) {
        let Some(built) = self.dockerfiles.get(index) else { return };
        for (name, word) in &image.env {
            let origin = built.at(&word.range);
            let variable = Variable { value: Some(word.text.clone()), origin, key: origin, from: From::Dockerfile };
            service.environment.insert(name.clone(), variable);
        }
        service.exposed.extend(image.exposed.iter().map(|(port, _)| *port));
        service.base.clone_from(&image.base);
        service.made_by.clone_from(&image.made_by);
        if service.user.is_none() {
            service.user = image.user.as_ref().map(|user| (user.text.clone(), built.at(&user.range)));
        }
        let argv = |command: &dockerfile::Command| {
            let words = if command.is_exec {
                command.words.iter().map(|word| (word.text.clone(), built.at(&word.range))).collect()
            } else {
                vec![(command.text.clone(), built.at(&command.range))]
            };
            Argv { words, is_shell_form: !command.is_exec, origin: built.at(&command.range), is_compose: false }
        };
        // An entrypoint of the Compose file takes the image's command away.
        if service.entrypoint.is_none() {
            service.entrypoint = image.entrypoint.as_ref().map(argv);
            if service.command.is_none() {
                service.command = image.cmd.as_ref().map(argv);
            }
        }
        if let (None, Some((is_on, command))) = (&service.health, &image.health) {
            let origin = built.at(&command.range);
            let words = command.words.iter().map(|word| (word.text.clone(), built.at(&word.range)));
            let test = match (is_on, command.is_exec) {
                (false, _) => vec![("NONE".to_owned(), origin)],
                (true, true) => {
                    let words: Vec<String> = serde_json::from_str(&command.text).unwrap_or_default();
                    std::iter::once("CMD".to_owned()).chain(words).map(|word| (word, origin)).collect()
                }
                (true, false) if command.words.is_empty() => Vec::new(),
                (true, false) => {
                    let first = words.map(|(_, origin)| origin).next().unwrap_or(origin);
                    vec![("CMD-SHELL".to_owned(), first), (command.text.clone(), origin)]
                }
            };
            service.health = Some(Health { test, is_disabled: !is_on, origin, node: None });
        }
    }

    fn env_file(&mut self, path: &Path, service: &mut Service<'_>) {
        let Some(file) = self.read(path) else { return };
        let lines = self.text(file).lines().count();
        if !self.give(lines) {
            return;
        }
        let place = |range: &std::ops::Range<usize>| Origin::new(file, range);
        for (name, value, key, range) in env_lines(self.text(file)) {
            let variable = Variable { value: Some(value), origin: place(&range), key: place(&key), from: From::EnvFile };
            let below = service.environment.insert(name.clone(), variable).filter(|below| below.from == From::EnvFile);
            service.hidden.extend(below.map(|below| (name, below)));
        }
    }
}

/// The lines of an env file: `NAME=value`, with `export`, quotes and comments.
#[must_use]
pub fn env_lines(text: &str) -> Vec<EnvLine> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let from = start;
        start += line.len() + 1;
        let body = line.trim_end().trim_start();
        let indent = line.len() - line.trim_start().len();
        let (body, skipped) = body.strip_prefix("export ").map_or((body, 0), |rest| (rest, 7));
        if body.starts_with('#') {
            continue;
        }
        let Some((name, value)) = body.split_once('=') else { continue };
        let key = from + indent + skipped..from + indent + skipped + name.trim_end().len();
        let at = key.start + name.len() + 1 + (value.len() - value.trim_start().len());
        let value = value.trim();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            _ => value.split(" #").next().unwrap_or_default().trim_end(),
        };
        let quoted = usize::from(text.as_bytes().get(at).is_some_and(|byte| matches!(byte, b'"' | b'\'')));
        found.push((name.trim_end().to_owned(), value.to_owned(), key, at + quoted..at + quoted + value.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::env_lines;

    #[test]
    fn env_files_have_places() {
        let text = "# c\nA=1\n  export B = \"x y\" # why\nC='$z'\r\nD\nE=\nF=a # b\n";
        let lines = env_lines(text);
        let read: Vec<(&str, &str, &str)> =
            lines.iter().map(|(name, value, _, range)| (name.as_str(), value.as_str(), &text[range.clone()])).collect();
        assert_eq!(read, [("A", "1", "1"), ("B", "x y", "x y"), ("C", "$z", "$z"), ("E", "", ""), ("F", "a", "a")]);
        assert_eq!(&text[lines[1].2.clone()], "B");
    }
}
