//! Everything resolved: who listens, who is bound to whom, with which environment, in which order.
//!
//! The plan is the centre: lint judges it, every target writes it, and nothing looks back at the spec.

mod bind;
pub mod checks;
mod environment;
mod order;
mod place;
pub mod show;
mod template;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use indexmap::IndexMap;

use crate::finding::Finding;
pub(crate) use crate::plan::place::stays;
pub use crate::plan::place::{Obstacle, Place};
use crate::source::Pointer;
use crate::spec::values::{Duration, Name, NodeName, Protocol, Volume};
use crate::spec::{Host, Image, Node, Placement, Resources, Restart, Secret, Sla};
pub use crate::topology::Role;
use crate::topology::Topology;

/// The user and group that our own programs run as. Numbers, because an empty image knows no names.
pub const USER: u32 = 10001;

/// Where our own logger keeps its log when no volume says otherwise.
pub const LOGGER_DIR: &str = "/var/log/cbw";

/// A whole deployment.
#[derive(Debug, Default)]
pub struct Plan {
    /// The project's name.
    pub name: String,
    /// All components by name, in the order in which they start.
    pub components: IndexMap<String, Component>,
    /// Networks, each with the components that are on it.
    pub networks: IndexMap<String, Network>,
    /// Base images.
    pub images: IndexMap<Name, Image>,
    /// The image that our own programs stand on.
    pub base: String,
    /// The machine that publishes ports.
    pub host: Host,
    /// The machines of a cluster, by host name; none when the topology states none.
    pub nodes: IndexMap<NodeName, Node>,
    /// What is promised.
    pub sla: Option<Sla>,
    /// What the Compose file says at its top beside what is generated.
    pub compose: serde_json::Map<String, serde_json::Value>,
    /// What must be so once it runs: those of the whole first, then component by component.
    pub checks: Vec<checks::Check>,
    /// False when something could not be resolved. Checks that conclude from what is *missing* then stay silent.
    pub complete: bool,
}

/// A component with everything that it needs to run.
#[derive(Debug)]
pub struct Component {
    /// Its name, which is its host name too.
    pub name: String,
    /// Its table in the file.
    pub pointer: Pointer,
    /// What it is in the system.
    pub role: Role,
    /// How many instances run.
    pub replicas: u32,
    /// The what-if that changed `replicas`.
    pub scaled_by: Option<String>,
    /// When it starts: everything of a lower stage is ready before.
    pub stage: usize,
    /// How its image comes about.
    pub image: ImageSource,
    /// What runs instead of the image's own command.
    pub command: Option<Vec<String>>,
    /// The ports that it listens on.
    pub endpoints: Vec<Endpoint>,
    /// The endpoints that it connects to.
    pub bindings: Vec<Binding>,
    /// What is reachable from outside.
    pub published: Vec<Published>,
    /// Its environment, in the order in which it is written.
    pub env: IndexMap<String, EnvVar>,
    /// The components that must be up before, by name, with the condition.
    pub depends_on: IndexMap<String, Condition>,
    /// The networks that it is on.
    pub networks: Vec<String>,
    /// A name that only the members of one network know: network and alias.
    pub alias: Option<(String, String)>,
    /// How the engine asks whether it works.
    pub healthcheck: Option<Healthcheck>,
    /// Volumes; the logger's first.
    pub volumes: Vec<Volume>,
    /// Folders in memory.
    pub tmpfs: Vec<String>,
    /// Secrets, by name.
    pub secrets: IndexMap<String, Secret>,
    /// When the engine starts it again.
    pub restart: Restart,
    /// The most that one instance may use.
    pub resources: Resources,
    /// On which machine it may run.
    pub placement: Placement,
    /// Where each instance goes, as far as the topology can tell; empty when it states no nodes.
    pub places: Vec<Place>,
    /// The user in numbers; `None` leaves it to the image.
    pub user: Option<String>,
    /// Whether the container's own files cannot be changed.
    pub read_only: bool,
    /// Whether all capabilities are dropped but those of `cap_add`.
    pub drop_capabilities: bool,
    /// Capabilities to keep.
    pub cap_add: Vec<String>,
    /// How long it may take to end.
    pub stop_grace: Duration,
    /// How Compose calls it, which is its host name for the others.
    pub service: String,
    /// Whether nothing is written that the file does not say.
    pub as_is: bool,
    /// Keys of Compose that are merged into what is written.
    pub compose: serde_json::Map<String, serde_json::Value>,
}

