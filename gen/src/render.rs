//! The plan as files: a Compose file, and a Dockerfile for every component that is built here.
//!
//! Rendering is a pure function: the same plan gives the same bytes. The texts come from templates ([`Templates`]), which
//! see the plan as [`view::Project`] and [`dockerfile::View`]. A value that a template writes cannot leave its place: in
//! YAML it becomes a quoted scalar, in a Dockerfile a line break is an error. Filters beside minijinja's own:
//!
//! | filter | for | makes |
//! |---|---|---|
//! | `key` | a key in YAML | the name, quoted where YAML would take it for something else |
//! | `word` | a word in a Dockerfile | the text, quoted where it needs to be |
//! | `quoted` | a value of `ENV` and `LABEL` | the text in quotes; `${VAR}` stays |
//! | `exec` | `CMD`, `ENTRYPOINT` | the exec form, `["node", "broker"]` |
//! | `paths` | `COPY` | the paths, in exec form where they need it |
//! | `block` | a value in YAML | the value in lines of its own, indented by so many spaces |
//! | `run` | `RUN` | the command, in exec form where the builder would misread it |
//!
//! What was rendered is read back and compared with the plan before anybody may write it: see [`readback`].

pub mod dockerfile;
mod header;
pub(crate) mod passthrough;
pub(crate) mod paths;
pub mod readback;
mod templates;
pub mod text;
pub mod view;

use std::path::Path;

pub use header::{Seal, seal};
use paths::Folder;
use templates::Engine;
pub use templates::Templates;

use crate::plan::Plan;

/// The generator's version, which files and images tell.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the labels of generated images and containers begin with.
pub const LABEL: &str = "org.cbwgen";

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the folder of the generated files, with `/`.
    pub path: String,
    /// All of it, header included.
    pub content: String,
}

/// Where the files go and what they are made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the header calls the topology: its file's name.
    topology: String,
    /// The topology's folder: its paths are relative to it.
    folder: Folder,
    /// The folder of the generated files.
    out: Folder,
    /// The templates.
    templates: Templates,
}

impl Options {
    /// For a topology's file (`-` is one in the working directory) and the folder of the generated files. Only how the two
    /// stand to each other matters.
    pub fn new(topology: &Path, out: &Path, templates: Templates) -> Result<Self, Error> {
        let name = topology.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let folder = Folder::new(topology)?.parent();
        let topology = if name == "-" { "standard input".to_owned() } else { name };
        Ok(Self { topology, folder, out: Folder::new(out)?, templates })
    }
}

/// Why a plan could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that no generated file could name.
    #[error("cannot use the path `{path}`: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The folder of templates cannot be read.
    #[error("cannot use `{path}` as a template: {reason}")]
    Templates {
        /// The folder or a file in it.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A template is wrong.
    #[error("{template}:{line}: {reason}")]
    Template {
        /// The file.
        template: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that cannot stand in a Dockerfile.
    #[error("`{key}` of `{component}` cannot be written into a Dockerfile: `{text}` {reason}")]
    Text {
        /// The component.
        component: String,
        /// The key in the topology.
        key: &'static str,
        /// The text, shortened.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What was rendered is not what was planned.
    #[error("`{template}` does not write what was planned, so nothing was written: {}", .differences.join("; "))]
    Readback {
        /// The template.
        template: String,
        /// What differs.
        differences: Vec<String>,
    },
}

/// Renders all files, the Compose file first, then what the builds need, and reads the Compose file back.
pub fn render(plan: &Plan, options: &Options) -> Result<Vec<File>, Error> {
    render_over(plan, options, |_| false)
}

/// Like [`render`], for files that may be there already. `is_there` says whether the Compose file is, byte for byte: then it
/// was read back when it was written, and replaces nothing now.
pub fn render_over(plan: &Plan, options: &Options, is_there: impl FnOnce(&File) -> bool) -> Result<Vec<File>, Error> {
    let engine = Engine::new(&options.templates, plan.components.len());
    let mut project = view::project(plan, options);
    passthrough::apply(plan, &mut project, options);
    let content = engine.render("docker-compose.yml.j2", "project", &project)?;
    let compose = File { path: "docker-compose.yml".to_owned(), content: seal(&content, &options.topology) };
    if !is_there(&compose) {
        readback::check(&content, &project)
            .map_err(|differences| Error::Readback { template: options.templates.shown("docker-compose.yml.j2"), differences })?;
    }
    let mut files = vec![compose];
    for file in dockerfile::dockerfiles(plan, options, &engine)? {
        files.push(File { content: seal(&file.content, &options.topology), ..file });
    }
    Ok(files)
}
