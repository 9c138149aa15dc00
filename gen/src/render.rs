//! The plan as files: what a target runs (a Compose file, a stack file, a script …), and a Dockerfile for every component that
//! is built here.
//!
//! Each target is one file beside this one: `files` renders, `losses` tells what the target cannot do, `check` reads back what
//! was rendered. A new target is such a file, a variant of [`Target`], and an arm in each of its functions.
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

mod compose;
pub mod dockerfile;
mod header;
mod images;
pub mod kubernetes;
pub(crate) mod passthrough;
pub(crate) mod paths;
pub mod readback;
mod script;
mod shell;
pub mod swarm;
mod target;
mod templates;
pub mod text;
pub mod view;

use std::path::Path;

pub(crate) use header::SHEBANG;
pub use header::{Seal, seal};
use paths::Folder;
pub use target::{Loss, Target};
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
    /// What was rendered is nothing that the target takes.
    #[error("{target} would refuse what this topology becomes, so nothing was written: {}", .reasons.join("; "))]
    Refused {
        /// The target.
        target: &'static str,
        /// What it would refuse.
        reasons: Vec<String>,
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

/// Renders all files of a target: first what the target runs, then what the builds need. The first is read back.
pub fn render(plan: &Plan, target: Target, options: &Options) -> Result<Vec<File>, Error> {
    render_over(plan, target, options, |_| false)
}

/// Like [`render`], for files that may be there already. `is_there` says whether the first file is, byte for byte: then it
/// was read back when it was written, and replaces nothing now.
pub fn render_over(plan: &Plan, target: Target, options: &Options, is_there: impl FnOnce(&File) -> bool) -> Result<Vec<File>, Error> {
    let engine = Engine::new(&options.templates, plan.components.len());
    let files = target.files(plan, options, &engine)?;
    let sealed = files.iter().map(|file| File { path: file.path.clone(), content: seal(&file.content, &options.topology) });
    let sealed: Vec<File> = sealed.collect();
    if let (Some(first), Some(content)) = (sealed.first(), files.first().map(|file| &file.content))
        && !is_there(first)
    {
        target.check(content, plan, options)?;
    }
    Ok(sealed)
}
