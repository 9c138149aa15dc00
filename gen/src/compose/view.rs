//! A service as rules ask for it: typed, with the place of each value.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::images::Reference;
use super::tree::Node;
use crate::source::Origin;

/// A service.
#[derive(Debug)]
pub struct Service<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its mapping in canonical form.
    pub node: &'p Node,
    /// The bytes of its name.
    pub key: Origin,
    /// Whether it is started: no profile, or an active one.
    pub is_active: bool,
    /// The image, and where that is said.
    pub image: Option<(&'p str, Origin)>,
    /// How it is built.
    pub build: Option<Build<'p>>,
    /// What it publishes.
    pub ports: Vec<Port<'p>>,
    /// What is mounted into it.
    pub mounts: Vec<Mount<'p>>,
    /// The networks that it joins.
    pub networks: Vec<Attachment<'p>>,
    /// `network_mode`.
    pub mode: Option<(&'p str, Origin)>,
    /// What its processes find in the environment, from the Dockerfile, the env files and the Compose file.
    pub environment: IndexMap<String, Variable>,
    /// What was hidden by a variable of the same name: env files below the Compose file.
    pub hidden: Vec<(String, Variable)>,
    /// The program.
    pub entrypoint: Option<Argv>,
    /// Its arguments.
    pub command: Option<Argv>,
    /// What it waits for.
    pub depends_on: Vec<Dependency<'p>>,
    /// How its health is checked, by Compose or by the Dockerfile.
    pub health: Option<Health<'p>>,
    /// How many there are, and where that is said.
    pub replicas: (u64, Origin),
    /// The user, and where that is said.
    pub user: Option<(String, Origin)>,
    /// TCP ports that `expose` and `EXPOSE` name.
    pub exposed: Vec<u16>,
    /// The image that the last stage is built on.
    pub base: Option<String>,
    /// What the Dockerfile runs and copies.
    pub made_by: Vec<String>,
    /// Where it connects to, and where it listens.
    pub endpoints: Vec<super::endpoint::Endpoint>,
}

/// How a service is built.
#[derive(Debug)]
pub struct Build<'p> {
    /// The folder; `None` for a repository or a URL.
    pub context: Option<PathBuf>,
    /// Where the context is said.
    pub context_origin: Origin,
    /// The stage.
    pub target: Option<(&'p str, Origin)>,
    /// Arguments, and where their names stand.
    pub args: Vec<(String, Option<String>, Origin)>,
    /// The index of its Dockerfile among the surroundings.
    pub dockerfile: Option<usize>,
    /// The whole.
    pub node: &'p Node,
}

/// A published port.
#[derive(Debug)]
pub struct Port<'p> {
    /// First and last of the host; `None`: any that is free.
    pub published: Option<(u16, u16)>,
    /// In the container.
    pub target: u16,
    /// The host's address; `None`: all of them.
    pub address: Option<IpAddr>,
    /// `tcp`, `udp`, …
    pub protocol: &'p str,
    /// The entry.
    pub origin: Origin,
    /// Its index.
    pub index: usize,
}

impl Port<'_> {
    /// Whether only the host itself reaches it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }

    /// `8000` or `8000-8001`.
    #[must_use]
    pub fn published_text(&self) -> String {
        match self.published {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        }
    }
}

/// Something mounted into a container.
#[derive(Debug)]
pub struct Mount<'p> {
    /// `bind`, `volume`, `tmpfs`, …
    pub kind: &'p str,
    /// The folder or file on the host, or the volume's name.
    pub source: Option<&'p str>,
    /// The path in the container.
    pub target: &'p str,
    /// Whether it cannot be written.
    pub is_read_only: bool,
    /// The entry.
    pub origin: Origin,
    /// Its index.
    pub index: usize,
    /// The whole.
    pub node: Option<&'p Node>,
}

