//! `cbwgen import`: from a Compose project to a topology, and a look at what comes back from it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::compose::{ComposeOptions, environment};
use super::{CLEAN, Color, FOUND, WhatIfs, beside, folder_of, judge, lint, load_source, print, wants_color};
use crate::compose::load::{Options, load, written};
use crate::compose::{Project, config, relative};
use crate::finding::Severity;
use crate::import::{Imported, differences, import};
use crate::render::Target;
use crate::render::paths::{Folder, with_dot};
use crate::report::{Format, report};
use crate::source::Source;
use crate::{render, rules, write};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The Compose file; `-` reads standard input [default: the one that Compose looks for]
    #[arg(value_name = "FILE", conflicts_with = "files")]
    file: Option<PathBuf>,
    #[command(flatten)]
    compose: ComposeOptions,
    /// The topology; `-` is standard output [default: `topology.toml` beside the Compose file]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the topology instead of writing it
    #[arg(long, conflicts_with = "out")]
    stdout: bool,
    /// Overwrite the topology if it is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Import, color: Color) -> anyhow::Result<u8> {
    let files = arguments.file.as_ref().map_or(arguments.compose.files.as_slice(), std::slice::from_ref);
    let mut world = lint::World::new()?;
    let files = world.take_stdin(files)?;
    let options = arguments.compose.options(&files, &environment(), &world.current);
    let (project, findings) = load(&options, &world.files)?;
    let refused: Vec<_> = findings.into_iter().filter(|finding| finding.refused).collect();
    if !refused.is_empty() {
        let located = crate::lint::project::told(refused, &project);
        let color = wants_color(color, std::io::stderr().is_terminal());
        say(&report(Format::Text, &project.sources, &located, color));
        say("error: nothing was imported: Compose would refuse this project\n");
        return Ok(FOUND);
    }
    let to_stdout = arguments.stdout || arguments.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
    let topology = match &arguments.out {
        Some(out) if !to_stdout => out.clone(),
        _ => shorter(project.directory.join("topology.toml"), &world.current),
    };
    if !to_stdout && !arguments.force && std::fs::symlink_metadata(&topology).is_ok() {
        bail!("`{}` is there already; `--force` overwrites it, `--out FILE` writes another one, `--stdout` prints it", topology.display());
    }
    let (document, sources) = written(&options, &world.files)?;
    let Value::Object(mut tree) = config::plain(&document) else { bail!("the project is empty") };
    retell(&mut tree, &project.directory, &folder_of(&topology))?;
    let first = document.get("services").map_or(0, |services| services.origin.file as usize);
    let from = sources.get(first).map_or("", |source| source.name.as_str());
    let Imported { text, notes } = import(&tree, &project.name, file_name(from));
    for note in &notes {
        let way: Vec<&str> = note.place.iter().map(String::as_str).collect();
        // The nearest place that is written down.
        let node = (0..=way.len()).rev().find_map(|end| document.at(&way[..end]));
        let at = node.map_or_else(String::new, |node| place(&sources, node.origin));
        say(&format!("{at}{}\n", note.text));
    }
    if project.written.iter().any(|document| document.get("version").is_some()) {
        say("`version` means nothing to Compose any more: left out\n");
    }
    let text = allowed(&text, &topology, file_name(from))?;
    tell_env_file(&tree, &project, &options, &topology);
    let differs = check(&text, &topology, &project, &options, &mut world, color)?;
    if to_stdout {
        print(&text)?;
    } else {
        write::one(&topology, &text, arguments.force).with_context(|| format!("cannot write `{}`", topology.display()))?;
        print(&format!("wrote {}\n", topology.display()))?;
    }
    Ok(if differs { FOUND } else { CLEAN })
}

