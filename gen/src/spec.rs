//! The topology as written: every table and key, nothing derived yet.
//!
//! The doc comments here are what an editor shows: `schemas/topology.schema.json` is made of these types.

pub mod checks;
mod component;
mod image;
mod machine;
pub mod mistakes;
mod needs;
mod read;
pub mod values;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize as DeriveDeserialize;

use checks::Expectation;
pub use component::{Autoscale, Broker, Client, Common, Logger, LoggerChoice, Percent, Replicas, Restart, Service, Worker};
pub use image::{Build, BuildMode, Image, Program};
pub use machine::{Docker, Firewall, FirewallDefault, FirewallKind, Host, Node, Placement, PortRange, Spread};
pub use needs::{Check, Cpus, Healthcheck, Resources, Share, Throughput};
pub use read::{looks_like_topology, read};
use values::{Duration, Name, NodeName, Passthrough, Port};

/// The deployment of a message-based system, in a few lines.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "cbwgen topology")]
pub struct Spec {
    /// The project's name: containers, networks and volumes begin with it. Default: the name of the folder.
    pub name: Option<Name>,
    /// Brokers: they take requests from clients and give each to a worker.
    pub broker: IndexMap<Name, Broker>,
    /// Workers: they do the work that a broker gives them.
    pub worker: IndexMap<Name, Worker>,
    /// Clients: they send requests to a broker.
    pub client: IndexMap<Name, Client>,
    /// Loggers: they keep what others log.
    pub logger: IndexMap<Name, Logger>,
    /// Any other component.
    pub service: IndexMap<Name, Service>,
    /// Services that are not deployed here but are needed.
    pub external: IndexMap<Name, External>,
    /// Base images that are built first.
    pub image: IndexMap<Name, Image>,
    /// Facts about the machine that publishes ports.
    pub host: Option<Host>,
    /// The machines that instances are spread over, by host name. Compose has one machine and ignores them.
    pub node: IndexMap<NodeName, Node>,
    /// Values for every component that does not say otherwise.
    pub defaults: Defaults,
    /// What is promised to the users of the system.
    pub sla: Option<Sla>,
    /// What must be so once the deployment runs: `[{ http = "http://web.http/", expect = 200, contains = "Welcome" }]`.
    pub checks: Vec<Expectation>,
    /// What-ifs that `cbwgen lint --scenario NAME` judges.
    pub scenario: IndexMap<Name, Scenario>,
    /// The severity of rules: `unpinned-image = "allow"`.
    pub lints: IndexMap<String, Level>,
    /// What the Compose file says at its top beside what is generated, in Compose's own words: `networks`, `volumes`, `x-…`.
    pub compose: Passthrough,
}

/// A service that is not deployed here.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: Port,
}

/// Where a secret comes from: exactly one of the keys.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secret {
    /// A file on the host, beside the topology.
    pub file: Option<String>,
    /// An environment variable of whoever deploys.
    pub env: Option<String>,
    /// Whether the engine has it already (Swarm, Kubernetes).
    pub external: bool,
}

/// Values for every component that does not say otherwise.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The image that our own programs stand on. Default: `scratch`, an empty one.
    #[schemars(extend("default" = "scratch"))]
    pub base: Option<String>,
    /// How our own programs are built: `"static"` or `"source"`.
    pub build: Option<BuildMode>,
    /// When the engine starts a component again.
    pub restart: Option<Restart>,
    /// The logger of every component.
    pub logger: Option<LoggerChoice>,
    /// The most that one instance may use.
    pub resources: Option<Resources>,
    /// Whether nothing is added to what stands in the component's own table.
    pub as_is: bool,
}

/// What is promised to the users of the system.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sla {
    /// Requests per second that are answered.
    pub throughput: Option<Throughput>,
    /// The time within which 95 of 100 requests are answered.
    pub p95: Option<Duration>,
    /// The share of the time in which requests are answered: `0.999`.
    pub availability: Option<Share>,
}

/// A what-if.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// What it is about.
    pub description: Option<String>,
    /// Numbers of instances, by component: `{ bro = 2 }`.
    pub scale: IndexMap<String, Replicas>,
}

/// What to do with a rule's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Leave them out.
    Allow,
    /// Report them as notes.
    Note,
    /// Report them as warnings.
    #[serde(alias = "warn")]
    Warning,
    /// Report them as errors.
    #[serde(alias = "deny")]
    Error,
}