/// How a component's image comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// Our program, linked statically.
    Static {
        /// `broker`, `worker`, `client` or `logger`.
        program: &'static str,
    },
    /// Our program, built in a Rust image.
    Source {
        /// `broker`, `worker`, `client` or `logger`.
        program: &'static str,
    },
    /// Somebody else's program, built here.
    Program(Box<Program>),
    /// A ready image.
    Ready(String),
    /// `compose` says it, in Compose's own words.
    Compose,
}

/// Somebody else's program with its texts resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The image that it stands on; the name of a base image of this plan or a public one. `None` with `dockerfile`.
    pub from: Option<String>,
    /// The folder that the build sees, relative to the topology.
    pub context: String,
    /// A Dockerfile of the user's, relative to `context`.
    pub dockerfile: Option<String>,
    /// Debian packages.
    pub apt: Vec<String>,
    /// Commands.
    pub run: Vec<String>,
    /// Source and destination of what is copied; sources relative to `context`.
    pub copy: Vec<(String, String)>,
    /// Environment of the image.
    pub env: IndexMap<String, String>,
    /// The folder that the program runs in.
    pub workdir: String,
    /// What runs, as arguments.
    pub command: Option<Vec<String>>,
}

/// A port that a component listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `frontend`, `backend`, `ingest` or what `ports` calls it.
    pub name: String,
    /// In the container.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where the file says so, or the component's table.
    pub pointer: Pointer,
}

/// A need and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The need's name: `broker`, `logger` or what `needs` calls it.
    pub need: String,
    /// What listens.
    pub target: Target,
    /// The name or address to connect to.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
}

impl Binding {
    /// The endpoint as `ZeroMQ` writes it: `tcp://bro:9999`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tcp://{}:{}", self.host, self.port)
    }
}

/// What a need is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An endpoint of a component of this deployment.
    Component {
        /// The component.
        name: String,
        /// Its endpoint.
        endpoint: String,
    },
    /// A service that is not deployed here.
    External {
        /// Its name in the file.
        name: String,
    },
}

/// An endpoint that is reachable from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The endpoint.
    pub endpoint: String,
    /// One address of the host; `None` means all of them.
    pub address: Option<IpAddr>,
    /// On the host.
    pub host_port: u16,
    /// In the container.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where the file says so.
    pub pointer: Pointer,
}

impl Published {
    /// The address on the host: `0.0.0.0:9998`, `127.0.0.1:9998`, `[::1]:9998`.
    #[must_use]
    pub fn host_address(&self) -> String {
        match self.address {
            None => format!("0.0.0.0:{}", self.host_port),
            Some(address) => std::net::SocketAddr::new(address, self.host_port).to_string(),
        }
    }
}

/// An environment variable and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its value; may hold Compose's `${VAR}`.
    pub value: String,
    /// Why it is there.
    pub origin: Origin,
}

/// Why an environment variable is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A need is bound.
    Binding,
    /// A key of the component says so.
    Setting,
    /// The user wrote it into `env`.
    User,
}

/// What must be true of a component before its dependents start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its health check passed.
    Healthy,
    /// It was started; it has no health check.
    Started,
}

/// A health check with all its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// As Compose's `test`: `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub test: Vec<String>,
    /// Between two checks. `None` here and below: as the engine does by itself.
    pub interval: Option<Duration>,
    /// For one check.
    pub timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u16>,
    /// How long failures do not count after the start.
    pub start_period: Option<Duration>,
}

impl Healthcheck {
    /// Between two checks, with the engine's own time where the plan says none (Dockerfile reference, `HEALTHCHECK`).
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_millis(30_000))
    }

    /// For one check, with the engine's own time.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_millis(30_000))
    }

    /// Failures in a row, with the engine's own number.
    #[must_use]
    pub fn retries(&self) -> u16 {
        self.retries.unwrap_or(3)
    }

    /// How long failures do not count, with the engine's own time.
    #[must_use]
    pub fn start_period(&self) -> Duration {
        self.start_period.unwrap_or(Duration::from_millis(0))
    }
}