/// What lint refuses of a topology stops the rendering, but the original has it too: it is allowed where it stands, and told.
fn allowed(text: &str, topology: &Path, from: &str) -> anyhow::Result<String> {
    let loaded = load_source(Source::new(topology.display().to_string(), text), topology, &WhatIfs::default())?;
    let is_old = |rule: &str| rules::by_name(rule).is_some_and(|rule| !rule.is_fixed());
    let mut lines: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for located in judge(&loaded, topology, Target::default()) {
        if located.finding.severity == Severity::Error && is_old(located.finding.rule) {
            say(&format!("allowed, since {from} has it too: {} [{}]\n", located.finding.message, located.finding.rule));
            lines.entry(located.start.line).or_default().insert(located.finding.rule);
        }
    }
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rules) = lines.get(&(index + 1)) {
            let rules = rules.iter().copied().collect::<Vec<_>>().join(", ");
            out.extend(["# cbwgen: allow(", &rules, ") as in ", from, "\n"]);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// Renders what was imported, in memory, and tells how it differs from the original. True when it does, or when it cannot be
/// rendered.
fn check(text: &str, topology: &Path, project: &Project, options: &Options, world: &mut lint::World, color: Color) -> anyhow::Result<bool> {
    let loaded = load_source(Source::new(topology.display().to_string(), text), topology, &WhatIfs::default())?;
    let findings = judge(&loaded, topology, Target::default());
    let errors: Vec<_> = findings.into_iter().filter(|located| located.finding.severity == Severity::Error).collect();
    if !errors.is_empty() {
        let color = wants_color(color, std::io::stderr().is_terminal());
        say(&report(Format::Text, std::slice::from_ref(&loaded.source), &errors, color));
        say("error: `cbwgen render` refuses the topology until the errors above are corrected\n");
    }
    if !loaded.plan.complete {
        return Ok(true);
    }
    let out = beside(topology, "generated");
    let rendered = render::render(&loaded.plan, Target::Compose, &render::Options::new(topology, &out, render::Templates::default())?)?;
    let file = std::path::absolute(out.join("docker-compose.yml"))?;
    let Some(compose) = rendered.into_iter().find(|file| file.path == "docker-compose.yml") else { return Ok(true) };
    world.files.texts.insert(file.clone(), compose.content);
    let dot_env = project.directory.join(".env");
    let same = Options {
        files: vec![file],
        name: None,
        directory: None,
        env_files: if options.env_files.is_empty() && dot_env.is_file() { vec![dot_env] } else { options.env_files.clone() },
        ..options.clone()
    };
    let (again, refused) = load(&same, &world.files)?;
    if let Some(refused) = refused.iter().find(|finding| finding.refused) {
        say(&format!("warning: Compose would refuse what is rendered: {}\n", refused.message));
        return Ok(true);
    }
    let found = differences(&config::document(project), &config::document(&again));
    for difference in &found {
        say(&format!("warning: rendering changes the project: {difference}\n"));
    }
    Ok(!found.is_empty() || !errors.is_empty())
}

/// Compose looks for `.env` beside the rendered file, which is elsewhere: what stands in it has to be brought along.
fn tell_env_file(document: &serde_json::Map<String, Value>, project: &Project, options: &Options, topology: &Path) {
    let dot_env = project.directory.join(".env");
    if !options.env_files.is_empty() || !dot_env.is_file() {
        return;
    }
    let mut names: BTreeSet<&str> = project.variables.iter().filter(|v| v.value.is_some()).map(|v| v.name.as_str()).collect();
    for (_, service) in document.get("services").and_then(Value::as_object).into_iter().flatten() {
        match service.get("environment") {
            Some(Value::Object(table)) => names.extend(table.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.as_str())),
            Some(Value::Array(items)) => names.extend(items.iter().filter_map(Value::as_str).filter(|item| !item.contains('='))),
            _ => {}
        }
    }
    let is_from_file = |name: &&str| {
        *name != "COMPOSE_PROJECT_NAME" && project.environment.contains_key(*name) && !options.environment.contains_key(*name)
    };
    let names: Vec<&str> = names.into_iter().filter(is_from_file).collect();
    if !names.is_empty() {
        let rendered = beside(topology, "generated").join("docker-compose.yml");
        let env_file = shorter(dot_env, &options.current);
        say(&format!(
            "note: `.env` gives {}: Compose finds it for the rendered file when it is named, `docker compose --env-file {} -f {} …`\n",
            rules::list(names.into_iter()),
            env_file.display(),
            rendered.display()
        ));
    }
}

/// Tells the paths of a project from the topology's folder.
fn retell(document: &mut serde_json::Map<String, Value>, from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (Folder::new(from)?, Folder::new(to)?);
    if from != to {
        relative::retell(document, &to.way_to(&from), &|path| with_dot(to.way_to(&from.join(path))));
    }
    Ok(())
}

/// `docker-compose.yml:12: `
fn place(sources: &[Source], origin: crate::source::Origin) -> String {
    sources
        .get(origin.file as usize)
        .map_or_else(String::new, |source| format!("{}:{}: ", source.name, source.line_column(origin.range().start).line))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path as seen from where the user is, where that is shorter.
fn shorter(path: PathBuf, current: &Path) -> PathBuf {
    path.strip_prefix(current).map(Path::to_owned).unwrap_or(path)
}

fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
