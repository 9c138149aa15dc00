//! `cbwgen lint`: many topologies and Compose projects, one report.

mod fixing;

use std::collections::{BTreeMap, HashMap};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::compose::{ComposeOptions, environment};
use super::firewall::FirewallOptions;
use super::targets::{self, STDIN, Target};
use super::{CLEAN, Color, FAILED, FOUND, WhatIfs, folder_of, load_source, print, wants_color};
use crate::compose::files::{Disk, Files, Kind};
use crate::facts;
use crate::firewall::live::Live;
use crate::lint::settings::{self, Config, Settings};
use crate::lint::total::Total;
use crate::lint::{self, Facts, project};
use crate::render;
use crate::report::{Format, report};
use crate::source::{ReadError, Source};
use fixing::Fixing;

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Lint {
    /// Topologies, Compose files, and folders that are searched for both; `-` reads standard input [default: `topology.toml`,
    /// or the Compose project here]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    what_ifs: WhatIfs,
    /// Judge what a topology loses when it is rendered for this target
    #[arg(long, value_enum, default_value_t = render::Target::Compose)]
    target: render::Target,
    #[command(flatten)]
    host: FirewallOptions,
    /// Give advice too that not everybody follows
    #[arg(long)]
    pedantic: bool,
    /// Ask for hardening too
    #[arg(long)]
    security: bool,
    /// Report what comments allow as well
    #[arg(long)]
    no_allow: bool,
    /// Settings [default: the nearest `cbwgen.toml`, from the linted file up to the root of the repository]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The form of the findings
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail on less than errors too
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// Correct what can be corrected without changing what a good deployment does, then report the rest
    #[arg(long)]
    fix: bool,
    /// Print what `--fix` would change as a diff, and write nothing; exit 1 when there is something
    #[arg(long, requires = "fix")]
    dry_run: bool,
    #[command(flatten)]
    compose: ComposeOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings
    Warnings,
    /// Warnings and notes
    Notes,
}

/// The files that there are: those of this machine, and standard input once it was read.
#[derive(Debug)]
pub(super) struct World {
    /// Where the user is, absolute.
    pub current: PathBuf,
    /// Every file.
    pub files: Overlay,
}

/// The files of this machine below texts that are in memory. Names are told relative to where the user is.
#[derive(Debug)]
pub(super) struct Overlay {
    /// Texts by absolute path.
    pub texts: BTreeMap<PathBuf, String>,
    disk: Disk,
}

impl Files for Overlay {
    fn read(&self, path: &Path) -> Result<Source, ReadError> {
        match self.texts.get(path) {
            Some(text) => Ok(Source::new(path.strip_prefix(&self.disk.current).unwrap_or(path).display().to_string(), text.as_str())),
            None => self.disk.read(path),
        }
    }

    fn kind(&self, path: &Path) -> Kind {
        if self.texts.contains_key(path) { Kind::File } else { self.disk.kind(path) }
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        self.disk.list(directory)
    }
}

impl World {
    pub fn new() -> anyhow::Result<Self> {
        let current = std::env::current_dir().context("cannot tell where this is: the current folder is gone")?;
        let files = Overlay { texts: BTreeMap::new(), disk: Disk { current: current.clone() } };
        Ok(Self { current, files })
    }

    /// Reads standard input where `-` is among the files, and gives it a name that can be read again.
    pub fn take_stdin(&mut self, files: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
        if files.iter().any(|file| file.as_os_str() == "-") {
            self.read_stdin()?;
        }
        let named = |file: &PathBuf| if file.as_os_str() == "-" { PathBuf::from(STDIN) } else { file.clone() };
        Ok(files.iter().map(named).collect())
    }

    /// Standard input, read once.
    fn read_stdin(&mut self) -> Result<&str, ReadError> {
        let path = self.current.join(STDIN);
        if !self.files.texts.contains_key(&path) {
            let text = Source::read(Path::new("-"))?.text;
            self.files.texts.insert(path.clone(), text);
        }
        Ok(self.files.texts.get(&path).map_or("", String::as_str))
    }
}

pub(super) fn run(arguments: &Lint, color: Color) -> anyhow::Result<u8> {
    let mut judge = Judge::new(arguments)?;
    let (targets, mut failed) = judge.targets()?;
    let (total, wrong) = if arguments.fix {
        let mut fixing = Fixing::new(arguments, &targets, &judge.world.current)?;
        let (total, wrong) = fixing.run(&mut judge, &targets);
        if arguments.dry_run {
            let diff = fixing.diff();
            print(&diff)?;
            wrong.iter().for_each(complain);
            let found = if diff.is_empty() { CLEAN } else { FOUND };
            return Ok(if failed || !wrong.is_empty() { FAILED } else { found });
        }
        failed |= !fixing.write();
        (total, wrong)
    } else {
        judge.lint_all(&targets)
    };
    wrong.iter().for_each(complain);
    failed |= !wrong.is_empty();
    // Where nothing could be read there is nothing to report; a document for programs is complete in any case.
    if !(failed && total.sources.is_empty() && targets.len() <= 1) {
        let color = wants_color(color, std::io::stdout().is_terminal());
        print(&report(arguments.format, &total.sources, &total.findings, color))?;
    }
    Ok(if failed { FAILED } else { judge.verdict(&total) })
}

/// What went wrong with one of many.
fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
}

/// Everything that is the same for all that is linted.
struct Judge<'a> {
    arguments: &'a Lint,
    world: World,
    environment: BTreeMap<String, String>,
    host: Live,
    /// By path, those that were told already.
    configs: HashMap<PathBuf, Config>,
}

