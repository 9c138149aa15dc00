//! `healthy-without-healthcheck`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A service waits until another one is healthy, but nothing checks its health.
    ///
    /// ### What happens
    /// `docker compose up` fails: "container … has no healthcheck configured". Whoever waits never starts.
    ///
    /// ### What to do
    /// Add a `healthcheck`, or wait only until it has started: `condition: service_started`. If the image brings a check of its own
    /// (`HEALTHCHECK` in its Dockerfile), say so by `# cbwgen: allow(healthy-without-healthcheck) the image has one`.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   db:
    ///     image: postgres:16.4
    ///     healthcheck:
    ///       test: [CMD-SHELL, "pg_isready -U postgres"]
    ///       interval: 5s
    ///   web:
    ///     depends_on:
    ///       db: { condition: service_healthy }
    /// ```
    "healthy-without-healthcheck", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for dependency in service.depends_on.iter().filter(|one| one.condition == "service_healthy") {
            let Some(other) = all.services.get(dependency.name) else { continue };
            let (what, place) = match &other.health {
                Some(health) if health.is_disabled => ("its health check is switched off", health.origin),
                // Only its timing is changed: the check itself is that of the image.
                Some(health) if !health.test.is_empty() => continue,
                _ => ("nothing checks its health", other.key),
            };
            let is_off = other.health.as_ref().is_some_and(|health| health.is_disabled);
            // What lies in an image that is not read here is not known.
            let base = match (&other.build, &other.base) {
                (Some(_), Some(base)) => Some(crate::compose::images::Reference::new(base)),
                (Some(_), None) => continue,
                (None, _) => other.reference(),
            };
            if !is_off && base.as_ref().is_none_or(crate::compose::images::Reference::may_have_healthcheck) {
                continue;
            }
            let is_known = is_off || base.as_ref().is_some_and(crate::compose::images::Reference::is_official);
            let unless = if is_known { "" } else { ", unless its image brings a check" };
            findings.push(
                RULE.finding(
                    Place::At(dependency.origin),
                    format!("`{}` waits until `{}` is healthy, but {what}", service.name, other.name),
                    format!("`docker compose up` fails{unless}: \"container has no healthcheck configured\""),
                    format!("add a `healthcheck` to `{}`, or write `condition: service_started`", other.name),
                )
                .about(service.path(&format!("depends_on.{}.condition", other.name)))
                .with(Place::At(place), what),
            );
        }
    }
}
