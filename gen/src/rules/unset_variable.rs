//! `unset-variable`

use std::collections::HashSet;

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::eaten_dollar::{eaten, is_piece};

rule! {
    /// A variable is not set, and nothing says what to do without it.
    ///
    /// ### What happens
    /// Compose warns and puts nothing in its place: an empty password, an image without a version, a port that is missing.
    ///
    /// ### What to do
    /// Set it in `.env`, give a default (`${TAG:-1.0}`), or let Compose stop and say why: `${TAG:?set TAG in .env}`.
    "unset-variable", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told: HashSet<&str> = HashSet::new();
    for service in context.services() {
        for (name, variable) in service.environment.iter().filter(|(name, variable)| variable.value.is_none() && !context.project.environment.contains_key(*name)) {
            findings.push(
                RULE.finding(
                    Place::At(variable.key),
                    format!("`{name}` is handed on to `{}`, but it is not set", service.name),
                    "the container does not get it".to_owned(),
                    format!("set `{name}` in `.env`, or give it a value here"),
                )
                .about(service.path(&format!("environment.{name}"))),
            );
        }
    }
    let unset = eaten(context.project).filter(|variable| !is_piece(context.surroundings, variable));
    for variable in unset.filter(|variable| told.insert(variable.name.as_str())) {
        let name = &variable.name;
        let place = context.surroundings.narrow(variable.origin, name);
        findings.push(
            RULE.finding(
                Place::At(place),
                format!("the variable `{name}` is not set, and has no default"),
                "Compose warns and puts nothing in its place".to_owned(),
                format!("set `{name}` in `.env`, or write `${{{name}:-default}}` or `${{{name}:?why}}`"),
            )
            .about(&variable.path),
        );
    }
}
