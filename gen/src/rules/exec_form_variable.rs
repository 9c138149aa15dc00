//! `exec-form-variable`

use std::collections::HashSet;

use crate::compose::Context;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};

rule! {
    /// A program is given the name of a variable instead of its value.
    ///
    /// ### What happens
    /// Only a shell replaces `$BIND`. In the exec form (`["program", "$BIND"]`) there is none: the program gets the five letters.
    ///
    /// ### What to do
    /// Let a shell do it: `["sh", "-c", "exec program --bind \"$BIND\""]` (in a Compose file `$$BIND`), or let the program read the
    /// variable itself.
    "exec-form-variable", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = HashSet::new();
    for service in context.services() {
        let has_shell = service.argv().next().is_some_and(|(word, _)| runs_lines(word)) || hands_on(service);
        let health = service.health.as_ref().filter(|health| !health.is_disabled && health.test.first().is_some_and(|(form, _)| form == "CMD"));
        let health_words = health.map(|health| &health.test[1..]).filter(|words| !words.first().is_some_and(|(word, _)| runs_lines(word)));
        let command = service.entrypoint.iter().chain(&service.command).filter(|argv| !argv.is_shell_form && !has_shell);
        let words = command.flat_map(|argv| argv.words.iter().map(move |word| (word, if argv.is_compose { "$$" } else { "$" }, "command")));
        let words = words.chain(health_words.into_iter().flatten().map(|word| (word, "$$", "healthcheck.test")));
        for ((word, origin), dollar, key) in words {
            let Some(name) = variable(word) else { continue };
            if !told.insert(*origin) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(context.surroundings.narrow(*origin, &format!("{dollar}{name}"))),
                    format!("`{}` gets the text `${name}`, not the value of the variable", service.name),
                    "no shell reads this: nobody replaces it".to_owned(),
                    format!("write `[\"sh\", \"-c\", \"exec PROGRAM \\\"{dollar}{name}\\\"\"]`, or let the program read `{name}` itself"),
                )
                .about(service.path(key)),
            );
        }
    }
}

/// Programs that read what they are given as a language with variables of its own.
fn runs_lines(word: &str) -> bool {
    let program = word.rsplit('/').next().unwrap_or(word);
    matches!(program, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" | "busybox" | "perl" | "awk" | "envsubst" | "eval" | "python" | "python3" | "node" | "cmd" | "powershell" | "pwsh" | "mongosh" | "mongo")
        || program.rsplit_once('.').is_some_and(|(_, extension)| extension == "sh") || matches!(program, "su" | "gosu" | "mc")
}

/// Whether an image that is not read here may bring an entrypoint with a shell.
fn hands_on(service: &Service<'_>) -> bool {
    service.entrypoint.is_none() && service.build.is_none() && service.known().is_some_and(|known| matches!(known.name, "nginx" | "rabbitmq"))
}

/// The first variable in a word: capital letters, as nobody means otherwise.
fn variable(word: &str) -> Option<&str> {
    word.match_indices('$').find_map(|(at, _)| {
        let rest = &word[at + 1..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).unwrap_or(rest.len());
        let name = &rest[..end];
        let ends_well = !rest[end..].starts_with(|c: char| c.is_ascii_lowercase());
        (name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && ends_well).then_some(name)
    })
}
