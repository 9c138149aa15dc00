//! The topology as meant: every component in one list, defaults applied, what-ifs applied, contradictions told.

mod passthrough;

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::finding::{Finding, Place, Severity, below};
use crate::rules;
use crate::source::{Pointer, pointer};
use crate::spec::checks::Expectation;
use crate::spec::values::{Duration, EnvName, Name, NodeName, Passthrough, Volume};
use crate::spec::{
    Autoscale, Build, BuildMode, Common, Defaults, External, Host, Image, LoggerChoice, Node, Replicas, Resources, Restart, Sla, Spec,
};

/// A topology in which every component stands by itself.
#[derive(Debug, Default)]
pub struct Topology {
    /// The project's name.
    pub name: String,
    /// All components in the order of the file's tables: brokers, workers, clients, loggers, services.
    pub components: Vec<Component>,
    /// What is not deployed here.
    pub externals: IndexMap<Name, External>,
    /// Base images.
    pub images: IndexMap<Name, Image>,
    /// The machine that publishes ports.
    pub host: Host,
    /// The machines of a cluster.
    pub nodes: IndexMap<NodeName, Node>,
    /// What is promised.
    pub sla: Option<Sla>,
    /// Checks that stand in no component's table.
    pub checks: Vec<Expectation>,
    /// The image that our own programs stand on.
    pub base: String,
    /// What the Compose file says at its top beside what is generated.
    pub compose: Passthrough,
}

/// A component before it is bound to others.
#[derive(Debug)]
pub struct Component {
    /// Its name, which is its host name too.
    pub name: Name,
    /// Its table in the file.
    pub pointer: Pointer,
    /// What it is in the system.
    pub role: Role,
    /// How many instances run.
    pub replicas: u32,
    /// The what-if that changed `replicas`, as the user would write it: `--scale bro=2`.
    pub scaled_by: Option<String>,
    /// The logger that it wants, after the defaults.
    pub logger: LoggerChoice,
    /// How its image comes about.
    pub build: Build,
    /// When the engine starts it again.
    pub restart: Restart,
    /// The most that one instance may use.
    pub resources: Resources,
    /// The other keys, as written.
    pub keys: Common,
}

/// What a component is in the system, with the keys of that role.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// Gives requests to workers.
    Broker {
        /// The port for clients.
        frontend: u16,
        /// The port for workers.
        backend: u16,
        /// How long a worker may take.
        deadline: Duration,
        /// How often a request is given to another worker.
        retries: u16,
        /// The most requests that may wait.
        queue: u32,
    },
    /// Does the work.
    Worker {
        /// The broker by name, where it is named.
        broker: Option<String>,
        /// How long one request takes.
        service_time: Option<Duration>,
        /// Between which numbers of instances the load chooses, where the target can do that.
        autoscale: Option<Autoscale>,
    },
    /// Sends requests.
    Client {
        /// The broker by name, where it is named.
        broker: Option<String>,
        /// How many requests.
        requests: u32,
        /// Whether it runs elsewhere.
        outside: bool,
    },
    /// Keeps the log.
    Logger {
        /// The port for records.
        port: u16,
        /// Where the log is kept.
        volume: Option<Volume>,
    },
    /// Anything else.
    Service,
}

impl Role {
    /// The table's name and the program's: `broker`, `worker`, `client`, `logger`, `service`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Broker { .. } => "broker",
            Self::Worker { .. } => "worker",
            Self::Client { .. } => "client",
            Self::Logger { .. } => "logger",
            Self::Service => "service",
        }
    }
}

/// A what-if: other numbers of instances than the file says.
#[derive(Debug, Clone, Default)]
pub struct WhatIf {
    /// Component, number, and the words that asked for it.
    pub scale: Vec<(String, Replicas, String)>,
}

