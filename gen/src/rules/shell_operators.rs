//! `shell-operators`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::source::decode::shorten;

rule! {
    /// A command is written for a shell, but none reads it.
    ///
    /// ### What happens
    /// Compose cuts `command` into words and runs the first with the others as its arguments. `&&`, `|` and `>` are handed to the
    /// program like any word. Behind `sh -c` only the first word is the line: `sh -c npm start` runs `npm`.
    ///
    /// ### What to do
    /// Name the shell, and give it the line in one piece: `command: [sh, -c, "/app/init && exec /app/broker"]`.
    "shell-operators", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::HashSet::new();
    for service in context.services() {
        if service.entrypoint.as_ref().is_some_and(|argv| argv.is_shell_form) || service.command.as_ref().is_some_and(|argv| argv.is_shell_form) {
            continue;
        }
        let words: Vec<&(String, crate::source::Origin)> = service.argv().collect();
        let texts: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        let shell = texts.iter().position(|word| matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh")));
        let is_line = shell.is_some_and(|at| texts.get(at + 1).is_some_and(|flag| flag.starts_with('-') && flag.ends_with('c')));
        let key = if service.command.is_some() { "command" } else { "entrypoint" };
        let line = shell.filter(|_| is_line).map(|at| at + 2);
        let (at, message, consequence) = if let Some(at) = line { match (texts.get(at), texts.get(at + 1)) {
            (Some(script), Some(next)) if is_bare(script) && !next.starts_with("--") => (
                at,
                format!("the shell of `{}` runs only `{}`: what follows are the script's arguments", service.name, shorten(script)),
                "the rest of the line is lost".to_owned(),
            ),
            _ => continue,
        } } else {
            let Some(at) = texts.iter().position(|word| is_operator(word)).filter(|at| *at > 0) else { continue };
            // Programs with operators of their own.
            if matches!(texts.first().and_then(|word| word.rsplit('/').next()), Some("expr" | "test" | "[" | "find" | "jq" | "ffmpeg")) || service.entrypoint.is_none() && may_have_shell(service) {
                continue;
            }
            (at, format!("`{}` gets `{}` as an argument: no shell reads its command", service.name, texts[at]), format!("`{}` is run, with everything behind it as its arguments", shorten(texts[0])))
        };
        let Some((_, origin)) = words.get(at) else { continue };
        if !told.insert(*origin) {
            continue;
        }
        let line = texts.get(line.unwrap_or(0)..).unwrap_or_default().join(" ");
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(*origin, texts[at])),
                message,
                consequence,
                format!("give a shell the line in one piece: `{key}: [sh, -c, \"{}\"]`", shorten(&line).replace('`', "'")),
            )
            .about(service.path(key)),
        );
    }
}

/// Whether a word means something to a shell and nothing to a program.
pub(crate) fn is_operator(word: &str) -> bool {
    matches!(word, "&&" | "||" | "|" | ";" | ">" | ">>" | "<" | "2>&1" | "&" | "&>" | "2>" | "|&")
        || (word.len() > 1 && word.ends_with(';') && !word.ends_with("\\;") && word.chars().all(|c| !c.is_whitespace() && !matches!(c, '=' | '{' | '"' | '\'')))
}

/// A single word without anything for a shell in it.
fn is_bare(script: &str) -> bool {
    !script.is_empty() && script.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) && script != "exec" && !script.starts_with('-')
}

/// An image that is not read here and whose entrypoint reads lines.
fn may_have_shell(service: &crate::compose::view::Service<'_>) -> bool {
    service.reference().is_some_and(|image| matches!(image.short(), "mc" | "aws-cli" | "helm" | "wait-for" | "dockerize"))
}