/// A network that a service joins.
#[derive(Debug)]
pub struct Attachment<'p> {
    /// The network's name in the file.
    pub network: &'p str,
    /// Where that is said.
    pub origin: Origin,
    /// What else is said of it.
    pub node: &'p Node,
}

/// Where a variable is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// In the Compose file.
    Compose,
    /// In an env file.
    EnvFile,
    /// In the Dockerfile.
    Dockerfile,
}

/// A variable of the environment.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its value; `None`: whatever whoever starts it has.
    pub value: Option<String>,
    /// Where its value stands.
    pub origin: Origin,
    /// Where its name stands.
    pub key: Origin,
    /// Who says it.
    pub from: From,
}

/// A program's words.
#[derive(Debug, Clone)]
pub struct Argv {
    /// The words with their places; of a shell form, one: the text.
    pub words: Vec<(String, Origin)>,
    /// Whether a Dockerfile gives it to `sh -c`.
    pub is_shell_form: bool,
    /// The whole.
    pub origin: Origin,
    /// Whether the Compose file says it.
    pub is_compose: bool,
}

/// Something to wait for.
#[derive(Debug)]
pub struct Dependency<'p> {
    /// The service.
    pub name: &'p str,
    /// `service_started`, `service_healthy`, `service_completed_successfully`.
    pub condition: &'p str,
    /// Where the condition is said, or the name.
    pub origin: Origin,
    /// Whether it goes without.
    pub is_required: bool,
}

/// A health check.
#[derive(Debug)]
pub struct Health<'p> {
    /// `CMD` and words, `CMD-SHELL` and a line, `NONE`.
    pub test: Vec<(String, Origin)>,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Where it is said.
    pub origin: Origin,
    /// The whole, if the Compose file says it.
    pub node: Option<&'p Node>,
}

impl Health<'_> {
    /// The text that is run, in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        self.test.iter().skip(1).map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl<'p> Service<'p> {
    /// What the Compose file says of a service.
    #[must_use]
    pub fn new(name: &'p str, node: &'p Node, key: Origin, is_active: bool) -> Self {
        let text = |key: &str| node.get(key).and_then(|value| Some((value.str()?, value.origin)));
        let networks = node.get("networks").into_iter().flat_map(|networks| {
            let listed =
                networks.items().iter().filter_map(|item| Some(Attachment { network: item.str()?, origin: item.origin, node: item }));
            let mapped = networks.entries().map(|(network, entry)| Attachment { network, origin: entry.key, node: &entry.node });
            listed.chain(mapped).collect::<Vec<_>>()
        });
        let mode = text("network_mode");
        let mut service = Self {
            name,
            node,
            key,
            is_active,
            image: text("image"),
            build: node.get("build").filter(|build| !build.is_null()).map(build),
            ports: node.get("ports").map(Node::items).unwrap_or_default().iter().enumerate().filter_map(port).collect(),
            mounts: node.get("volumes").map(Node::items).unwrap_or_default().iter().enumerate().filter_map(mount).collect(),
            networks: networks.collect(),
            mode,
            environment: IndexMap::new(),
            hidden: Vec::new(),
            entrypoint: node.get("entrypoint").and_then(argv),
            command: node.get("command").and_then(argv),
            depends_on: node.get("depends_on").map(depends_on).unwrap_or_default(),
            health: node.get("healthcheck").filter(|health| !health.is_null()).map(health),
            replicas: replicas(node, key),
            user: node.get("user").and_then(|user| Some((user.scalar()?, user.origin))),
            exposed: Vec::new(),
            base: None,
            made_by: Vec::new(),
            endpoints: Vec::new(),
        };
        service.mounts.extend(tmpfs(node));
        let exposed = node.get("expose").map(Node::items).unwrap_or_default();
        service
            .exposed
            .extend(exposed.iter().filter_map(Node::scalar).flat_map(|port| range(port.split('/').next().unwrap_or_default())).take(1000));
        service
    }

    /// The way to something of it: `services.web.ports.0`.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        if rest.is_empty() { format!("services.{}", self.name) } else { format!("services.{}.{rest}", self.name) }
    }

    /// The value of a variable, where it is known.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name)?.value.as_deref()
    }

    /// A text of its mapping.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<(&'p str, Origin)> {
        self.node.get(key).and_then(|value| Some((value.str()?, value.origin)))
    }

    /// The mount that a path of the container lies on: the deepest.
    #[must_use]
    pub fn mount_of(&self, path: &str) -> Option<&Mount<'p>> {
        self.mounts.iter().filter(|mount| inside(path, mount.target).is_some()).max_by_key(|mount| mount.target.len())
    }

    /// The image's reference: of a ready image, not of one that is built.
    #[must_use]
    pub fn reference(&self) -> Option<Reference<'p>> {
        self.image.filter(|_| self.build.is_none()).map(|(image, _)| Reference::new(image))
    }

    /// What everybody knows of its image.
    #[must_use]
    pub fn known(&self) -> Option<&'static super::images::Known> {
        self.reference()?.known()
    }

    /// Whether the engine starts it again whenever it ends, and where that is said.
    #[must_use]
    pub fn restarts(&self) -> Option<(&'p str, Origin)> {
        self.text("restart").filter(|(policy, _)| matches!(*policy, "always" | "unless-stopped"))
    }

    /// Its words: program and arguments, as the engine runs them.
    pub fn argv(&self) -> impl Iterator<Item = &(String, Origin)> {
        self.entrypoint.iter().chain(&self.command).flat_map(|argv| &argv.words)
    }

    /// The labels, in either form.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        pairs(self.node.get("labels")).into_iter().map(|(name, value, _)| (name, value.unwrap_or_default())).collect()
    }
}