/// A network and who is on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Components, the listening one first.
    pub members: Vec<String>,
    /// Whether its members bring it along in `compose`, so that it is not generated.
    pub brought: bool,
}

/// A broker and who is bound to it.
#[derive(Debug)]
pub struct Peers<'a> {
    /// The broker.
    pub broker: &'a Component,
    /// Its workers.
    pub workers: Vec<&'a Component>,
    /// Its clients, outside ones too.
    pub clients: Vec<&'a Component>,
}

impl Peers<'_> {
    /// How many worker instances there are.
    #[must_use]
    pub fn worker_instances(&self) -> u64 {
        self.workers.iter().map(|worker| u64::from(worker.replicas)).sum()
    }

    /// How many client instances there are.
    #[must_use]
    pub fn client_instances(&self) -> u64 {
        self.clients.iter().map(|client| u64::from(client.replicas)).sum()
    }

    /// The longest time that one request takes a worker, in ms; 0 when no worker says.
    #[must_use]
    pub fn service_time(&self) -> u64 {
        let times = self.workers.iter().filter_map(|worker| match worker.role {
            Role::Worker { service_time, .. } => service_time,
            _ => None,
        });
        times.map(Duration::as_millis).max().unwrap_or(0)
    }
}

impl Component {
    /// Whether it is deployed here: an outside client is not.
    #[must_use]
    pub fn is_deployed(&self) -> bool {
        !matches!(self.role, Role::Client { outside: true, .. })
    }

    /// Whether it ends by itself.
    #[must_use]
    pub fn is_one_shot(&self) -> bool {
        matches!(self.role, Role::Client { .. })
    }

    /// Whether one of our own programs runs in it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self.image, ImageSource::Static { .. } | ImageSource::Source { .. })
    }

    /// Whether its image is built here, so that it runs as our user.
    #[must_use]
    pub fn is_built_here(&self) -> bool {
        !matches!(self.image, ImageSource::Ready(_) | ImageSource::Compose)
    }

    /// The binding of a need.
    #[must_use]
    pub fn binding(&self, need: &str) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.need == need)
    }

    /// The component that a need is bound to, by name.
    #[must_use]
    pub fn bound_to(&self, need: &str) -> Option<&str> {
        match &self.binding(need)?.target {
            Target::Component { name, .. } => Some(name),
            Target::External { .. } => None,
        }
    }

    /// An endpoint by name.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }
}

impl Plan {
    /// A component by name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.get(name)
    }

    /// What runs here, in the order in which it starts: all components but outside clients.
    pub fn deployed(&self) -> impl Iterator<Item = &Component> {
        self.components.values().filter(|component| component.is_deployed())
    }

    /// The checks of one component.
    pub fn checks_of<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a checks::Check> {
        self.checks.iter().filter(move |check| check.component.as_deref() == Some(component))
    }

    /// The brokers, each with the workers and clients that are bound to it.
    #[must_use]
    pub fn brokers(&self) -> IndexMap<&str, Peers<'_>> {
        let mut brokers: IndexMap<&str, Peers<'_>> = self
            .components
            .values()
            .filter(|component| matches!(component.role, Role::Broker { .. }))
            .map(|broker| (broker.name.as_str(), Peers { broker, workers: Vec::new(), clients: Vec::new() }))
            .collect();
        for component in self.components.values() {
            let Some(peers) = component.bound_to("broker").and_then(|name| brokers.get_mut(name)) else { continue };
            match component.role {
                Role::Worker { .. } => peers.workers.push(component),
                Role::Client { .. } => peers.clients.push(component),
                _ => {}
            }
        }
        brokers
    }
}

/// Makes the plan, as far as the topology can be resolved, and tells what could not.
#[must_use]
pub fn plan(mut topology: Topology) -> (Plan, Vec<Finding>) {
    let mut findings = Vec::new();
    let bound = bind::bind(&topology, &mut findings);
    let unbound = checks::resolve(&mut topology, &mut findings);
    let directory = checks::Directory::of(&topology);
    let mut plan = environment::complete(topology, bound, &mut findings);
    plan.checks = checks::bind(&plan, &directory, unbound, &mut findings);
    order::start_order(&mut plan, &mut findings);
    place::place(&mut plan);
    plan.complete = findings.is_empty();
    (plan, findings)
}
