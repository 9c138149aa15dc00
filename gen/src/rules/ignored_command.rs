//! `ignored-command`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::source::decode::shorten;

rule! {
    /// A command is given to an entrypoint that does not take any.
    ///
    /// ### What happens
    /// An `ENTRYPOINT` in shell form runs `sh -c "…"`, and what comes behind it are arguments of that shell which nobody reads: `CMD` and
    /// `command` have no effect.
    ///
    /// ### What to do
    /// Write the entrypoint as a list: `ENTRYPOINT ["/app/broker"]`.
    "ignored-command", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::HashSet::new();
    for service in context.services() {
        let (Some(entrypoint), Some(command)) = (&service.entrypoint, &service.command) else { continue };
        let reads = entrypoint.words.iter().any(|(word, _)| word.contains("$@") || word.contains("$*") || word.contains("$1"));
        if !entrypoint.is_shell_form || reads || command.words.is_empty() || !told.insert(command.origin) {
            continue;
        }
        let text = command.words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ");
        findings.push(
            RULE.finding(
                Place::At(command.origin),
                format!("the command `{}` of `{}` is ignored: its entrypoint is a line for a shell", shorten(&text).replace('`', "'"), service.name),
                "only the entrypoint runs".to_owned(),
                "write the entrypoint as a list: `ENTRYPOINT [\"program\"]`".to_owned(),
            )
            .about(service.path("command"))
            .with(Place::At(entrypoint.origin), "this takes no arguments"),
        );
    }
}
