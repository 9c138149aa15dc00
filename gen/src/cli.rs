//! The command line: arguments in, one text out, an exit code.
//!
//! Commands with many options have a file of their own.
//!
//! 0: clean, or done. 1: findings, or files that are stale or were edited. 2: wrong usage, or something that cannot be read.

mod compose;
mod fault;
mod firewall;
mod graph;
mod import;
mod init;
mod lint;
mod run;
mod status;
mod targets;
mod update;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::facts;
use crate::finding::did_you_mean;
use crate::lint::{Facts, Loaded, Located};
use crate::plan::show;
use crate::report::{Format, report};
use crate::source::Source;
use crate::spec::Replicas;
use crate::topology::WhatIf;
use crate::{docs, prepare, render, rules, schema, write};

/// Turns a short topology.toml into a deployment that was checked before it was written.
#[derive(Debug, Parser)]
#[command(
    name = "cbwgen",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 clean or done; 1 findings, or files that are stale or were edited; 2 wrong usage, or something that cannot be read."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented topology to begin with
    Init(init::Init),
    /// Check a topology and write what deploys it: docker-compose.yml or another target's files, and Dockerfiles
    Render(Render),
    /// Check topologies and Compose projects for what fails in production
    Lint(lint::Lint),
    /// What `docker compose` does with a project
    #[command(subcommand)]
    Compose(compose::Compose),
    /// Make a topology of an existing Compose project
    Import(import::Import),
    /// Show the plan: who listens, who connects to what, in which order
    Plan(Plan),
    /// Run a topology as local processes, without Docker
    Run(run::Run),
    /// Show the instances of the live deployment: addresses, health, and what its brokers do
    Status(status::Status),
    /// Prove with real load that the live deployment does the right thing, with faults too
    Verify(verify::Verify),
    /// Let one fault happen to an instance, and undo it
    Fault(fault::Arguments),
    /// Replace the instances of a component by new builds, so that service goes on
    Update(update::Update),
    /// Draw the plan: components, endpoints, bindings, networks, ports, volumes, and what lint warns of
    Graph(graph::Graph),
    /// Show to whom each published port is open in truth, and the commands that change it
    Firewall(firewall::Firewall),
    /// Print the JSON Schema of topology files, for editors
    Schema,
    /// List the rules of `cbwgen lint`
    Rules,
    /// Explain a rule
    Explain {
        /// The rule's name, as in `two-brokers`
        rule: String,
    },
    /// Serve an editor: findings while one types, explanations, quick fixes, names (language server over standard input)
    Lsp,
    #[command(hide = true)]
    Leash(run::Leash),
    /// Make the host's folders that the deployment writes to, for the user that it runs as
    Prepare {
        /// The topology
        #[arg(default_value = "topology.toml")]
        topology: PathBuf,
    },
}

/// What-ifs: other numbers of instances than the file says.
#[derive(Debug, Default, Args)]
struct WhatIfs {
    /// Judge as if a component had another number of instances; may be repeated
    #[arg(long, value_name = "NAME=N", value_parser = parse_scale)]
    scale: Vec<(String, Replicas)>,
    /// Judge as if a `[scenario.NAME]` of the file were deployed
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
}

#[derive(Debug, Args)]
struct Render {
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    /// What to write for
    #[arg(long, value_enum, default_value_t = render::Target::Compose)]
    target: render::Target,
    /// Where to write [default: `generated` beside the topology, and in it a folder for each target but Compose]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing; exit 1 and show the difference when the files are stale
    #[arg(long, conflicts_with_all = ["stdout", "force"])]
    check: bool,
    /// Print the files instead of writing them
    #[arg(long, conflicts_with = "force")]
    stdout: bool,
    /// Overwrite generated files that were edited by hand
    #[arg(long)]
    force: bool,
    /// Use the templates of this folder instead of the built-in ones, file by file
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Plan {
    /// The topology; `-` reads standard input
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    #[command(flatten)]
    what_ifs: WhatIfs,
    /// The form of the plan
    #[arg(long, value_enum, default_value_t = show::Format::Text, conflicts_with = "list")]
    format: show::Format,
    /// Print only names, one a line
    #[arg(long, value_enum)]
    list: Option<show::List>,
    /// Show what deploying it would change of what runs now
    #[arg(long, conflicts_with_all = ["list", "format"])]
    live: bool,
    /// With `--live`: where the generated files are [default: `generated` beside the topology]
    #[arg(long, value_name = "DIR", requires = "live")]
    out: Option<PathBuf>,
}

/// The command line as a page: each command with its help, as `--help` prints it.
#[must_use]
pub fn page() -> String {
    let mut page = "# The command line\n\nMade of the program's own help.\n".to_owned();
    let mut add = |title: &str, command: &mut clap::Command| {
        let help = command.render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        for part in ["\n## ", title, "\n\n```text\n", help.join("\n").trim_end(), "\n```\n"] {
            page.push_str(part);
        }
    };
    let mut root = Cli::command().term_width(100);
    root.build();
    add("cbwgen", &mut root.clone());
    for command in root.get_subcommands_mut().filter(|command| command.get_name() != "help" && !command.is_hide_set()) {
        let name = format!("cbwgen {}", command.get_name());
        add(&name, command);
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            add(&format!("{name} {}", command.get_name()), command);
        }
    }
    page
}

