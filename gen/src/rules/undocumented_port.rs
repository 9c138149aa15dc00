//! `undocumented-port`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A port is published that the image does not expose.
    ///
    /// ### What happens
    /// If the program listens on the port that `EXPOSE` names, nobody gets through; if it does not, `EXPOSE` is wrong.
    ///
    /// ### What to do
    /// Publish the port that the program listens on: the number behind the colon.
    "undocumented-port", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| !service.ports.is_empty()) {
        let Some(built) = service.build.as_ref().and_then(|build| context.surroundings.dockerfiles.get(build.dockerfile?)) else { continue };
        let Some(user) = built.users.iter().find(|user| user.service == service.name) else { continue };
        let exposed = user.stage.map(|stage| built.dockerfile.image(stage, &user.args).exposed).unwrap_or_default();
        let Some((first, range)) = exposed.first() else { continue };
        for port in service.ports.iter().filter(|port| !exposed.iter().any(|(one, _)| *one == port.target)) {
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("`{}` publishes port {} of its container, but its image exposes {first}", service.name, port.target),
                    "if the program listens where it says, nobody gets through".to_owned(),
                    format!("publish `\"{}:{first}\"`, or correct `EXPOSE`", if port.published.is_some() { port.published_text() } else { first.to_string() }),
                )
                .about(service.path(&format!("ports.{}", port.index)))
                .with(Place::At(built.at(range)), "the image exposes this"),
            );
        }
    }
}