/// Makes a topology of a spec. `folder` names the project when the file does not.
#[must_use]
pub fn resolve(spec: Spec, folder: &str, what_if: &WhatIf) -> (Topology, Vec<Finding>) {
    let mut findings = Vec::new();
    let Spec {
        name,
        broker,
        worker,
        client,
        logger,
        service,
        external,
        image,
        host,
        node,
        defaults,
        sla,
        checks,
        scenario,
        lints: _,
        compose,
    } = spec;
    let mut components = Vec::new();
    let has_logger = !logger.is_empty();
    let mut add = |name: Name, role: Role, keys: Common| components.push(component(name, role, keys, &defaults, has_logger));

    for (name, mut table) in broker {
        let role = Role::Broker {
            frontend: table.frontend.map_or(9998, |port| port.0),
            backend: table.backend.map_or(9999, |port| port.0),
            deadline: table.deadline.unwrap_or(Duration::from_millis(2000)),
            retries: table.retries.unwrap_or(3),
            queue: table.queue.unwrap_or(100_000),
        };
        add(name, role, table.take_common());
    }
    for (name, mut table) in worker {
        let role = Role::Worker { broker: table.broker.take(), service_time: table.service_time, autoscale: table.autoscale };
        add(name, role, table.take_common());
    }
    for (name, mut table) in client {
        let role = Role::Client { broker: table.broker.take(), requests: table.requests.unwrap_or(10), outside: table.outside };
        add(name, role, table.take_common());
    }
    for (name, mut table) in logger {
        let role = Role::Logger { port: table.port.map_or(9995, |port| port.0), volume: table.volume.take() };
        add(name, role, table.take_common());
    }
    for (name, mut table) in service {
        add(name, Role::Service, table.take_common());
    }

    let mut topology = Topology {
        name: name.map_or_else(|| project_name(folder), |name| name.to_string()),
        components,
        externals: external,
        images: image,
        host: host.unwrap_or_default(),
        nodes: node,
        sla,
        checks,
        base: defaults.base.unwrap_or_else(|| "scratch".to_owned()),
        compose,
    };
    check_names(&topology, &mut findings);
    check_contradictions(&topology, &mut findings);
    check_nodes(&topology, &mut findings);
    passthrough::check(&topology, &mut findings);
    for (scenario, table) in &scenario {
        for name in table.scale.keys() {
            if !topology.components.iter().any(|component| component.name.as_str() == name) {
                let place = Place::Key(pointer(["scenario", scenario.as_str(), "scale", name]));
                findings.push(rules::unknown_reference::component(name, &topology, place));
            }
        }
    }
    for (name, replicas, words) in &what_if.scale {
        if let Some(component) = topology.components.iter_mut().find(|component| component.name.as_str() == name) {
            component.replicas = replicas.0;
            component.scaled_by = Some(words.clone());
        }
    }
    check_instances(&topology, &mut findings);
    (topology, findings)
}

/// A plan names every instance; beyond this many it is a typing error, not a deployment.
const MAX_INSTANCES: u64 = 100_000;

fn check_instances(topology: &Topology, findings: &mut Vec<Finding>) {
    let instances: u64 = topology.components.iter().map(|component| u64::from(component.replicas)).sum();
    let Some(largest) = topology.components.iter().max_by_key(|component| component.replicas) else { return };
    if instances > MAX_INSTANCES {
        findings.push(rules::wrong_value::RULE.finding(
            Place::value_of(&largest.pointer, "replicas"),
            format!("{instances} instances are more than the {MAX_INSTANCES} that one plan may have"),
            "no engine could run them".to_owned(),
            "use fewer replicas".to_owned(),
        ));
    }
}

fn component(name: Name, role: Role, mut keys: Common, defaults: &Defaults, has_logger: bool) -> Component {
    let logger = match (keys.logger.take().or_else(|| defaults.logger.clone()), &role) {
        (_, Role::Logger { .. }) => LoggerChoice::None,
        (Some(choice), _) => choice,
        // A broker logs to the only logger; the others are asked to.
        (None, Role::Broker { .. }) if has_logger => LoggerChoice::Only,
        (None, _) => LoggerChoice::None,
    };
    let build = keys.build.take().unwrap_or(match defaults.build {
        Some(BuildMode::Source) => Build::Source,
        Some(BuildMode::Static) | None => Build::Static,
    });
    let as_is = keys.as_is.unwrap_or(defaults.as_is);
    keys.as_is = Some(as_is);
    let restart = keys.restart.or(match role {
        // The engine's own default.
        _ if as_is => Some(Restart::No),
        // A client ends when it has its answers; starting it again would ask them all again.
        Role::Client { .. } => Some(Restart::No),
        _ => defaults.restart,
    });
    let resources = keys.resources.take().or_else(|| defaults.resources.clone().filter(|_| !as_is)).unwrap_or_default();
    Component {
        pointer: pointer([role.name(), name.as_str()]),
        replicas: keys.replicas.map_or(1, |replicas| replicas.0),
        scaled_by: None,
        logger,
        build,
        restart: restart.unwrap_or(Restart::UnlessStopped),
        resources,
        name,
        role,
        keys,
    }
}

/// The nearest legal project name to a folder's.
fn project_name(folder: &str) -> String {
    let legal: String = folder.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    let legal = legal.trim_matches('-');
    if legal.is_empty() { "topology".to_owned() } else { legal.to_owned() }
}

/// One name, one thing: names are host names.
fn check_names(topology: &Topology, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &Pointer> = HashMap::new();
    let externals: Vec<Pointer> = topology.externals.keys().map(|name| pointer(["external", name.as_str()])).collect();
    for place in topology.components.iter().map(|component| &component.pointer).chain(&externals) {
        let Some(name) = place.last() else { continue };
        if let Some(first) = seen.insert(name, place) {
            findings.push(rules::duplicate_name::finding(name, place, first));
        }
    }
}

