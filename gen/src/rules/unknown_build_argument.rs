//! `unknown-build-argument`

use std::collections::BTreeSet;

use crate::compose::Context;
use crate::finding::{Finding, Place, did_you_mean};
use crate::rules::list;

rule! {
    /// A build argument is given that the Dockerfile does not know.
    ///
    /// ### What happens
    /// "[Warning] one or more build-args were not consumed": the value has no effect, and the build uses whatever it uses without it.
    ///
    /// ### What to do
    /// Declare it in the Dockerfile (`ARG NAME`), or correct its name.
    "unknown-build-argument", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(build) = service.build.as_ref() else { continue };
        let Some(built) = build.dockerfile.and_then(|index| context.surroundings.dockerfiles.get(index)).filter(|built| !built.dockerfile.stages.is_empty()) else { continue };
        let arguments = built.dockerfile.instructions.iter().filter(|one| one.keyword == "ARG");
        let declared: BTreeSet<&str> = arguments.flat_map(|one| &one.words).map(|word| word.text.split('=').next().unwrap_or_default()).collect();
        for (name, _, origin) in &build.args {
            if declared.contains(name.as_str()) || is_known(name) {
                continue;
            }
            let help = match did_you_mean(name, declared.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if declared.is_empty() => format!("declare it in the Dockerfile: `ARG {name}`"),
                None => format!("declare it in the Dockerfile, `ARG {name}`; it knows {}", list(declared.iter().copied())),
            };
            findings.push(
                RULE.finding(
                    Place::At(*origin),
                    format!("the Dockerfile of `{}` does not know the argument `{name}`", service.name),
                    "the value has no effect".to_owned(),
                    help,
                )
                .about(service.path(&format!("build.args.{name}"))),
            );
        }
    }
}

/// Those that every builder knows.
fn is_known(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    matches!(upper.as_str(), "HTTP_PROXY" | "HTTPS_PROXY" | "FTP_PROXY" | "NO_PROXY" | "ALL_PROXY" | "SOURCE_DATE_EPOCH") || upper.starts_with("BUILDKIT_") || upper.starts_with("TARGET") || upper.starts_with("BUILD")
}
