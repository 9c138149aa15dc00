//! `secret-in-environment`

use std::collections::HashSet;

use crate::compose::Context;
use crate::compose::view::From;
use crate::finding::{Finding, Place};
use crate::secret::{is_literal, is_secret_name};

rule! {
    /// A password or a key stands in a Compose file.
    ///
    /// ### What happens
    /// It ends in the version history, and `docker inspect` shows it to everybody who may ask the engine. The reports of cbwgen never show
    /// its value.
    ///
    /// ### What to do
    /// Use a secret, which the program finds in `/run/secrets/`, or let whoever deploys give it: `${DB_PASSWORD:?}`.
    "secret-in-environment", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let variable_places: HashSet<crate::source::Origin> = context.project.variables.iter().map(|variable| variable.origin).collect();
    let weak: HashSet<String> = HashSet::new();
    let _ = &weak;
    for service in context.services() {
        for (name, variable) in service.environment.iter().filter(|(_, variable)| variable.from == From::Compose) {
            let is_secret = is_secret_name(name) && variable.value.as_deref().is_some_and(is_literal);
            // What is put in from outside stands somewhere else.
            if !is_secret || variable_places.contains(&variable.origin) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(variable.key),
                    format!("the value of `{name}` of `{}` is a secret in plain text", service.name),
                    "it ends in the version history, and `docker inspect` shows it".to_owned(),
                    format!("use a secret, or let whoever deploys give it: `${{{name}:?}}`"),
                )
                .about(service.path(&format!("environment.{name}"))),
            );
        }
    }
}