/// Where nodes are stated, only these can be meant.
fn check_nodes(topology: &Topology, findings: &mut Vec<Finding>) {
    if topology.nodes.is_empty() {
        return;
    }
    for component in &topology.components {
        let Some(node) = component.keys.placement.as_ref().and_then(|placement| placement.node.as_ref()) else { continue };
        if !topology.nodes.contains_key(node.as_str()) {
            let place = Place::Value(below(&below(&component.pointer, "placement"), "node"));
            findings.push(rules::unknown_reference::node(node.as_str(), topology, place));
        }
    }
}

/// Keys that exclude each other or that need another one.
fn check_contradictions(topology: &Topology, findings: &mut Vec<Finding>) {
    let mut wrong = |message: String, consequence: &str, help: String, place: Place| {
        findings.push(Finding::new(rules::wrong_value::RULE.name, Severity::Error, place, message, consequence.to_owned(), help));
    };
    for component in &topology.components {
        let (name, place) = (&component.name, &component.pointer);
        let program = matches!(component.build, Build::Program(_));
        if program && component.keys.image.is_some() {
            wrong(
                format!("`{name}` has both `image` and `build`"),
                "it cannot be told which of the two runs",
                "keep one: `image` for a ready image, `build` for one that is made here".to_owned(),
                Place::key_of(place, "image"),
            );
        }
        if component.role == Role::Service && !program && component.keys.image.is_none() && !told_by_compose(component) {
            wrong(
                format!("service `{name}` has neither `image` nor `build`"),
                "there is nothing that could run",
                format!("add `image = \"…\"` to `[service.{name}]`, or `build = {{ from = \"…\", … }}`"),
                Place::Key(place.clone()),
            );
        }
        if let Build::Program(program) = &component.build {
            let place = below(place, "build");
            match (&program.from, &program.dockerfile) {
                (None, None) => wrong(
                    format!("the build of `{name}` has neither `from` nor `dockerfile`"),
                    "there is no image to start from",
                    "add `from = \"debian:12-slim\"` or another image, or name a `dockerfile` of your own".to_owned(),
                    Place::Key(place),
                ),
                (Some(_), Some(_)) => wrong(
                    format!("the build of `{name}` has both `from` and `dockerfile`"),
                    "it cannot be told which of the two is meant",
                    "keep `dockerfile` alone: its own `FROM` names the image".to_owned(),
                    Place::key_of(&place, "dockerfile"),
                ),
                _ => {}
            }
        }
        if let Role::Worker { autoscale: Some(Autoscale { min, max, .. }), .. } = &component.role {
            let place = below(place, "autoscale");
            if min.0 == 0 || min.0 > max.0 {
                wrong(
                    format!("`{name}` cannot have between {} and {} instances", min.0, max.0),
                    "Kubernetes refuses such an autoscaler",
                    "use a `min` of at least 1 and a `max` of at least `min`".to_owned(),
                    Place::Value(place.clone()),
                );
            }
            if component.resources.cpus.is_none() {
                wrong(
                    format!("`{name}` is to be scaled by its processors, but nothing says how many an instance has"),
                    "`cpu` is a share of what an instance asks for: without, the number of instances never changes",
                    format!("add `resources = {{ cpus = 0.5 }}` to `[worker.{name}]`, or as much as one needs"),
                    Place::Value(place),
                );
            }
        }
        for (EnvName(secret), source) in &component.keys.secrets {
            let sources = [source.file.is_some(), source.env.is_some(), source.external];
            if sources.iter().filter(|given| **given).count() != 1 {
                wrong(
                    format!("secret `{secret}` must come from exactly one place"),
                    "the engine would not know what to mount",
                    "give one of `file = \"…\"`, `env = \"…\"` and `external = true`".to_owned(),
                    Place::Value(below(&below(place, "secrets"), secret)),
                );
            }
        }
        if let Some(service) = &component.keys.service
            && !is_service_name(service)
        {
            wrong(
                format!("`{}` cannot be the name of a service", crate::source::decode::shorten(service)),
                "Compose would refuse the whole project",
                "use letters, digits, `_`, `.` and `-`".to_owned(),
                Place::value_of(place, "service"),
            );
        }
        if let Some(user) = &component.keys.user
            && !is_numeric_user(user)
        {
            wrong(
                format!("`{}` is not a user in numbers", crate::source::decode::shorten(user)),
                "an image without `/etc/passwd` knows no names, and nobody could check that it is not root",
                "write `\"UID:GID\"`, as in `\"10001:10001\"`".to_owned(),
                Place::value_of(place, "user"),
            );
        }
    }
}

/// Whether `compose` says what runs.
fn told_by_compose(component: &Component) -> bool {
    ["image", "build", "provider"].iter().any(|key| component.keys.compose.0.contains_key(*key))
}

/// As Compose takes them.
fn is_service_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_numeric_user(user: &str) -> bool {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    [uid, gid].iter().all(|id| id.parse::<u32>().is_ok())
}