/// Everything was said and done.
const CLEAN: u8 = 0;
/// Something was found.
const FOUND: u8 = 1;
/// Wrong usage, or something that cannot be read.
const FAILED: u8 = 2;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { CLEAN });
        }
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Init(arguments) => init::run(arguments),
        Command::Lint(arguments) => lint::run(arguments, cli.color),
        Command::Compose(command) => compose::run(command, cli.color),
        Command::Import(arguments) => import::run(arguments, cli.color),
        Command::Firewall(arguments) => firewall::run(arguments, cli.color),
        Command::Plan(arguments) => run_plan(arguments, cli.color),
        Command::Graph(arguments) => graph::run(arguments),
        Command::Render(arguments) => run_render(arguments, cli.color),
        Command::Lsp => {
            let orderly = crate::lsp::serve(std::io::stdin().lock(), std::io::stdout().lock())?;
            Ok(if orderly { CLEAN } else { FOUND })
        }
        Command::Status(arguments) => status::run(arguments, cli.color),
        Command::Verify(arguments) => verify::run(arguments, cli.color),
        Command::Fault(arguments) => fault::run(arguments, cli.color),
        Command::Update(arguments) => update::run(arguments, cli.color),
        Command::Run(arguments) => run::run(arguments, cli.color),
        Command::Leash(arguments) => run::leash(arguments),
        Command::Schema => print(&schema::schema()),
        Command::Rules => print(&docs::rules_table()),
        Command::Explain { rule } => explain(rule),
        Command::Prepare { topology } => run_prepare(topology, cli.color),
    }
}

fn explain(name: &str) -> anyhow::Result<u8> {
    if let Some(rule) = rules::by_name(name) {
        return print(&docs::explain(rule));
    }
    let hint = did_you_mean(name, rules::ALL.iter().map(|rule| rule.name))
        .map_or_else(|| "`cbwgen rules` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
    bail!("there is no rule `{name}`; {hint}")
}

/// Prints to standard output. A reader that has gone away has read enough.
fn print(text: &str) -> anyhow::Result<u8> {
    match std::io::stdout().lock().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("cannot write the output"),
        _ => Ok(CLEAN),
    }
}

