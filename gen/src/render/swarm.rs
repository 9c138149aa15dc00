//! For a Swarm: a stack file for `docker stack deploy`, and a Dockerfile for every component that is built here.
//!
//! A stack file is not a Compose file with extras. It is read by the Docker CLI's own older reader, which rejects much of what
//! Compose takes (`depends_on` with conditions, ports as text) and silently passes over the rest (`build`, `security_opt`).
//! What of a plan gets lost by that is told by [`losses`]. Sources: the CLI's `cli/compose` (loader, converter) and Docker's
//! "Deploy services to a swarm".

mod losses;
mod readback;
pub mod view;

use super::templates::Engine;
use super::{Error, File, Options, dockerfile, images};
use crate::plan::Plan;
pub use losses::losses;

const TEMPLATE: &str = "stack.yml.j2";

/// The stack file, then what the builds need.
pub(super) fn files(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
    let content = engine.render(TEMPLATE, "stack", &view::stack(plan, options))?;
    let mut files = vec![File { path: "stack.yml".to_owned(), content }];
    files.extend(images::build_script(plan, options, engine)?);
    files.extend(dockerfile::dockerfiles(plan, options, engine)?);
    Ok(files)
}

/// Compares a rendered stack file with the plan.
pub(super) fn check(text: &str, plan: &Plan, options: &Options) -> Result<(), Error> {
    readback::check(text, &view::stack(plan, options))
        .map_err(|differences| Error::Readback { template: options.templates.shown(TEMPLATE), differences })
}
