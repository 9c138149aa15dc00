//! `completed-never`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service waits for the end of another one that never ends.
    ///
    /// ### What happens
    /// With `restart: always` or `unless-stopped` the engine starts the other one again whenever it ends; a server does not end at
    /// all. `docker compose up` waits for ever, or sees the container restarting and fails.
    ///
    /// ### What to do
    /// A job that ends has `restart: "no"` (the default) or `on-failure`. For a server wait for `service_healthy`.
    "completed-never", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for dependency in service.depends_on.iter().filter(|one| one.condition == "service_completed_successfully") {
            let Some(other) = all.services.get(dependency.name) else { continue };
            let server = other.known().filter(|known| known.is_server && other.command.is_none() && other.entrypoint.is_none());
            let (why, place, help) = match (other.restarts(), server) {
                (Some((policy, origin)), _) => (
                    format!("has `restart: {policy}`: it is started again whenever it ends"),
                    origin,
                    format!("write `restart: \"no\"` or `restart: on-failure` for `{}`", other.name),
                ),
                (None, Some(known)) => (
                    format!("is a server (`{}`), which does not end", known.name),
                    other.image.map_or(other.key, |(_, origin)| origin),
                    "write `condition: service_healthy`".to_owned(),
                ),
                (None, None) => continue,
            };
            findings.push(
                RULE.finding(
                    Place::At(dependency.origin),
                    format!("`{}` waits for the end of `{}`, which {why}", service.name, other.name),
                    format!("`{}` never starts", service.name),
                    help,
                )
                .about(service.path(&format!("depends_on.{}.condition", other.name)))
                .with(Place::At(place), "it never ends"),
            );
        }
    }
}