/// What is left of a path below a folder.
#[must_use]
pub fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A mapping, or a list of `NAME=value`: name, value, and where the entry is.
#[must_use]
pub fn pairs(node: Option<&Node>) -> Vec<(String, Option<String>, Origin)> {
    let Some(node) = node else { return Vec::new() };
    let listed = node.items().iter().filter_map(|item| {
        let text = item.str()?;
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
        Some((name.to_owned(), value, item.origin))
    });
    let mapped = node
        .entries()
        .map(|(name, entry)| (name.to_owned(), entry.node.scalar(), if entry.node.is_null() { entry.key } else { entry.node.origin }));
    listed.chain(mapped).collect()
}

/// Ports of `8000` or `8000-8010`.
fn range(text: &str) -> Vec<u16> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last).take(1000).collect(),
        _ => Vec::new(),
    }
}

fn build(node: &Node) -> Build<'_> {
    let context = node.get("context").or(node.str().map(|_| node));
    let path = context.and_then(Node::str).unwrap_or(".");
    let is_remote = path.contains("://") || path.starts_with("git@") || path.starts_with("github.com/");
    Build {
        context: (!is_remote).then(|| PathBuf::from(path)),
        context_origin: context.map_or(node.origin, |context| context.origin),
        target: node.get("target").and_then(|target| Some((target.str()?, target.origin))),
        args: pairs(node.get("args")),
        dockerfile: None,
        node,
    }
}

fn port((index, node): (usize, &Node)) -> Option<Port<'_>> {
    let target = u16::try_from(node.get("target")?.int()?).ok()?;
    let published = node.get("published").and_then(Node::scalar).filter(|text| !text.is_empty() && text != "0");
    let published = match published {
        None => None,
        Some(text) => {
            let (first, last) = text.split_once('-').unwrap_or((&text, &text));
            Some((first.parse().ok()?, last.parse().ok()?))
        }
    };
    let address = node.get("host_ip").and_then(Node::str).and_then(|text| text.trim_matches(['[', ']']).parse().ok());
    let protocol = node.get("protocol").and_then(Node::str).unwrap_or("tcp");
    Some(Port { published, target, address, protocol, origin: node.origin, index })
}

