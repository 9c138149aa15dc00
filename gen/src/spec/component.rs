//! Tables of components, and the keys that they have in common.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as DeriveDeserialize;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::checks::Expectation;
use super::values::{Command, Duration, EnvName, EnvValue, ListenPort, Name, Passthrough, Port, Publish, Volume};
use super::{Build, Healthcheck, Placement, Resources, Secret};

/// The keys that every component has, handed on to the macro that declares something with them.
macro_rules! with_common_keys {
    ($declare:ident! { $($own:tt)* }) => {
        $declare! {
            {
                /// How many instances run. At most 10,000. Default: 1.
                #[schemars(extend("default" = 1))]
                replicas: Option<Replicas>,
                /// The logger that it logs to; `false` for none, `true` for the only one.
                logger: Option<LoggerChoice>,
                /// A ready image, as in `redis:7.4`.
                image: Option<String>,
                /// How its image is made: `"static"` (our program, linked statically, in an empty image), `"source"` (our
                /// program, built in a Rust image), or a table that describes somebody else's program. Default: `"static"`.
                build: Option<Build>,
                /// What runs in the container, instead of the image's own command.
                command: Option<Command>,
                /// Named ports that it listens on: `{ http = 80 }`.
                ports: IndexMap<Name, ListenPort>,
                /// Endpoints that can be reached from outside.
                publish: Publish,
                /// Endpoints that it connects to: `{ db = "db.sql" }` (component.endpoint, or an external).
                needs: IndexMap<Name, String>,
                /// Environment variables.
                env: IndexMap<EnvName, EnvValue>,
                /// Secrets, mounted at `/run/secrets/NAME`.
                secrets: IndexMap<EnvName, Secret>,
                /// Volumes: `"./host:/inside"`, `"name:/inside"`.
                volumes: Vec<Volume>,
                /// How the engine asks whether it works: a command, a table, or `false`. The command may hold `{{ need.host }}`.
                healthcheck: Option<Healthcheck>,
                /// What must be so once it runs: `[{ http = "http://web.http/", contains = "Welcome" }, { tcp = "db.sql" }]`.
                checks: Vec<Expectation>,
                /// The most that one instance may use.
                resources: Option<Resources>,
                /// On which machine it runs (for targets with several machines).
                placement: Option<Placement>,
                /// When the engine starts it again. Default: `unless-stopped`; a client `no`.
                restart: Option<Restart>,
                /// The user that it runs as, in numbers: `"10001:10001"`.
                user: Option<String>,
                /// Whether the container's own files cannot be changed. Default: true for our own programs.
                read_only: Option<bool>,
                /// Folders in memory, writable in a read-only container: `["/tmp"]`.
                tmpfs: Vec<String>,
                /// Linux capabilities to keep; our own programs keep none.
                cap_add: Vec<String>,
                /// How long it may take to end before it is killed. Default: `10s`.
                #[schemars(extend("default" = "10s"))]
                stop_grace: Option<Duration>,
                /// How the service is called in Compose, where that is no host name: `my_app`. Default: the component's name.
                service: Option<String>,
                /// Whether nothing is written that is not said here: no default restart policy, user, labels, log rotation or
                /// hardening, no networks of its own, no variables for `needs`. Texts mean what they mean in Compose. `cbwgen import`
                /// says so of what it read. Default: what `[defaults]` says, or false.
                as_is: Option<bool>,
                /// Keys of Compose that have no key of their own here: `{ hostname = "web", shm_size = "64m" }`. Tables are merged
                /// key by key into what is generated, anything else replaces it.
                compose: Passthrough,
            }
            $($own)*
        }
    };
}

/// Declares a table of a component: its own keys, then those that every component has.
macro_rules! component {
    ({ $($(#[$common_doc:meta])* $common:ident: $common_type:ty,)* }
     $(#[$about:meta])* $table:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $table {
            $($(#[$doc])* pub $key: $type,)*
            $($(#[$common_doc])* pub $common: $common_type,)*
        }

        impl $table {
            /// Takes out the keys that every component has.
            pub fn take_common(&mut self) -> Common {
                Common { $($common: std::mem::take(&mut self.$common),)* }
            }
        }
    };
}

/// Declares the struct of the keys that every component has.
macro_rules! common {
    ({ $($(#[$doc:meta])* $key:ident: $type:ty,)* }) => {
        /// The keys that every component has; see [`Service`] for what they mean.
        #[derive(Debug, Clone, Default)]
        #[allow(missing_docs, reason = "the keys are documented in the tables, for the schema")]
        pub struct Common {
            $(pub $key: $type,)*
        }
    };
}

with_common_keys! { common! {} }

with_common_keys! { component! {
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
} }

with_common_keys! { component! {
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
} }

with_common_keys! { component! {
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
} }

with_common_keys! { component! {
    /// A logger appends what others send to one file.
    Logger {
        /// The port that it listens on. Default: 9995.
        #[schemars(extend("default" = 9995))]
        port: Option<Port>,
        /// Where the log is kept: `"./logs:/var/log/cbw"` (host side : container side).
        volume: Option<Volume>,
    }
} }

with_common_keys! { component! {
    /// Any component that is no broker, worker, client or logger.
    Service {}
} }

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
