//! `cbwgen compose`, and the options that Compose's own commands have.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::{CLEAN, Color, FOUND, lint, print, wants_color};
use crate::compose::load::Options;
use crate::report::{Format, report};

/// Compose's own options: which files are a project, and how they are read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Compose options")]
pub(super) struct ComposeOptions {
    /// A Compose file of one project; several are merged in this order; `-` reads standard input
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's name
    #[arg(short, long, value_name = "NAME")]
    pub project_name: Option<String>,
    /// Services of this profile belong to the project too; may be repeated
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// Variables for the Compose files, instead of those in `.env`; may be repeated
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// The folder that relative paths are relative to [default: that of the first file]
    #[arg(long, value_name = "DIR")]
    pub project_directory: Option<PathBuf>,
}

impl ComposeOptions {
    /// Whether anything is said of a Compose project.
    pub fn any(&self) -> bool {
        let Self { files, project_name, profile, env_file, project_directory } = self;
        !(files.is_empty() && profile.is_empty() && env_file.is_empty()) || project_name.is_some() || project_directory.is_some()
    }

    /// The same for the loader, with the files of a project.
    pub fn options(&self, files: &[PathBuf], environment: &BTreeMap<String, String>, current: &Path) -> Options {
        Options {
            files: files.to_vec(),
            name: self.project_name.clone(),
            profiles: self.profile.clone(),
            env_files: self.env_file.clone(),
            directory: self.project_directory.clone(),
            environment: environment.clone(),
            current: current.to_owned(),
        }
    }
}

/// The variables of this process; those that are no text mean nothing to Compose.
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

#[derive(Debug, Subcommand)]
pub(super) enum Compose {
    /// Print a project as Compose resolves it: merged, interpolated, with defaults
    Config(Config),
}

#[derive(Debug, Args)]
pub(super) struct Config {
    /// The Compose file; `-` reads standard input [default: the one that Compose looks for]
    #[arg(value_name = "FILE", conflicts_with = "files")]
    file: Option<PathBuf>,
    #[command(flatten)]
    compose: ComposeOptions,
    /// The form of the project
    #[arg(long, value_enum, default_value_t = Form::Yaml)]
    format: Form,
    /// Print nothing: only tell whether Compose would refuse the project
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As in a Compose file
    Yaml,
    /// For programs
    Json,
}

pub(super) fn run(command: &Compose, color: Color) -> anyhow::Result<u8> {
    let Compose::Config(arguments) = command;
    let files = arguments.file.as_ref().map_or(arguments.compose.files.as_slice(), std::slice::from_ref);
    let mut world = lint::World::new()?;
    let files = world.take_stdin(files)?;
    let options = arguments.compose.options(&files, &environment(), &world.current);
    let (project, findings) = crate::compose::load::load(&options, &world.files)?;
    let refused: Vec<_> = findings.into_iter().filter(|finding| finding.refused).collect();
    if !refused.is_empty() {
        let located = crate::lint::project::told(refused, &project);
        let color = wants_color(color, std::io::stderr().is_terminal());
        let _ = std::io::stderr().lock().write_all(report(Format::Text, &project.sources, &located, color).as_bytes());
        return Ok(FOUND);
    }
    if arguments.quiet {
        return Ok(CLEAN);
    }
    print(&match arguments.format {
        Form::Yaml => crate::compose::config::yaml(&project),
        Form::Json => crate::compose::config::json(&project),
    })
}
