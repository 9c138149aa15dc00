//! The topology as written: every table and key, nothing derived yet.
//!
//! The doc comments here are what an editor shows: `schemas/topology.schema.json` is made of these types.

pub mod checks;
pub mod mistakes;
pub mod values;

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::str::FromStr;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as DeriveDeserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::source::decode::{Located, Mistake, decode};
use crate::source::{Node as Tree, Value, pointer};
use checks::Expectation;
use values::{Command, Duration, EnvName, EnvValue, LabelText, ListenPort, Name, NodeName, Passthrough, Port, Publish, Size, Volume};

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

/// Declares a table of a component: its own keys, then those that every component has.
macro_rules! component {
    ($(#[$about:meta])* $table:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $table {
            $($(#[$doc])* pub $key: $type,)*
            /// How many instances run. At most 10,000. Default: 1.
            #[schemars(extend("default" = 1))]
            pub replicas: Option<Replicas>,
            /// The logger that it logs to; `false` for none, `true` for the only one.
            pub logger: Option<LoggerChoice>,
            /// A ready image, as in `redis:7.4`.
            pub image: Option<String>,
            /// How its image is made: `"static"` (our program, linked statically, in an empty image), `"source"` (our
            /// program, built in a Rust image), or a table that describes somebody else's program. Default: `"static"`.
            pub build: Option<Build>,
            /// What runs in the container, instead of the image's own command.
            pub command: Option<Command>,
            /// Named ports that it listens on: `{ http = 80 }`.
            pub ports: IndexMap<Name, ListenPort>,
            /// Endpoints that can be reached from outside.
            pub publish: Publish,
            /// Endpoints that it connects to: `{ db = "db.sql" }` (component.endpoint, or an external).
            pub needs: IndexMap<Name, String>,
            /// Environment variables.
            pub env: IndexMap<EnvName, EnvValue>,
            /// Secrets, mounted at `/run/secrets/NAME`.
            pub secrets: IndexMap<EnvName, Secret>,
            /// Volumes: `"./host:/inside"`, `"name:/inside"`.
            pub volumes: Vec<Volume>,
            /// How the engine asks whether it works: a command, a table, or `false`. The command may hold `{{ need.host }}`.
            pub healthcheck: Option<Healthcheck>,
            /// What must be so once it runs: `[{ http = "http://web.http/", contains = "Welcome" }, { tcp = "db.sql" }]`.
            pub checks: Vec<Expectation>,
            /// The most that one instance may use.
            pub resources: Option<Resources>,
            /// On which machine it runs (for targets with several machines).
            pub placement: Option<Placement>,
            /// When the engine starts it again. Default: `unless-stopped`; a client `no`.
            pub restart: Option<Restart>,
            /// The user that it runs as, in numbers: `"10001:10001"`.
            pub user: Option<String>,
            /// Whether the container's own files cannot be changed. Default: true for our own programs.
            pub read_only: Option<bool>,
            /// Folders in memory, writable in a read-only container: `["/tmp"]`.
            pub tmpfs: Vec<String>,
            /// Linux capabilities to keep; our own programs keep none.
            pub cap_add: Vec<String>,
            /// How long it may take to end before it is killed. Default: `10s`.
            #[schemars(extend("default" = "10s"))]
            pub stop_grace: Option<Duration>,
            /// How the service is called in Compose, where that is no host name: `my_app`. Default: the component's name.
            pub service: Option<String>,
            /// Whether nothing is written that is not said here: no default restart policy, user, labels, log rotation or
            /// hardening, no networks of its own, no variables for `needs`. Texts mean what they mean in Compose. `cbwgen import`
            /// says so of what it read. Default: what `[defaults]` says, or false.
            pub as_is: Option<bool>,
            /// Keys of Compose that have no key of their own here: `{ hostname = "web", shm_size = "64m" }`. Tables are merged
            /// key by key into what is generated, anything else replaces it.
            pub compose: Passthrough,
        }

        impl $table {
            /// Takes out the keys that every component has.
            pub fn take_common(&mut self) -> Common {
                Common {
                    replicas: self.replicas.take(),
                    logger: self.logger.take(),
                    image: self.image.take(),
                    build: self.build.take(),
                    command: self.command.take(),
                    ports: std::mem::take(&mut self.ports),
                    publish: std::mem::take(&mut self.publish),
                    needs: std::mem::take(&mut self.needs),
                    env: std::mem::take(&mut self.env),
                    secrets: std::mem::take(&mut self.secrets),
                    volumes: std::mem::take(&mut self.volumes),
                    healthcheck: self.healthcheck.take(),
                    checks: std::mem::take(&mut self.checks),
                    resources: self.resources.take(),
                    placement: self.placement.take(),
                    restart: self.restart.take(),
                    user: self.user.take(),
                    read_only: self.read_only.take(),
                    tmpfs: std::mem::take(&mut self.tmpfs),
                    cap_add: std::mem::take(&mut self.cap_add),
                    stop_grace: self.stop_grace.take(),
                    service: self.service.take(),
                    as_is: self.as_is.take(),
                    compose: std::mem::take(&mut self.compose),
                }
            }
        }
    };
}

/// The keys that every component has; see [`Service`] for what they mean.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the keys are documented where they are declared, for the schema")]
pub struct Common {
    pub replicas: Option<Replicas>,
    pub logger: Option<LoggerChoice>,
    pub image: Option<String>,
    pub build: Option<Build>,
    pub command: Option<Command>,
    pub ports: IndexMap<Name, ListenPort>,
    pub publish: Publish,
    pub needs: IndexMap<Name, String>,
    pub env: IndexMap<EnvName, EnvValue>,
    pub secrets: IndexMap<EnvName, Secret>,
    pub volumes: Vec<Volume>,
    pub healthcheck: Option<Healthcheck>,
    pub checks: Vec<Expectation>,
    pub resources: Option<Resources>,
    pub placement: Option<Placement>,
    pub restart: Option<Restart>,
    pub user: Option<String>,
    pub read_only: Option<bool>,
    pub tmpfs: Vec<String>,
    pub cap_add: Vec<String>,
    pub stop_grace: Option<Duration>,
    pub service: Option<String>,
    pub as_is: Option<bool>,
    pub compose: Passthrough,
}

component! {
    /// A broker takes requests from clients and gives each to the worker that has been ready longest.
    Broker {
        /// The port that clients connect to. Default: 9998.
        #[schemars(extend("default" = 9998))]
        frontend: Option<Port>,
        /// The port that workers connect to. Default: 9999.
        #[schemars(extend("default" = 9999))]
        backend: Option<Port>,
        /// How long a worker may take before the request is given to another one. Default: `2s`.
        #[schemars(extend("default" = "2s"))]
        deadline: Option<Duration>,
        /// How often a request is given to another worker before the client gets an error reply. Default: 3.
        #[schemars(extend("default" = 3))]
        retries: Option<u16>,
        /// The most requests that may wait; further ones are answered with "busy" at once. Default: 100,000.
        #[schemars(extend("default" = 100_000))]
        queue: Option<u32>,
    }
}

component! {
    /// A worker does the work that its broker gives it, one request at a time.
    Worker {
        /// The broker that it works for. Default: the only one.
        broker: Option<String>,
        /// How long one request takes. The checks of deadlines and capacity use it. Default: no time.
        service_time: Option<Duration>,
        /// Between which numbers of instances Kubernetes chooses by the load: `{ min = 2, max = 10, cpu = 70 }`. Other targets
        /// run `replicas`.
        autoscale: Option<Autoscale>,
    }
}

component! {
    /// A client sends requests to its broker, one at a time, and ends.
    Client {
        /// The broker that it asks. Default: the only one.
        broker: Option<String>,
        /// How many requests it sends. Default: 10.
        #[schemars(extend("default" = 10))]
        requests: Option<u32>,
        /// Whether it runs on another machine and comes in through a published port. It is then not deployed here.
        outside: bool,
    }
}

component! {
    /// A logger appends what others send to one file.
    Logger {
        /// The port that it listens on. Default: 9995.
        #[schemars(extend("default" = 9995))]
        port: Option<Port>,
        /// Where the log is kept: `"./logs:/var/log/cbw"` (host side : container side).
        volume: Option<Volume>,
    }
}

component! {
    /// Any component that is no broker, worker, client or logger.
    Service {}
}

/// A number of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas(pub u32);

impl Replicas {
    /// The most instances of one component: far beyond what one plan can show, well within memory.
    pub const MAX: u32 = 10_000;

    /// A single instance.
    fn one() -> Self {
        Self(1)
    }

    /// From any number.
    pub fn new(number: i64) -> Result<Self, String> {
        match u32::try_from(number) {
            Ok(count) if count <= Self::MAX => Ok(Self(count)),
            _ => Err(format!("`{number}` is not a number of instances: use 0 to {}", Self::MAX)),
        }
    }
}

impl<'de> Deserialize<'de> for Replicas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Replicas;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of instances like `4`")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Replicas, E> {
                Replicas::new(number).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Replicas {
    fn schema_name() -> Cow<'static, str> {
        "Replicas".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
    }
}

/// How the number of instances follows the load (Kubernetes' `HorizontalPodAutoscaler`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscale {
    /// The fewest instances. Default: 1.
    #[serde(default = "Replicas::one")]
    #[schemars(range(min = 1))]
    pub min: Replicas,
    /// The most instances.
    #[schemars(range(min = 1))]
    pub max: Replicas,
    /// The share of its processors (`resources`), in percent, that an instance is to use on average. Default: 80.
    #[serde(default)]
    pub cpu: Percent,
}

