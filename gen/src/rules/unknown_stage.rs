//! `unknown-stage`

use crate::compose::Context;
use crate::compose::dockerfile::substitute;
use crate::finding::{Finding, Place, did_you_mean};
use crate::rules::list;

rule! {
    /// A stage is named that the Dockerfile does not have.
    ///
    /// ### What happens
    /// The build fails: "target stage could not be found"; or a name behind `--from=` is taken for an image of a registry and pulled.
    ///
    /// ### What to do
    /// Name a stage as `FROM … AS name` does. A stage can use only those before it.
    "unknown-stage", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        let Some(build) = service.build.as_ref() else { continue };
        let (Some((target, origin)), Some(built)) = (build.target, build.dockerfile.and_then(|index| all.dockerfiles.get(index))) else { continue };
        if built.dockerfile.stages.is_empty() || target.is_empty() || built.dockerfile.stage_named(target).is_some() {
            continue;
        }
        let names = || built.dockerfile.stages.iter().filter_map(|stage| stage.name.as_deref());
        let help = match did_you_mean(target, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the stages are {}", list(names())),
        };
        findings.push(
            RULE.finding(
                Place::At(origin),
                format!("`{}` builds the stage `{target}`, which its Dockerfile does not have", service.name),
                "the build fails: \"target stage could not be found\"".to_owned(),
                help,
            )
            .about(service.path("build.target")),
        );
    }
    for built in context.dockerfiles() {
        let file = &built.dockerfile;
        let values = built.users.first().map(|user| file.global_args(&user.args)).unwrap_or_default();
        for instruction in &file.instructions {
            let Some((_, from)) = instruction.flags.iter().find(|(name, _)| name == "from").filter(|_| matches!(instruction.keyword.as_str(), "COPY" | "ADD")) else { continue };
            let (name, unset) = substitute(&from.text, &values);
            let before = instruction.stage.unwrap_or(0);
            let is_before = file.stages.iter().take(before).any(|stage| stage.name.as_deref() == Some(name.to_lowercase().as_str()));
            let is_context = built.users.iter().any(|user| user.contexts.contains(&name.to_lowercase()));
            if !unset.is_empty() || is_before || is_context || name.is_empty() {
                continue;
            }
            let names = || file.stages.iter().take(before).filter_map(|stage| stage.name.as_deref());
            let later = file.stages.iter().skip(before).any(|stage| stage.name.as_deref() == Some(name.to_lowercase().as_str()));
            let near = did_you_mean(&name, names()).filter(|_| !name.contains(['/', ':', '.']));
            let (message, help) = match (name.parse::<usize>(), later, near) {
                (Ok(index), ..) if index >= before => {
                    (format!("`--from={index}` names a stage that is not before this one"), format!("stages are counted from 0: here 0 to {} can be used", before.saturating_sub(1)))
                }
                (Err(_), true, _) => (format!("`--from={name}` names a stage that is not before this one"), "move the stage up: a stage can use only those before it".to_owned()),
                (Err(_), false, Some(near)) => (format!("`--from={name}` names no stage"), format!("did you mean `{near}`?")),
                (Ok(_), ..) | (Err(_), false, None) => continue,
            };
            findings.push(RULE.finding(Place::At(built.at(&from.range)), message, "the build fails, or takes an image of this name from a registry".to_owned(), help).about(about(built)));
        }
    }
}

/// The service that a Dockerfile is for.
pub(crate) fn about(built: &crate::compose::surroundings::Built) -> String {
    built.users.first().map_or_else(String::new, |user| format!("services.{}.build", user.service))
}
