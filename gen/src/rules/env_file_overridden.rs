//! `env-file-overridden`

use crate::compose::Context;
use crate::compose::view::From;
use crate::finding::{Finding, Place};
use crate::secret::shown;
use crate::source::decode::shorten;

rule! {
    /// A variable has one value in an env file and another in the Compose file.
    ///
    /// ### What happens
    /// The Compose file wins. Whoever changes the env file, where values are looked for first, wonders why nothing happens.
    ///
    /// ### What to do
    /// Keep it in one place.
    "env-file-overridden", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for (name, below) in service.hidden.iter().filter(|(_, below)| below.from == From::EnvFile) {
            let Some(variable) = service.environment.get(name) else { continue };
            if variable.value == below.value || variable.value.is_none() || variable.origin.file == below.origin.file {
                continue;
            }
            let value = |value: &Option<String>| shorten(shown(name, value.as_deref().unwrap_or_default())).replace('`', "'");
            let winner = if variable.from == From::EnvFile { "the later env file" } else { "the Compose file" };
            findings.push(
                RULE.finding(
                    Place::At(variable.origin),
                    format!("`{name}` of `{}` is `{}` here and `{}` in an env file", service.name, value(&variable.value), value(&below.value)),
                    format!("{winner} wins: changing the env file has no effect"),
                    "keep it in one place".to_owned(),
                )
                .about(service.path(&format!("environment.{name}")))
                .with(Place::At(below.origin), "this value does not count"),
            );
        }
    }
}