/// A share in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u8);

impl Default for Percent {
    fn default() -> Self {
        Self(80)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Percent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share in percent like `70`")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Percent, E> {
                match u8::try_from(number) {
                    Ok(percent @ 1..=100) => Ok(Percent(percent)),
                    _ => Err(E::custom(format!("`{number}` is not a share in percent: use 1 to 100"))),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 100 })
    }
}

/// Which logger a component uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggerChoice {
    /// `false`.
    None,
    /// `true`: the only one.
    Only,
    /// By name.
    Named(String),
}

impl<'de> Deserialize<'de> for LoggerChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrBool;
        impl Visitor<'_> for NameOrBool {
            type Value = LoggerChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a logger, or `false`")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<LoggerChoice, E> {
                Ok(if on { LoggerChoice::Only } else { LoggerChoice::None })
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<LoggerChoice, E> {
                Ok(LoggerChoice::Named(name.to_owned()))
            }
        }
        deserializer.deserialize_any(NameOrBool)
    }
}

impl JsonSchema for LoggerChoice {
    fn schema_name() -> Cow<'static, str> {
        "LoggerChoice".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean"], "description": "The name of a logger; `false` for none, `true` for the only one." })
    }
}

/// How a component's image is made.
#[derive(Debug, Clone)]
pub enum Build {
    /// Our program, linked statically, in an empty image.
    Static,
    /// Our program, built in a Rust image.
    Source,
    /// Somebody else's program.
    Program(Box<Program>),
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ModeOrTable;
        impl<'de> Visitor<'de> for ModeOrTable {
            type Value = Build;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`\"static\"`, `\"source\"` or a table like `{ from = \"node:22-slim\", copy = [\"app.js\"] }`")
            }
            fn visit_str<E: de::Error>(self, mode: &str) -> Result<Build, E> {
                match mode {
                    "static" => Ok(Build::Static),
                    "source" => Ok(Build::Source),
                    other => Err(E::unknown_variant(other, &["static", "source"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Build, A::Error> {
                Program::deserialize(MapAccessDeserializer::new(map)).map(|program| Build::Program(Box::new(program)))
            }
        }
        deserializer.deserialize_any(ModeOrTable)
    }
}

impl JsonSchema for Build {
    fn schema_name() -> Cow<'static, str> {
        "Build".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let program = generator.subschema_for::<Program>();
        json_schema!({ "anyOf": [ { "type": "string", "enum": ["static", "source"] }, program ] })
    }
}

/// Somebody else's program: what its image is built of.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Program {
    /// The image that it stands on: a public one or an `[image.NAME]` of this file.
    pub from: Option<String>,
    /// The folder that the build sees, beside the topology. Default: the folder of what is copied.
    pub context: Option<String>,
    /// A Dockerfile of your own, in `context`; then nothing else is needed here.
    pub dockerfile: Option<String>,
    /// Debian packages to install.
    pub apt: Vec<String>,
    /// Commands to run while the image is built.
    pub run: Vec<String>,
    /// Files and folders to copy, `"source"` or `"source:destination"`, beside the topology.
    pub copy: Vec<String>,
    /// Environment variables of the image.
    pub env: IndexMap<EnvName, EnvValue>,
    /// The folder in the image that the program runs in. Default: `/app`.
    #[schemars(extend("default" = "/app"))]
    pub workdir: Option<String>,
    /// What runs. It may hold `{{ need.host }}` and `{{ need.port }}`.
    pub command: Option<Command>,
}

/// A base image that is built first. Other images may be built `from` it.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The image that it stands on: a public one or another `[image.NAME]`.
    pub from: String,
    /// Debian packages to install.
    #[serde(default)]
    pub apt: Vec<String>,
    /// Commands to run while the image is built.
    #[serde(default)]
    pub run: Vec<String>,
    /// Files and folders to copy, `"source"` or `"source:destination"`, beside the topology.
    #[serde(default)]
    pub copy: Vec<String>,
    /// Environment variables of the image.
    #[serde(default)]
    pub env: IndexMap<EnvName, EnvValue>,
    /// The folder in the image that the commands run in. Default: `/app`.
    pub workdir: Option<String>,
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

/// How the engine asks whether a component works.
#[derive(Debug, Clone)]
pub enum Healthcheck {
    /// `false`: it does not ask.
    None,
    /// A command and how often it runs.
    Check(Box<Check>),
}

/// A health check in full.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The command; it ends with 0 when the component works.
    pub command: Command,
    /// The time between two checks. Default: `5s`.
    pub interval: Option<Duration>,
    /// How long one check may take. Default: `3s`.
    pub timeout: Option<Duration>,
    /// How many failures in a row make the component unhealthy. Default: 3.
    pub retries: Option<u16>,
    /// How long failures do not count after the start. Default: `30s`.
    pub start_period: Option<Duration>,
}

