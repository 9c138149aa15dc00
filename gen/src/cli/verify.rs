//! `cbwgen verify`: the proof.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use super::{CLEAN, Color, FOUND, WhatIfs, folder_of, load_planned, print, wants_color};
use crate::live::{self, Deployment, Kind};
use crate::plan::Plan;
use crate::render;
use crate::render::Target;
use crate::verify::report::{Format, json, junit, text};
use crate::verify::{Bench, Outcome, Trial, checks};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every check passed or was skipped; 1 a check failed; 2 wrong usage, or nothing is deployed.")]
pub(super) struct Verify {
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    #[command(flatten)]
    what_ifs: WhatIfs,
    /// What happens to it under load; everything is undone
    #[arg(long, value_enum, value_delimiter = ',', default_value = "kill,pause,restart")]
    faults: Vec<Trial>,
    /// The form of the outcome
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Which deployment, when there are several [default: the one that is there]
    #[arg(long, value_enum)]
    engine: Option<Kind>,
}

pub(super) fn run(arguments: &Verify, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(&arguments.topology, &arguments.what_ifs, color)? else { return Ok(FOUND) };
    let deployment = live::find(&loaded.plan, &folder_of(&arguments.topology), arguments.engine)?;
    let progress = Progress { live: std::io::stderr().is_terminal(), told: Cell::new(None) };
    let bench = Bench {
        plan: &loaded.plan,
        deployment: &*deployment,
        stale: stale(&loaded.plan, &*deployment, arguments),
        trials: &arguments.faults,
        progress: &|text| progress.tell(text),
        interrupted: interrupted()?,
    };
    let colored = wants_color(color, std::io::stdout().is_terminal());
    let made = checks(&bench, |check| {
        progress.clear();
        if arguments.format == Format::Text {
            // Whoever does not read any more gets the exit code all the same.
            let _ = print(&text::line(check, colored));
        }
    });
    progress.clear();
    let made = made?;
    print(&match arguments.format {
        Format::Text => text::summary(&made),
        Format::Json => json::report(&loaded.plan.name, deployment.kind(), &made),
        Format::Junit => junit::report(&loaded.plan.name, &made),
    })?;
    Ok(if made.iter().any(|check| check.outcome == Outcome::Fail) { FOUND } else { CLEAN })
}

/// Why the file that the deployment was started from is not what the topology gives now.
fn stale(plan: &Plan, deployment: &dyn Deployment, arguments: &Verify) -> Option<String> {
    let file = deployment.file()?;
    // A what-if is not in the file, and is not meant to be.
    if !arguments.what_ifs.scale.is_empty() || arguments.what_ifs.scenario.is_some() {
        return None;
    }
    let out = file.parent()?;
    let options = render::Options::new(&arguments.topology, out, render::Templates::default()).ok()?;
    let files = render::render_over(plan, Target::Compose, &options, |_| true).ok()?;
    let wanted = files.first()?.content.as_bytes();
    match std::fs::read(&file) {
        Ok(text) if text == wanted => None,
        Ok(_) => Some(format!("`{}` is not what the topology gives: `cbwgen render --check` shows the difference", file.display())),
        Err(error) => Some(format!("`{}`, from which it was started, cannot be read: {error}", file.display())),
    }
}

/// Set by SIGINT and SIGTERM; the second one ends the program at once.
pub(super) fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag)).context("cannot listen for signals")?;
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot listen for signals")?;
    }
    Ok(flag)
}

/// How far it is: one line that changes on a terminal, now and then a line elsewhere.
struct Progress {
    live: bool,
    told: Cell<Option<Instant>>,
}

/// Elsewhere than on a terminal a line comes after so long at the earliest.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

impl Progress {
    fn tell(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        if self.live {
            let _ = write!(stderr, "\r\x1b[K… {text}").and_then(|()| stderr.flush());
        } else if self.told.get().is_none_or(|told| told.elapsed() >= NOW_AND_THEN) {
            self.told.set(Some(Instant::now()));
            let _ = writeln!(stderr, "… {text}");
        }
    }

    fn clear(&self) {
        if self.live {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K").and_then(|()| stderr.flush());
        }
    }
}
