//! Compose projects: other people's files, read as `docker compose` reads them.
//!
//! In reading order: [`tree`] (values that remember their bytes) ← `yaml` (text to values) ← `load` (files, variables, `extends`,
//! `include`, merging, schema, consistency) → [`Project`], which the rules judge and `cbwgen compose config` prints. The road
//! keeps going after a mistake: what is wrong becomes a finding and is left out of what follows.

pub mod canonical;
pub mod config;
pub mod consistency;
pub mod dockerfile;
pub mod dockerignore;
pub mod dotenv;
pub mod endpoint;
pub mod files;
pub mod images;
pub mod interpolate;
pub mod load;
pub mod merge;
pub mod normalize;
pub mod path;
pub mod paths;
pub mod ports;
pub mod problem;
pub mod relative;
pub mod schema;
pub mod surroundings;
pub mod template;
pub mod tree;
pub mod types;
pub mod validate;
pub mod view;
pub mod volumes;

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::firewall::Ufw;
use crate::source::{Origin, Source};
use files::Files;
use surroundings::{Built, Surroundings};
use tree::Node;
use view::Service;

/// A project as Compose resolves it.
#[derive(Debug, Default)]
pub struct Project {
    /// Every file that was read, in the order of reading; [`Origin::file`] is an index into them.
    pub sources: Vec<Source>,
    /// The project's name.
    pub name: String,
    /// The project's directory, absolute.
    pub directory: PathBuf,
    /// The resolved model in canonical form: everything merged, interpolated, in the long syntax, with defaults. Services that no
    /// active profile has are in `disabled`. Paths are absolute.
    pub model: Node,
    /// Services behind profiles that are not active, in the same form.
    pub disabled: IndexMap<String, Node>,
    /// Each document as it was written: aliases expanded, nothing interpolated, merged or removed.
    pub written: Vec<Node>,
    /// Each use of a variable in the files.
    pub variables: Vec<Variable>,
    /// The environment that the variables were taken from: that of whoever runs Compose, and `.env`.
    pub environment: std::collections::BTreeMap<String, String>,
    /// Whether all of it could be read: Compose would not refuse it.
    pub complete: bool,
}

/// One use of a variable: `$NAME`, `${NAME:-default}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What Compose puts there; `None` when it is not set, and Compose puts nothing.
    pub value: Option<String>,
    /// Whether the text says what to do without it: `:-`, `-`, `:+`, `+`, `:?` or `?`.
    pub has_operator: bool,
    /// The whole value in which it stands.
    pub origin: Origin,
    /// Where that is in words of the file, as in `services.web.image`.
    pub path: String,
}

/// What a rule may look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The project.
    pub project: &'a Project,
    /// Files beside the Compose file: Dockerfiles, `.dockerignore`, env files.
    pub files: &'a dyn Files,
    /// The host's firewall, as `--ufw` tells.
    pub firewall: Option<&'a Ufw>,
    /// Ports of the host that are taken, as `--host live` tells.
    pub listening: &'a [crate::firewall::live::Listening],
    /// The services as rules ask for them, and what lies around them.
    pub surroundings: &'a Surroundings<'a>,
}

impl Project {
    /// The services that are started, by name, as mappings in canonical form.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.model.get("services").into_iter().flat_map(Node::entries).map(|(name, entry)| (name, &entry.node))
    }
}

impl<'a> Context<'a> {
    /// The services that are started, as rules ask for them.
    pub fn services(&self) -> impl Iterator<Item = &'a Service<'a>> {
        self.surroundings.services.values()
    }

    /// The Dockerfiles that are there, with the services that are built with them.
    pub fn dockerfiles(&self) -> impl Iterator<Item = &'a Built> {
        self.surroundings.dockerfiles.iter()
    }
}