impl<'a> Judge<'a> {
    fn new(arguments: &'a Lint) -> anyhow::Result<Self> {
        let inputs = arguments.paths.iter().chain(&arguments.compose.files).chain(&arguments.host.ufw);
        if inputs.filter(|path| path.as_os_str() == "-").count() > 1 {
            bail!("only one of the files and `--ufw` can be standard input");
        }
        let host = arguments.host.read()?;
        Ok(Self { arguments, world: World::new()?, environment: environment(), host, configs: HashMap::new() })
    }

    /// What is to be linted, and whether something of it cannot be.
    fn targets(&mut self) -> anyhow::Result<(Vec<Target>, bool)> {
        let Lint { paths, compose, what_ifs, .. } = self.arguments;
        let mut targets = Vec::new();
        let mut failed = false;
        if !compose.files.is_empty() {
            targets.push(Target::Project(self.world.take_stdin(&compose.files)?));
        } else if paths.is_empty() {
            targets.push(if compose.any() { Target::Project(Vec::new()) } else { targets::here(&self.world.current) });
        }
        for path in paths {
            let is_stdin = path.as_os_str() == "-";
            let found = if is_stdin { Some(self.world.read_stdin()?) } else { None };
            let mut wrong = Vec::new();
            match targets::of(path, found, &mut wrong) {
                Ok(found) => targets.extend(found),
                Err(error) => wrong.push(error),
            }
            wrong.iter().for_each(complain);
            failed |= !wrong.is_empty();
        }
        let mut seen = std::collections::HashSet::new();
        targets.retain(|target| seen.insert(target.clone()));
        let has_what_if = !what_ifs.scale.is_empty() || what_ifs.scenario.is_some();
        if has_what_if && let Some(Target::Project(files)) = targets.iter().find(|target| matches!(target, Target::Project(_))) {
            let name = files.first().map_or_else(|| "this folder".to_owned(), |file| format!("`{}`", file.display()));
            bail!("`--scale` and `--scenario` are for topologies, and {name} is a Compose project");
        }
        Ok((targets, failed))
    }

    /// Everything that is found, and what could not be read.
    fn lint_all(&mut self, targets: &[Target]) -> (Total, Vec<anyhow::Error>) {
        let mut total = Total::default();
        self.configs.clear();
        let wrong = targets.iter().filter_map(|target| self.lint(target, &mut total).err()).collect();
        total.finish();
        (total, wrong)
    }

    fn lint(&mut self, target: &Target, total: &mut Total) -> anyhow::Result<()> {
        match target {
            Target::Topology(path) => self.lint_topology(path, total),
            Target::Project(files) => self.lint_project(files, total),
        }
    }

    fn lint_topology(&mut self, path: &Path, total: &mut Total) -> anyhow::Result<()> {
        let known = if path.as_os_str() == "-" { self.world.current.join(STDIN) } else { self.world.current.join(path) };
        let source = match self.world.files.texts.get(&known) {
            Some(text) if path.as_os_str() == "-" => Source::new(STDIN, text.as_str()),
            Some(text) => Source::new(path.display().to_string(), text.as_str()),
            None => Source::read(path)?,
        };
        let settings = self.settings(&folder_of(path), total)?;
        let loaded = load_source(source, path, &self.arguments.what_ifs)?;
        let missing_files = facts::missing_files(&loaded.plan, &folder_of(path));
        let facts =
            Facts { firewall: self.host.ufw.clone(), listening: self.host.listening.clone(), missing_files, target: self.arguments.target };
        let findings = lint::lint_with(&loaded, &facts, &settings);
        total.add(vec![loaded.source], findings);
        Ok(())
    }

    fn lint_project(&mut self, files: &[PathBuf], total: &mut Total) -> anyhow::Result<()> {
        let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_owned();
        let settings = self.settings(&folder, total)?;
        let options = self.arguments.compose.options(files, &self.environment, &self.world.current);
        let linted = project::lint_on(&options, &self.world.files, (self.host.ufw.as_ref(), &self.host.listening), &settings)?;
        total.add(linted.sources, linted.findings);
        Ok(())
    }

    /// What the command line and `cbwgen.toml` say for a folder. What is wrong with a `cbwgen.toml` is told once.
    fn settings(&mut self, folder: &Path, total: &mut Total) -> anyhow::Result<Settings> {
        let Lint { pedantic, security, no_allow, config, .. } = self.arguments;
        let own = Settings { pedantic: *pedantic, security: *security, no_allow: *no_allow, ..Settings::default() };
        let folder = self.world.current.join(folder);
        let Some(path) = config.as_ref().map(|path| self.world.current.join(path)).or_else(|| settings::find(&folder)) else {
            return Ok(own);
        };
        if !self.configs.contains_key(&path) {
            let shown = path.strip_prefix(&self.world.current).unwrap_or(&path);
            let config = Config::read(&path, shown)?;
            if !config.findings.is_empty() {
                total.add(vec![config.source.clone()], config.findings.clone());
            }
            self.configs.insert(path.clone(), config);
        }
        Ok(self.configs.get(&path).map_or_else(|| own.clone(), |config| own.and(config)))
    }

    fn verdict(&self, total: &Total) -> u8 {
        let (errors, warnings, notes) = lint::summary(&total.findings);
        let denied = match self.arguments.deny {
            None => errors,
            Some(Deny::Warnings) => errors + warnings,
            Some(Deny::Notes) => errors + warnings + notes,
        };
        if denied > 0 { FOUND } else { CLEAN }
    }
}
