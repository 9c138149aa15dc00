//! `hidden-app`

use crate::compose::Context;
use crate::compose::view::inside;
use crate::finding::{Finding, Place};

rule! {
    /// A folder of the host hides what the image was built with.
    ///
    /// ### What happens
    /// A mount covers what the image has at the same place: `node_modules` that `npm install` made in the build, or compiled files, are
    /// not there. It works on the machine that happens to have them.
    ///
    /// ### What to do
    /// For development add a volume that uncovers them (`/app/node_modules`), or use `develop.watch`. For a deployment do not mount the
    /// program: it is in the image.
    "hidden-app", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(built) = service.build.as_ref().and_then(|build| context.surroundings.dockerfiles.get(build.dockerfile?)) else { continue };
        let installs = service.made_by.iter().any(|run| ["npm ci", "npm install", "npm i ", "yarn", "pnpm install", "composer install", "bundle install"].iter().any(|word| run.contains(word)));
        for mount in service.mounts.iter().filter(|mount| mount.kind == "bind" && installs) {
            let Some(source) = mount.source.map(std::path::Path::new) else { continue };
            let is_context = source == built.context || built.context.starts_with(source);
            let uncovered = service.mounts.iter().any(|other| other.target != mount.target && inside(other.target, mount.target).is_some());
            if !is_context || uncovered {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(mount.origin),
                    format!("`{}` mounts its source over `{}`, where its image has what was installed", service.name, mount.target),
                    "what the build installed there is hidden".to_owned(),
                    format!("add a volume that uncovers it, for example `{}/node_modules`, or use `develop.watch`", mount.target.trim_end_matches('/')),
                )
                .about(service.path(&format!("volumes.{}", mount.index))),
            );
        }
    }
}