impl<'de> Deserialize<'de> for Healthcheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        fn plain(command: Command) -> Healthcheck {
            Healthcheck::Check(Box::new(Check { command, interval: None, timeout: None, retries: None, start_period: None }))
        }
        impl<'de> Visitor<'de> for Any {
            type Value = Healthcheck;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command, a table like `{ command = \"…\", interval = \"5s\" }`, or `false`")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Healthcheck, E> {
                if on {
                    Err(E::custom("`true` does not say how to check: write the command, or `false` for no check"))
                } else {
                    Ok(Healthcheck::None)
                }
            }
            fn visit_str<E: de::Error>(self, line: &str) -> Result<Healthcheck, E> {
                Command::deserialize(de::value::StrDeserializer::new(line)).map(plain)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Healthcheck, A::Error> {
                Command::deserialize(de::value::SeqAccessDeserializer::new(items)).map(plain)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Healthcheck, A::Error> {
                Check::deserialize(MapAccessDeserializer::new(map)).map(|check| Healthcheck::Check(Box::new(check)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Healthcheck {
    fn schema_name() -> Cow<'static, str> {
        "Healthcheck".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (command, check) = (generator.subschema_for::<Command>(), generator.subschema_for::<Check>());
        json_schema!({ "anyOf": [ { "const": false }, command, check ] })
    }
}

/// The most that one instance may use.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Processors, in parts of one: `0.5`.
    pub cpus: Option<Cpus>,
    /// Memory: `"64MiB"`.
    pub memory: Option<Size>,
}

/// A number of processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpus(pub f64);

/// Declares a number with a range and its own words.
macro_rules! ranged_number {
    ($type:ident, $wanted:literal, $low:literal, $high:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Number;
                impl Visitor<'_> for Number {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($wanted)
                    }
                    #[allow(clippy::cast_precision_loss, reason = "the range is far below 2^53")]
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        self.visit_f64(number as f64)
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$type, E> {
                        if number > $low && number <= $high {
                            Ok($type(number))
                        } else {
                            Err(E::custom(format!("`{number}` is not {}", $wanted)))
                        }
                    }
                }
                deserializer.deserialize_any(Number)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "number", "exclusiveMinimum": $low, "maximum": $high })
            }
        }
    };
}

