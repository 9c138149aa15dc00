//! What images are made of.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as DeriveDeserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::values::{Command, EnvName, EnvValue};

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

/// How our own programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuildMode {
    /// Linked statically, copied into an empty image.
    Static,
    /// Built in a Rust image.
    Source,
}
