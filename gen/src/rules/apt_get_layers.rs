//! `apt-get-layers`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::apt_get_prompt::commands;
use crate::rules::unknown_stage::about;

rule! {
    /// `apt-get update` and `apt-get install` are in different layers.
    ///
    /// ### What happens
    /// The builder keeps the layer of `update`. Weeks later `install` runs on the old list and fails with "404 not found", or installs an old
    /// version.
    ///
    /// ### What to do
    /// One line: `RUN apt-get update && apt-get install -y … && rm -rf /var/lib/apt/lists/*`.
    "apt-get-layers", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        for run in built.dockerfile.instructions.iter().filter(|one| one.keyword == "RUN") {
            let commands = commands(&run.words);
            let does = |verb: &str| commands.iter().find(|(_, words)| words.iter().any(|word| matches!(word.text.as_str(), "apt-get" | "apt")) && words.iter().any(|word| word.text.trim_end_matches(';') == verb));
            let Some((_, update)) = does("update").filter(|_| does("install").is_none() && does("upgrade").is_none() && does("dist-upgrade").is_none()) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(built.at(&update.first().map_or(run.range.clone(), |word| word.range.clone()))),
                    "`apt-get update` has a layer of its own".to_owned(),
                    "the builder keeps it, and a later `install` works with an old list".to_owned(),
                    "write both in one line: `RUN apt-get update && apt-get install -y …`".to_owned(),
                )
                .about(about(built)),
            );
        }
    }
}