ranged_number!(Cpus, "a number of processors like `0.5`", 0.0, 4096.0);

/// Requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throughput(pub f64);

ranged_number!(Throughput, "a number of requests per second like `100`", 0.0, 1e12);

/// A share of the time: `0.999`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

ranged_number!(Share, "a share of the time between 0 and 1, like `0.999`", 0.0, 1.0);

/// On which machine a component runs. Compose has one machine and ignores it.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// The node's host name.
    pub node: Option<NodeName>,
    /// Labels that the node must have: `{ disk = "ssd" }`.
    pub labels: IndexMap<LabelText, LabelText>,
    /// Over what the instances are spread: `"node"` puts each on the node that has the fewest of them.
    pub spread: Option<Spread>,
    /// The most instances on one node.
    #[schemars(range(min = 1))]
    pub max_per_node: Option<NonZeroU32>,
}

/// Over what instances are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Over the nodes.
    Node,
}

/// A machine of a cluster. Its name is its host name.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// What is special about it, for `placement.labels`: `{ disk = "ssd" }`. The cluster must know the labels too, in a Swarm
    /// by `docker node update --label-add disk=ssd NODE`.
    pub labels: IndexMap<LabelText, LabelText>,
    /// How many processors the instances may use together. Default: not limited.
    pub cpus: Option<Cpus>,
    /// How much memory the instances may use together: `"8GiB"`. Default: not limited.
    pub memory: Option<Size>,
}

