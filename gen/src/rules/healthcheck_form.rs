//! `healthcheck-form`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::shell_operators::is_operator;
use crate::source::decode::shorten;

rule! {
    /// A health check is written in a form that cannot work.
    ///
    /// ### What happens
    /// `CMD` runs a program without a shell: a whole line as its only word is taken for the program's name, and `||` for an argument.
    /// `CMD-SHELL` runs one line: further words are lost. The container is unhealthy for ever, or healthy whatever happens.
    ///
    /// ### What to do
    /// A line for the shell: `[CMD-SHELL, "curl -f http://localhost || exit 1"]`. A program: `[CMD, curl, -f, http://localhost]`.
    "healthcheck-form", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(health) = service.health.as_ref() else { continue };
        let words: Vec<&str> = health.test.iter().map(|(word, _)| word.as_str()).collect();
        let line = health.text();
        let (what, consequence, at) = match words.as_slice() {
            ["CMD", program] if program.trim().contains(char::is_whitespace) => (
                format!("takes the whole line `{}` for the name of a program", shorten(program)),
                "there is no such program: it is never healthy",
                1,
            ),
            ["CMD", rest @ ..] if !matches!(rest, ["sh" | "bash" | "/bin/sh" | "/bin/bash" | "ash", "-c" | "-ec" | "-lc", ..]) => {
                let Some(index) = rest.iter().position(|word| is_operator(word)) else { continue };
                (format!("has `{}` without a shell", rest[index]), "no shell reads it: it becomes an argument of the program", index + 1)
            }
            ["CMD-SHELL", _, extra, ..] => {
                (format!("has more than one line for the shell: `{}` is lost", shorten(extra)), "only the first is run", 2)
            }
            ["CMD" | "CMD-SHELL"] => ("has nothing to run".to_owned(), "it is never healthy", 0),
            _ => continue,
        };
        findings.push(
            RULE.finding(
                Place::At(health.test.get(at).map_or(health.origin, |(_, origin)| *origin)),
                format!("the health check of `{}` {what}", service.name),
                consequence.to_owned(),
                format!("write `test: [CMD-SHELL, \"{}\"]`", shorten(&line).replace('`', "'")),
            )
            .about(service.path("healthcheck.test")),
        );
    }
}
