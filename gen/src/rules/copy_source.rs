//! `copy-source`

use crate::compose::Context;
use crate::compose::dockerfile::{Instruction, substitute};
use crate::compose::files::Kind;
use crate::compose::surroundings::Built;
use crate::finding::{Finding, Place, Severity, did_you_mean};
use crate::source::Origin;

rule! {
    /// A Dockerfile copies something that the builder does not get.
    ///
    /// ### What happens
    /// The build fails: "failed to compute cache key: … not found". The builder sees only the build context, without what
    /// `.dockerignore` leaves out, and nothing above it.
    ///
    /// ### What to do
    /// Take the pattern out of `.dockerignore`, or add an exception (`!broker`). Paths are relative to the context, not to the
    /// Dockerfile; make the context larger if the file lies above it.
    "copy-source", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles().filter(|built| built.has_context && !built.users.is_empty()) {
        let arguments = built.users.first().map(|user| &user.args);
        let mut values = arguments.map(|args| built.dockerfile.global_args(args)).unwrap_or_default();
        let stages = stages(built);
        let is_built = |instruction: &Instruction| instruction.stage.is_some_and(|stage| stages.contains(&stage));
        for instruction in &built.dockerfile.instructions {
            match instruction.keyword.as_str() {
                "ARG" | "ENV" => learn(instruction, &mut values, arguments),
                "COPY" | "ADD" if !instruction.flags.iter().any(|(name, _)| name == "from") && is_built(instruction) => {
                    several(built, instruction, findings);
                    for source in sources(instruction) {
                        let (text, unset) = substitute(&source.text, &values);
                        if unset.is_empty() {
                            judge(context, built, &text, built.at(&source.range), instruction, findings);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn learn(instruction: &Instruction, values: &mut std::collections::HashMap<String, String>, given: Option<&std::collections::HashMap<String, String>>) {
    if instruction.keyword == "ENV" {
        for (name, value) in crate::compose::dockerfile::variables(instruction) {
            let text = substitute(&value.text, values).0;
            values.insert(name, text);
        }
        return;
    }
    for word in &instruction.words {
        let (name, default) = word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value)));
        let value = given.and_then(|given| given.get(name)).cloned().or_else(|| default.map(|value| substitute(value, values).0));
        if let Some(value) = value {
            values.insert(name.to_owned(), value);
        }
    }
}

/// The stages of what somebody builds.
fn stages(built: &Built) -> std::collections::HashSet<usize> {
    let mut wanted: Vec<usize> = built.users.iter().filter_map(|user| user.stage).collect();
    let mut seen = std::collections::HashSet::new();
    let first_of = |stage: usize| built.dockerfile.stages.get(stage).map_or(0, |stage| stage.from);
    while let Some(stage) = wanted.pop() {
        if !seen.insert(stage) {
            continue;
        }
        wanted.extend(built.dockerfile.stages.get(stage).and_then(|stage| stage.parent));
        let own = built.dockerfile.instructions[first_of(stage)..].iter().take_while(|one| one.stage == Some(stage));
        wanted.extend(own.flat_map(|one| &one.flags).filter(|(name, _)| name == "from").filter_map(|(_, word)| built.dockerfile.stage_named(&word.text)));
    }
    seen
}

/// All words but the last, which is where it goes; texts that stand in the file itself are no sources.
fn sources(instruction: &Instruction) -> impl Iterator<Item = &crate::compose::dockerfile::Word> {
    let count = instruction.words.len().saturating_sub(1);
    instruction.words.iter().take(count).filter(|word| !word.text.starts_with("<<"))
}

fn judge(context: &Context<'_>, built: &Built, text: &str, origin: Origin, instruction: &Instruction, findings: &mut Vec<Finding>) {
    let is_remote = text.contains("://") || text.starts_with("git@");
    if is_remote || text.is_empty() {
        return;
    }
    let path = text.trim_start_matches('/').trim_end_matches('/').trim_start_matches("./");
    let named = |text: &str| crate::source::decode::shorten(text).replace('`', "'");
    let keyword = &instruction.keyword;
    let about = built.users.first().map_or_else(String::new, |user| format!("services.{}.build", user.service));
    let mut tell = |severity: Severity, message: String, consequence: &str, help: String, related: Option<(Origin, &str)>| {
        let mut finding = RULE.finding(Place::At(origin), message, consequence.to_owned(), help).about(&about);
        finding.severity = severity;
        finding.related.extend(related.map(|(origin, text)| (Place::At(origin), text.to_owned())));
        findings.push(finding);
    };
    if path.split('/').any(|part| part == "..") {
        let help = "make the context larger: `build: { context: .., dockerfile: FOLDER/Dockerfile }`".to_owned();
        tell(Severity::Error, format!("`{keyword}` takes `{}` from outside of the build context", named(text)), "the builder does not see it: the build fails", help, None);
        return;
    }
    if path.is_empty() || path == "." || path.contains(['*', '?', '[']) {
        return;
    }
    if context.files.kind(&built.context.join(path)) == Kind::Missing {
        let full = built.context.join(path);
        let neighbours = full.parent().map(|folder| context.files.list(folder)).unwrap_or_default();
        let near = did_you_mean(path.rsplit('/').next().unwrap_or(path), neighbours.iter().map(String::as_str));
        let help = near.map_or_else(|| "paths are relative to the build context; make the file before you build".to_owned(), |near| format!("did you mean `{near}`?"));
        // Something may make it before the build.
        tell(Severity::Warning, format!("`{keyword}` takes `{}`, which is not in the build context", named(text)), "the build fails: \"not found\"", help, None);
        return;
    }
    let Some((ignore, file)) = &built.ignore else { return };
    let Some(range) = ignore.excludes(path) else { return };
    // An exception may bring back what is in the folder.
    if ignore.has_exceptions() && context.files.kind(&built.context.join(path)) == Kind::Directory {
        return;
    }
    let by = Origin::new(*file, &range);
    tell(
        Severity::Error,
        format!("`{keyword}` takes `{}`, which `.dockerignore` leaves out", named(text)),
        "the builder does not see it: the build fails with \"not found\"",
        format!("remove the pattern from `.dockerignore`, or add an exception: `!{}`", named(path)),
        Some((by, "this pattern leaves it out")),
    );
}

/// Several sources need a folder to go to, which ends with a slash.
fn several(built: &Built, instruction: &Instruction, findings: &mut Vec<Finding>) {
    let Some((target, sources)) = instruction.words.split_last() else { return };
    let is_folder = target.text.ends_with(['/', '\\']) || matches!(target.text.as_str(), "." | "..") || target.text.ends_with("/.") || target.text.contains('$');
    if sources.len() < 2 || is_folder || instruction.has_heredoc {
        return;
    }
    let about = built.users.first().map_or_else(String::new, |user| format!("services.{}.build", user.service));
    let finding = RULE.finding(
        Place::At(built.at(&target.range)),
        format!("`{}` takes {} things to `{}`, which is no folder", instruction.keyword, sources.len(), target.text),
        "the build fails: \"the destination must be a directory and end with a /\"".to_owned(),
        format!("write `{}/`", target.text),
    );
    findings.push(finding.about(about));
}
