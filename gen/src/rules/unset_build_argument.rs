//! `unset-build-argument`

use std::collections::{HashMap, HashSet};

use crate::compose::Context;
use crate::compose::dockerfile::substitute;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;

rule! {
    /// A Dockerfile uses an argument that has no value there.
    ///
    /// ### What happens
    /// In `FROM` the name of the image is broken, and the build fails. An `ARG` before the first `FROM` counts only for `FROM` lines: in a
    /// stage it is empty until it is declared again, and the build goes on with nothing in its place.
    ///
    /// ### What to do
    /// Declare it (`ARG VERSION=1.0`) before the first `FROM` for `FROM`, and once more, without a value, in the stage that uses it.
    "unset-build-argument", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        let Some(user) = built.users.first() else { continue };
        let file = &built.dockerfile;
        let declared: HashSet<&str> = file
            .instructions
            .iter()
            .filter(|one| one.keyword == "ARG" && one.stage.is_none())
            .flat_map(|one| &one.words)
            .map(|word| word.text.split('=').next().unwrap_or_default())
            .collect();
        let mut values = file.global_args(&user.args);
        values.extend(["TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"].map(|name| (name.to_owned(), "x".to_owned())));
        for stage in &file.stages {
            for name in substitute(&stage.base.text, &values).1 {
                let help = if declared.contains(name.as_str()) { format!("give it a value: `ARG {name}=1.0`, or `build: {{ args: {{ {name}: … }} }}`") } else { format!("declare it before the first `FROM`: `ARG {name}=1.0`") };
                let finding = RULE.finding(
                    Place::At(built.at(&stage.base.range)),
                    format!("`FROM` uses the argument `{name}`, which has no value there"),
                    "the name of the image is broken, and the build fails".to_owned(),
                    help,
                );
                findings.push(finding.about(about(built)));
            }
        }
        in_stages(built, &declared, findings);
    }
}

/// Arguments from before the first `FROM` that a stage uses without declaring them.
fn in_stages(built: &crate::compose::surroundings::Built, declared: &HashSet<&str>, findings: &mut Vec<Finding>) {
    let file = &built.dockerfile;
    let mut known: HashMap<usize, HashSet<String>> = HashMap::new();
    for instruction in &file.instructions {
        let Some(stage) = instruction.stage else { continue };
        if instruction.keyword == "FROM" {
            let inherited = file.stages.get(stage).and_then(|stage| known.get(&stage.parent?)).cloned().unwrap_or_default();
            known.insert(stage, inherited);
            continue;
        }
        let own = known.entry(stage).or_default();
        match instruction.keyword.as_str() {
            "ARG" => own.extend(instruction.words.iter().map(|word| word.text.split('=').next().unwrap_or_default().to_owned())),
            "ENV" => own.extend(crate::compose::dockerfile::variables(instruction).into_iter().map(|(name, _)| name)),
            // A shell may have set it itself.
            "RUN" if declared.iter().any(|name| instruction.text.contains(&format!("{name}="))) || instruction.has_heredoc => {}
            "COPY" | "ADD" | "WORKDIR" | "USER" | "EXPOSE" | "LABEL" | "RUN" => {
                let used = substitute(&instruction.text, &HashMap::new()).1;
                let Some(name) = used.iter().find(|name| declared.contains(name.as_str()) && !own.contains(*name)) else { continue };
                let word = instruction.words.iter().find(|word| word.text.contains(name.as_str())).map_or(&instruction.range, |word| &word.range);
                let finding = RULE.finding(
                    Place::At(built.at(word)),
                    format!("`{}` uses the argument `{name}`, which is empty in this stage", instruction.keyword),
                    "an `ARG` before the first `FROM` counts only for `FROM` lines".to_owned(),
                    format!("declare it once more behind `FROM`: `ARG {name}`"),
                );
                findings.push(finding.about(about(built)));
            }
            _ => {}
        }
    }
}