fn mount((index, node): (usize, &Node)) -> Option<Mount<'_>> {
    let text = |key: &str| node.get(key).and_then(Node::str);
    Some(Mount {
        kind: text("type").unwrap_or("volume"),
        source: text("source").filter(|source| !source.is_empty()),
        target: text("target")?,
        is_read_only: node.get("read_only").is_some_and(Node::is_true),
        origin: node.origin,
        index,
        node: Some(node),
    })
}

fn tmpfs(node: &Node) -> Vec<Mount<'_>> {
    let Some(tmpfs) = node.get("tmpfs") else { return Vec::new() };
    let texts = tmpfs.items().iter().chain(tmpfs.str().map(|_| tmpfs));
    let mounts = texts.enumerate().filter_map(|(index, item)| {
        let target = item.str()?.split(':').next()?;
        Some(Mount { kind: "tmpfs", source: None, target, is_read_only: false, origin: item.origin, index, node: None })
    });
    mounts.collect()
}

fn argv(node: &Node) -> Option<Argv> {
    if node.is_null() {
        return None;
    }
    let words = match node.str() {
        Some(text) => {
            let words = shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect());
            words.into_iter().map(|word| (word, node.origin)).collect()
        }
        None => node.items().iter().filter_map(|item| Some((item.scalar()?, item.origin))).collect(),
    };
    Some(Argv { words, is_shell_form: false, origin: node.origin, is_compose: true })
}

fn depends_on(node: &Node) -> Vec<Dependency<'_>> {
    let listed = node
        .items()
        .iter()
        .filter_map(|item| Some(Dependency { name: item.str()?, condition: "service_started", origin: item.origin, is_required: true }));
    let mapped = node.entries().map(|(name, entry)| {
        let condition = entry.node.get("condition").and_then(|condition| Some((condition.str()?, condition.origin)));
        let is_required = entry.node.get("required").is_none_or(Node::is_true);
        let (condition, origin) = condition.unwrap_or(("service_started", entry.key));
        Dependency { name, condition, origin, is_required }
    });
    listed.chain(mapped).collect()
}

fn health(node: &Node) -> Health<'_> {
    let test = node.get("test");
    let words: Vec<(String, Origin)> = match test {
        Some(test) => match test.str() {
            Some(text) => vec![("CMD-SHELL".to_owned(), test.origin), (text.to_owned(), test.origin)],
            None => test.items().iter().filter_map(|item| Some((item.scalar()?, item.origin))).collect(),
        },
        None => Vec::new(),
    };
    let disable = node.get("disable").filter(|disable| disable.is_true());
    let is_none = words.first().is_some_and(|(word, _)| word == "NONE");
    let origin = disable.map(|disable| disable.origin).or(test.map(|test| test.origin)).unwrap_or(node.origin);
    Health { is_disabled: disable.is_some() || is_none, test: words, origin, node: Some(node) }
}

fn replicas(node: &Node, key: Origin) -> (u64, Origin) {
    let said = node.at(&["deploy", "replicas"]).or(node.get("scale"));
    said.and_then(|said| Some((u64::try_from(said.int()?).ok()?, said.origin))).unwrap_or((1, key))
}

/// A duration as Go writes it, in milliseconds: `1m30s`, `1.5s`.
#[must_use]
pub fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-6,
            "us" | "µs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[end..];
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is neither negative nor longer than a life")]
    (total.is_finite() && total < 1e15).then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(milliseconds("1m30s"), Some(90_000));
        assert_eq!(milliseconds("1.5s"), Some(1500));
        assert_eq!(milliseconds("500ms"), Some(500));
        assert_eq!(milliseconds("5"), None);
        assert_eq!(milliseconds("x"), None);
    }

    #[test]
    fn paths_below_folders() {
        assert_eq!(inside("/log/a", "/log"), Some("/a"));
        assert_eq!(inside("/logs", "/log"), None);
        assert_eq!(inside("/log", "/log/"), Some(""));
    }
}
