//! `cbwgen update`, and what `cbwgen plan --live` shows: changes of what runs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::{CLEAN, Color, FOUND, WhatIfs, beside, folder_of, load_planned, print};
use crate::finding::did_you_mean;
use crate::live::{self, Kind};
use crate::plan::Plan;
use crate::render;
use crate::render::Target;

#[derive(Debug, Args)]
pub(super) struct Update {
    /// The component
    component: String,
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    /// Which deployment, when there are several [default: the one that is there]
    #[arg(long, value_enum)]
    engine: Option<Kind>,
}

pub(super) fn run(arguments: &Update, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(&arguments.topology, &WhatIfs::default(), color)? else { return Ok(FOUND) };
    let plan = &loaded.plan;
    let Some(component) = plan.component(&arguments.component).filter(|component| component.is_deployed()) else {
        let names = || plan.deployed().map(|component| component.name.as_str());
        let hint = did_you_mean(&arguments.component, names())
            .map_or_else(|| format!("there is {}", crate::rules::list(names())), |near| format!("did you mean `{near}`?"));
        bail!("there is no component `{}`; {hint}", arguments.component);
    };
    let deployment = live::find(plan, &folder_of(&arguments.topology), arguments.engine)?;
    deployment.update(component, &mut |step| {
        // Whoever does not read any more gets the exit code all the same.
        let _ = print(&format!("{step}\n"));
    })?;
    print(&format!("{}: updated\n", component.name))
}

/// What deploying the plan would change.
pub(super) fn changes(plan: &Plan, topology: &Path, out: Option<&Path>) -> anyhow::Result<u8> {
    let out = out.map_or_else(|| beside(topology, "generated"), Path::to_owned);
    let options = render::Options::new(topology, &out, render::Templates::default())?;
    let files = render::render_over(plan, Target::Compose, &options, |_| true)?;
    let rendered = files.first().map_or("", |file| file.content.as_str());
    let deployment = match live::find(plan, &folder_of(topology), None) {
        Ok(deployment) => deployment,
        Err(error) => return print(&format!("everything would be started: {error}\n")),
    };
    let lines = deployment.changes(plan, rendered, &std::path::absolute(&out)?)?;
    if lines.is_empty() {
        print("nothing would change\n")?;
    } else {
        print(&(lines.join("\n") + "\n"))?;
    }
    Ok(CLEAN)
}
