//! `cbwgen run`: the topology as local processes.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{CLEAN, Color, FOUND, WhatIfs, complain, folder_of, judge, load, wants_color};
use crate::render::Target;
use crate::run::output::Printer;
use crate::run::process::{self, Folders, Ports, Process};
use crate::run::state::{self, Life, State};
use crate::run::supervise;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    #[command(flatten)]
    what_ifs: WhatIfs,
    /// Which ports the processes listen on
    #[arg(long, value_enum, default_value = "planned")]
    ports: Ports,
    /// End when the clients have ended; exit 1 when one ended badly
    #[arg(long)]
    until_done: bool,
    /// When the clients have ended, run `cbwgen verify`, and end; exit 1 when a check fails
    #[arg(long, conflicts_with = "until_done")]
    verify: bool,
    /// Leave out what the processes print
    #[arg(long, short)]
    quiet: bool,
    /// Folder of the programs `broker`, `worker`, `client` and `logger` [default: that of cbwgen, or `PATH`]
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
}

/// Puts a program on the leash of the supervisor that starts it; not for people.
#[derive(Debug, Args)]
pub(super) struct Leash {
    parent: u32,
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(super) fn leash(arguments: &Leash) -> anyhow::Result<u8> {
    Err(crate::run::leash(arguments.parent, &arguments.program, &arguments.arguments))
        .with_context(|| format!("cannot run `{}`", arguments.program.display()))
}

pub(super) fn run(arguments: &Run, color: Color) -> anyhow::Result<u8> {
    let loaded = load(&arguments.topology, &arguments.what_ifs)?;
    if complain(&loaded, &judge(&loaded, &arguments.topology, Target::default()), color) {
        let _ = writeln!(std::io::stderr(), "error: nothing was started: correct the errors above first");
        return Ok(FOUND);
    }
    let plan = &loaded.plan;
    let obstacles = process::obstacles(plan);
    if !obstacles.is_empty() {
        bail!("cannot run as local processes, which only our own programs can: {}; `make deploy` runs images", obstacles.join(", "));
    }
    let topology = std::path::absolute(folder_of(&arguments.topology)).context("cannot tell where the topology is")?;
    let own = state::folder(&topology, &plan.name);
    let mut taken = Vec::new();
    let free = || free_port(&mut taken);
    let folders = Folders { topology: &topology, own: &own };
    let processes =
        process::processes(plan, arguments.ports, folders, free, |name| std::env::var(name).ok()).context("cannot find a free port")?;
    drop(taken);
    let bin = programs(arguments.bin.as_deref(), &processes)?;
    let color = wants_color(color, std::io::stdout().is_terminal());
    let mut printer = Printer::new(processes.iter().map(|process| process.name.clone()).collect(), color, arguments.quiet);
    claim(&own, &printer)?;
    for process in &processes {
        for (endpoint, address) in &process.endpoints {
            if let Err(error) = TcpListener::bind(address) {
                bail!("`{}` cannot listen on `{address}` for `{endpoint}`: {error}; `--ports auto` takes free ports", process.name);
            }
        }
    }
    let state = State::new(plan, &bin, supervise::entries(&processes));
    let program = std::env::current_exe().context("cannot tell where cbwgen is")?;
    let then = arguments.verify.then(|| {
        let mut verify = Command::new(&program);
        verify.arg("verify").arg(&arguments.topology);
        for (name, replicas) in &arguments.what_ifs.scale {
            verify.args(["--scale", &format!("{name}={}", replicas.0)]);
        }
        if let Some(scenario) = &arguments.what_ifs.scenario {
            verify.args(["--scenario", scenario]);
        }
        verify
    });
    let options = supervise::Options { bin: &bin, leash: program, folder: &own, until_done: arguments.until_done, then };
    let ended = supervise::run(processes, state, &mut printer, options)?;
    Ok(if ended.well { CLEAN } else { FOUND })
}

/// Makes the deployment's folder ours: nobody else may run the same, and what an earlier run left behind ends.
fn claim(own: &Path, printer: &Printer) -> anyhow::Result<()> {
    if let Some(earlier) = State::read(own) {
        if earlier.supervisor.life() != Life::Gone {
            bail!(
                "`{}` runs already (process {}); stop it first, or give this topology another `name`",
                earlier.project,
                earlier.supervisor.id
            );
        }
        let ended = supervise::sweep(&earlier);
        if !ended.is_empty() {
            printer.say(&format!("ended what an earlier run left behind: {}", ended.join(", ")));
        }
        State::remove(own);
    }
    std::fs::create_dir_all(own).with_context(|| format!("cannot make the folder `{}`", own.display()))
}

/// A port that nobody listens on, and that was not given before.
fn free_port(taken: &mut Vec<TcpListener>) -> std::io::Result<u16> {
    // Kept open until all ports are known, so that each is given once.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    taken.push(listener);
    Ok(port)
}

/// The folder that has all the programs.
fn programs(bin: Option<&Path>, processes: &[Process]) -> anyhow::Result<PathBuf> {
    let has_all = |folder: &Path| processes.iter().all(|process| folder.join(&process.program).is_file());
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = match bin {
        Some(bin) => vec![bin.to_owned()],
        None => beside.into_iter().chain(std::env::split_paths(&path)).collect(),
    };
    folders.retain(|folder| has_all(folder));
    match (folders.into_iter().next(), bin) {
        (Some(folder), _) => std::path::absolute(&folder).context("cannot tell where the programs are"),
        (None, Some(bin)) => bail!("`{}` does not hold the programs {}", bin.display(), needed(processes)),
        (None, None) => bail!(
            "cannot find the programs {}: `cargo build -p cbw-services` makes them, `--bin DIR` says where they are",
            needed(processes)
        ),
    }
}

fn needed(processes: &[Process]) -> String {
    let mut programs: Vec<&str> = processes.iter().map(|process| process.program.as_str()).collect();
    programs.sort_unstable();
    programs.dedup();
    crate::rules::list(programs)
}
