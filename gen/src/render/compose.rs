//! For `docker compose`: one Compose file, and a Dockerfile for every component that is built here.

use super::templates::Engine;
use super::{Error, File, Loss, Options, dockerfile, passthrough, readback, view};
use crate::plan::Plan;

const TEMPLATE: &str = "docker-compose.yml.j2";

/// The Compose file, then what the builds need.
pub(super) fn files(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
    let content = engine.render(TEMPLATE, "project", &project(plan, options))?;
    let mut files = vec![File { path: "docker-compose.yml".to_owned(), content }];
    files.extend(dockerfile::dockerfiles(plan, options, engine)?);
    Ok(files)
}

/// What the template writes: the plan, and what passes through.
fn project(plan: &Plan, options: &Options) -> view::Project {
    let mut project = view::project(plan, options);
    passthrough::apply(plan, &mut project, options);
    project
}

/// Compares a rendered Compose file with the plan.
pub(super) fn check(text: &str, plan: &Plan, options: &Options) -> Result<(), Error> {
    readback::check(text, &project(plan, options))
        .map_err(|differences| Error::Readback { template: options.templates.shown(TEMPLATE), differences })
}

/// Nothing: whatever a topology says, Compose can do on its one machine.
pub fn losses(_: &Plan) -> Vec<Loss> {
    Vec::new()
}