fn wants_color(color: Color, is_terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

fn parse_scale(text: &str) -> Result<(String, Replicas), String> {
    let (name, number) = text.split_once('=').ok_or("write NAME=N, as in `wor=4`")?;
    let number = number.parse::<i64>().map_err(|_| format!("`{number}` is not a number of instances"))?;
    Ok((name.to_owned(), Replicas::new(number)?))
}

/// The folder of a topology; the current one for standard input.
fn folder_of(topology: &Path) -> PathBuf {
    match topology.parent() {
        Some(parent) if topology.as_os_str() != "-" && !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Reads a topology and applies what-ifs to it.
fn load(topology: &Path, what_ifs: &WhatIfs) -> anyhow::Result<Loaded> {
    load_source(Source::read(topology)?, topology, what_ifs)
}

/// Makes a topology of a text and applies what-ifs to it.
fn load_source(source: Source, topology: &Path, what_ifs: &WhatIfs) -> anyhow::Result<Loaded> {
    let folder = std::path::absolute(folder_of(topology)).ok();
    let folder = folder.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let loaded = crate::lint::load(source, folder, &WhatIf::default());
    if what_ifs.scale.is_empty() && what_ifs.scenario.is_none() {
        return Ok(loaded);
    }
    let mut what_if = WhatIf::default();
    if let Some(scenario) = &what_ifs.scenario {
        let Some(scale) = loaded.scenarios.get(scenario) else {
            let hint = did_you_mean(scenario, loaded.scenarios.keys().map(String::as_str));
            let hint = hint.map_or_else(
                || format!("the file has {}", rules::list(loaded.scenarios.keys().map(String::as_str))),
                |near| format!("did you mean `{near}`?"),
            );
            bail!("--scenario: there is no `[scenario.{scenario}]`; {hint}");
        };
        let words = format!("--scenario {scenario}");
        what_if.scale.extend(scale.iter().map(|(name, replicas)| (name.clone(), *replicas, words.clone())));
    }
    for (name, replicas) in &what_ifs.scale {
        let known = || loaded.plan.components.keys().map(String::as_str);
        if loaded.plan.component(name).is_none() && !loaded.plan.components.is_empty() {
            let hint = did_you_mean(name, known())
                .map_or_else(|| format!("there is {}", rules::list(known())), |near| format!("did you mean `{near}`?"));
            bail!("--scale: there is no component `{name}`; {hint}");
        }
        what_if.scale.push((name.clone(), *replicas, format!("--scale {name}={}", replicas.0)));
    }
    Ok(crate::lint::load(loaded.source, folder, &what_if))
}

/// Runs the rules with what the disk says.
fn judge(loaded: &Loaded, topology: &Path, target: render::Target) -> Vec<Located> {
    let missing_files = facts::missing_files(&loaded.plan, &folder_of(topology));
    crate::lint::lint(loaded, &Facts { missing_files, target, ..Facts::default() })
}

/// Says on standard error what there is to say; true when it stops whoever asked.
fn complain(loaded: &Loaded, findings: &[Located], color: Color) -> bool {
    let color = wants_color(color, std::io::stderr().is_terminal());
    let _ = std::io::stderr().lock().write_all(report(Format::Text, std::slice::from_ref(&loaded.source), findings, color).as_bytes());
    crate::lint::summary(findings).0 > 0
}

/// Loads a topology whose plan is complete; otherwise says why it has none, and gives nothing.
fn load_planned(topology: &Path, what_ifs: &WhatIfs, color: Color) -> anyhow::Result<Option<Loaded>> {
    let loaded = load(topology, what_ifs)?;
    if loaded.plan.complete {
        return Ok(Some(loaded));
    }
    // What cannot be resolved has no plan; what is only unwise has one.
    complain(&loaded, &judge(&loaded, topology, render::Target::default()), color);
    Ok(None)
}

fn run_plan(arguments: &Plan, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(&arguments.topology, &arguments.what_ifs, color)? else { return Ok(FOUND) };
    if arguments.live {
        return update::changes(&loaded.plan, &arguments.topology, arguments.out.as_deref());
    }
    print(&match (arguments.list, arguments.format) {
        (Some(list), _) => show::list(&loaded.plan, list),
        (None, show::Format::Text) => show::text(&loaded.plan),
        (None, show::Format::Json) => show::json(&loaded.plan),
    })
}

fn run_render(arguments: &Render, color: Color) -> anyhow::Result<u8> {
    let loaded = load(&arguments.topology, &WhatIfs::default())?;
    let findings = judge(&loaded, &arguments.topology, arguments.target);
    if complain(&loaded, &findings, color) {
        let _ = writeln!(std::io::stderr(), "error: nothing was written: correct the errors above first");
        return Ok(FOUND);
    }
    let out = arguments.out.clone().unwrap_or_else(|| beside(&arguments.topology, &default_folder(arguments.target)));
    let templates = arguments.templates.as_deref().map(render::Templates::read).transpose()?.unwrap_or_default();
    let options = render::Options::new(&arguments.topology, &out, templates)?;
    let is_there = |file: &render::File| std::fs::read(out.join(&file.path)).is_ok_and(|text| text == file.content.as_bytes());
    let files = render::render_over(&loaded.plan, arguments.target, &options, is_there)?;
    if arguments.stdout {
        let separate = |file: &render::File| format!("# ==> {} <==\n{}", file.path, file.content);
        return print(&files.iter().map(separate).collect::<Vec<_>>().join("\n"));
    }
    if arguments.check {
        let diff = write::diff(&out, &files)?;
        print(&diff)?;
        if !diff.is_empty() {
            let of = if arguments.target == render::Target::Compose { String::new() } else { format!(" --target {}", arguments.target) };
            let _ = writeln!(std::io::stderr(), "error: `{}` is stale: run `cbwgen render{of}`", out.display());
        }
        return Ok(if diff.is_empty() { CLEAN } else { FOUND });
    }
    let outcome = write::apply(&out, &files, arguments.force)?;
    for kept in &outcome.kept {
        let force = if kept.why == write::Why::Foreign { "" } else { "; `--force` gives the edit up" };
        let _ = writeln!(std::io::stderr(), "error: in `{}`: {kept}{force}", out.display());
    }
    let mut text = if findings.is_empty() { format!("checked {}: no findings\n", loaded.source.name) } else { String::new() };
    let said = text.len();
    for (verb, files) in [("wrote", &outcome.written), ("removed", &outcome.removed)] {
        text.extend(files.iter().map(|file| format!("{verb} {}\n", out.join(file).display())));
    }
    if text.len() == said && outcome.is_clean() {
        text = text + &out.display().to_string() + " is up to date\n";
    }
    print(&text)?;
    Ok(if outcome.is_clean() { CLEAN } else { FOUND })
}

/// Where the files of a target go: those of the others do not get in the way.
fn default_folder(target: render::Target) -> String {
    if target == render::Target::Compose { "generated".to_owned() } else { format!("generated/{target}") }
}

/// A folder beside a topology, as short as it can be written.
fn beside(topology: &Path, folder: &str) -> PathBuf {
    let parent = folder_of(topology);
    if parent.as_os_str() == "." { PathBuf::from(folder) } else { parent.join(folder) }
}

fn run_prepare(topology: &Path, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(topology, &WhatIfs::default(), color)? else { return Ok(FOUND) };
    for prepared in prepare::prepare(&loaded.plan, &folder_of(topology))? {
        if prepared.made {
            print(&format!("made the folder {}\n", prepared.folder.display()))?;
        }
    }
    Ok(CLEAN)
}