/// When the engine starts a component again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// Always, after a restart of the engine too.
    Always,
    /// When it ended with an error.
    OnFailure,
    /// Always, unless it was stopped by hand.
    UnlessStopped,
}

impl Restart {
    /// As Compose writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::OnFailure => "on-failure",
            Self::UnlessStopped => "unless-stopped",
        }
    }
}

/// Facts about the machine that publishes ports.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// The name or address by which outside clients reach it.
    pub address: Option<String>,
    /// Its firewall.
    pub firewall: Option<Firewall>,
}

/// The rules of the host's firewall, as far as they matter here.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Which firewall it is.
    pub kind: FirewallKind,
    /// What happens to what no rule speaks of. Default: `deny`.
    pub default: Option<FirewallDefault>,
    /// How Docker's own rules stand to it. Default: `plain`.
    pub docker: Option<Docker>,
    /// Ports that are let in: `["22/tcp", "8000:9000/tcp"]`.
    #[serde(default)]
    pub allow: Vec<PortRange>,
    /// Ports that are not let in.
    #[serde(default)]
    pub deny: Vec<PortRange>,
    /// Ports that are refused with an answer.
    #[serde(default)]
    pub reject: Vec<PortRange>,
    /// Ports whose connections are limited in number.
    #[serde(default)]
    pub limit: Vec<PortRange>,
}

/// How Docker and ufw stand to each other: who decides about a published port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, DeriveDeserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Docker {
    /// Docker opens it by address translation, before ufw is asked: its default.
    #[default]
    Plain,
    /// The rules of ufw-docker are in the chain `DOCKER-USER`: `ufw route` decides, by the container's port.
    UfwDocker,
    /// Containers are on the host's network: ufw decides, by the host's port.
    HostNetwork,
    /// The engine runs with `iptables: false`: ufw decides, by the host's port.
    NoIptables,
}

/// A kind of firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirewallKind {
    /// Ubuntu's uncomplicated firewall.
    Ufw,
    /// No firewall.
    None,
}

/// What a firewall does by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirewallDefault {
    /// Let in.
    Allow,
    /// Drop.
    Deny,
    /// Refuse.
    Reject,
}

/// Ports of a firewall rule: `22/tcp`, `8000:9000/tcp`, or `53` for both protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// `None` means TCP and UDP.
    pub protocol: Option<values::Protocol>,
}

impl std::str::FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = crate::source::decode::shorten(text);
        let wrong = || format!("`{short}` names no ports: write `22/tcp`, `8000:9000/tcp` or `53`");
        let (ports, protocol) = match text.split_once('/') {
            None => (text, None),
            Some((ports, "tcp")) => (ports, Some(values::Protocol::Tcp)),
            Some((ports, "udp")) => (ports, Some(values::Protocol::Udp)),
            Some(_) => return Err(wrong()),
        };
        let (first, last) = ports.split_once(':').unwrap_or((ports, ports));
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("`{short}` begins behind its end"));
        }
        Ok(Self { first, last, protocol })
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = PortRange;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ports like `\"22/tcp\"` or `\"8000:9000/tcp\"`")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PortRange, E> {
                number.to_string().parse().map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PortRange, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

impl JsonSchema for PortRange {
    fn schema_name() -> Cow<'static, str> {
        "PortRange".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Ports of a firewall rule: `\"22/tcp\"`, `\"8000:9000/tcp\"`, or `53` for both protocols.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65535 },
                { "type": "string", "pattern": "^[0-9]+(:[0-9]+)?(/(tcp|udp))?$" }
            ]
        })
    }
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

/// How our own programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuildMode {
    /// Linked statically, copied into an empty image.
    Static,
    /// Built in a Rust image.
    Source,
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

