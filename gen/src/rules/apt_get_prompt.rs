//! `apt-get-prompt`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;

rule! {
    /// A package manager asks in a build, where nobody answers.
    ///
    /// ### What happens
    /// `apt-get install` without `-y` asks "Do you want to continue? [Y/n]", gets no answer, and the build fails. So do `apt`, `yum` and `dnf`.
    ///
    /// ### What to do
    /// `apt-get install -y --no-install-recommends …`
    "apt-get-prompt", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        let runs = built.dockerfile.instructions.iter().filter(|one| one.keyword == "RUN");
        let configured = runs.clone().any(|one| one.text.contains("Assume-Yes") || one.text.contains("assumeyes"));
        for run in runs.filter(|_| !configured) {
            for (at, part) in commands(&run.words) {
                let words: Vec<&str> = part.iter().map(|word| word.text.as_str()).collect();
                let words: Vec<&str> = words.iter().copied().skip_while(|word| word.contains('=') || *word == "sudo" || *word == "env").collect();
                let [tool @ ("apt-get" | "apt" | "yum" | "dnf" | "aptitude"), rest @ ..] = words.as_slice() else { continue };
                let asks = rest.iter().any(|word| matches!(*word, "install" | "upgrade" | "dist-upgrade" | "full-upgrade"));
                let answers = rest.iter().any(|word| {
                    matches!(*word, "--yes" | "--assume-yes" | "--assumeyes" | "-qq" | "--quiet=2" | "-q=2" | "--dry-run" | "-s" | "--simulate" | "--download-only" | "--print-uris" | "-d") || word.starts_with('-') && !word.starts_with("--") && (word.contains('y') || word.contains("qq"))
                });
                // `yes |` answers for it.
                if !asks || answers || (at > 0 && run.text.contains("yes |")) || run.text.contains("yes|") {
                    continue;
                }
                let range = part.first().map_or(&run.range, |word| &word.range);
                findings.push(
                    RULE.finding(
                        Place::At(built.at(range)),
                        format!("`{tool}` asks whether it may go on, and nobody answers"),
                        "the build fails: \"Do you want to continue? [Y/n] Abort\"".to_owned(),
                        format!("write `{tool} {} -y`", rest.iter().find(|word| !word.starts_with('-')).unwrap_or(&"install")),
                    )
                    .about(about(built)),
                );
            }
        }
    }
}

/// The commands of a line for the shell: where each begins among the words, and its words.
pub(crate) fn commands(words: &[crate::compose::dockerfile::Word]) -> Vec<(usize, Vec<&crate::compose::dockerfile::Word>)> {
    let mut found = Vec::new();
    let mut current = Vec::new();
    let mut start = 0;
    for (index, word) in words.iter().enumerate() {
        let ends = matches!(word.text.as_str(), "&&" | "||" | "|" | ";" | "&" | "then" | "do" | "else" | "(" | "{" | "if");
        if ends {
            found.push((start, std::mem::take(&mut current)));
            start = index + 1;
            continue;
        }
        current.push(word);
        if word.text.ends_with(';') {
            found.push((start, std::mem::take(&mut current)));
            start = index + 1;
        }
    }
    found.push((start, current));
    found.retain(|(_, words)| !words.is_empty());
    found
}
