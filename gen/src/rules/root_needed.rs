//! `root-needed`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::apt_get_prompt::commands;
use crate::rules::unknown_stage::about;

rule! {
    /// A Dockerfile installs packages as a user who may not.
    ///
    /// ### What happens
    /// Behind `USER app` commands run as that user: "permission denied", and the build fails.
    ///
    /// ### What to do
    /// Install before `USER`, or go back for it: `USER root`.
    "root-needed", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        let mut user: Option<(usize, &crate::compose::dockerfile::Word)> = None;
        for instruction in &built.dockerfile.instructions {
            match instruction.keyword.as_str() {
                "USER" => user = instruction.words.first().and_then(|word| Some((instruction.stage?, word))),
                "FROM" => user = None,
                "RUN" => {
                    let Some((_, name)) = user.filter(|(_, word)| !matches!(word.text.split(':').next(), Some("root" | "0")) && !word.text.contains('$')) else { continue };
                    let commands = commands(&instruction.words);
                    let found = commands.iter().find(|(_, words)| {
                        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
                        matches!(texts.as_slice(), ["apt-get" | "apt" | "yum" | "dnf" | "microdnf", rest @ ..] if rest.iter().any(|word| *word == "install" || *word == "update"))
                            || matches!(texts.as_slice(), ["apk", rest @ ..] if rest.contains(&"add"))
                    });
                    let Some((_, words)) = found else { continue };
                    let range = words.first().map_or(&instruction.range, |word| &word.range);
                    let finding = RULE.finding(
                        Place::At(built.at(range)),
                        format!("packages are installed as `{}`, who may not", name.text),
                        "the build fails: \"permission denied\"".to_owned(),
                        "install before `USER`, or write `USER root` before it".to_owned(),
                    );
                    findings.push(finding.about(about(built)).with(Place::At(built.at(&name.range)), "from here on"));
                }
                _ => {}
            }
        }
    }
}