/// Reads a tree as a topology: what is right of it, and every mistake with its place.
#[must_use]
pub fn read(mut root: Tree) -> (Spec, Vec<Located>) {
    // Each component is decoded by itself, so that a mistake in one of 10,000 costs one component and not all.
    let mut mistakes = Vec::new();
    let members = Members {
        broker: root.remove(&pointer(["broker"])),
        worker: root.remove(&pointer(["worker"])),
        client: root.remove(&pointer(["client"])),
        logger: root.remove(&pointer(["logger"])),
        service: root.remove(&pointer(["service"])),
        external: root.remove(&pointer(["external"])),
        image: root.remove(&pointer(["image"])),
        node: root.remove(&pointer(["node"])),
        scenario: root.remove(&pointer(["scenario"])),
    };
    let (spec, wrong) = decode::<Spec>(root, &Vec::new());
    mistakes.extend(wrong);
    let spec = Spec {
        broker: table(members.broker, "broker", &mut mistakes),
        worker: table(members.worker, "worker", &mut mistakes),
        client: table(members.client, "client", &mut mistakes),
        logger: table(members.logger, "logger", &mut mistakes),
        service: table(members.service, "service", &mut mistakes),
        external: table(members.external, "external", &mut mistakes),
        image: table(members.image, "image", &mut mistakes),
        node: table(members.node, "node", &mut mistakes),
        scenario: table(members.scenario, "scenario", &mut mistakes),
        ..spec.unwrap_or_default()
    };
    (spec, mistakes)
}

/// Whether a TOML text that could be anything is a topology: it declares a component, and has no table that topologies do not
/// have.
#[must_use]
pub fn looks_like_topology(text: &str) -> bool {
    const COMPONENTS: [&str; 6] = ["broker", "worker", "client", "logger", "service", "external"];
    const OTHERS: [&str; 8] = ["compose", "defaults", "host", "image", "lints", "node", "scenario", "sla"];
    let headers = || text.lines().filter_map(|line| line.trim_start().strip_prefix('['));
    let mut tables = headers().map(|header| header.split(['.', ']']).next().unwrap_or_default().trim());
    let is_component = |header: &str| header.split_once('.').is_some_and(|(table, _)| COMPONENTS.contains(&table.trim()));
    headers().any(is_component) && tables.all(|table| COMPONENTS.contains(&table) || OTHERS.contains(&table))
}

/// The tables of named things, before they are decoded.
struct Members {
    broker: Option<Tree>,
    worker: Option<Tree>,
    client: Option<Tree>,
    logger: Option<Tree>,
    service: Option<Tree>,
    external: Option<Tree>,
    image: Option<Tree>,
    node: Option<Tree>,
    scenario: Option<Tree>,
}

fn table<K, T>(node: Option<Tree>, kind: &str, mistakes: &mut Vec<Located>) -> IndexMap<K, T>
where
    K: FromStr<Err = String> + Eq + Hash,
    T: DeserializeOwned,
{
    let Some(node) = node else { return IndexMap::new() };
    let Value::Table(entries) = node.value else {
        let wanted = format!("tables with a name, as in `[{kind}.name]`");
        let mistake = Mistake::WrongType { found: "something else".to_owned(), wanted };
        mistakes.push(Located { pointer: pointer([kind]), at_key: false, mistake });
        return IndexMap::new();
    };
    let mut members = IndexMap::with_capacity(entries.len());
    for (key, entry) in entries {
        let place = pointer([kind, &key]);
        let name = key.parse::<K>().map_err(Mistake::WrongValue);
        let is_table = matches!(entry.node.value, Value::Table(_));
        if !is_table {
            // `[broker] frontend = 9998`: the name was forgotten, and the key is taken for one.
            let short = crate::source::decode::shorten(&key);
            let message = format!("`{short}` stands in `[{kind}]`, but every {kind} has a name: write it below `[{kind}.{}]`", &kind[..3]);
            mistakes.push(Located { pointer: place, at_key: true, mistake: Mistake::WrongValue(message) });
            continue;
        }
        let (member, wrong) = decode::<T>(entry.node, &place);
        mistakes.extend(wrong);
        match (name, member) {
            (Ok(name), Some(member)) => {
                members.insert(name, member);
            }
            (Err(mistake), _) => mistakes.push(Located { pointer: place, at_key: true, mistake }),
            (Ok(_), None) => {}
        }
    }
    members
}
