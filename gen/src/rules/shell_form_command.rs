//! `shell-form-command`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::source::decode::shorten;

rule! {
    /// A program runs below a shell that keeps signals to itself.
    ///
    /// ### What happens
    /// `CMD program` runs `sh -c program`, and the shell is process 1. It does not hand SIGTERM on: `docker compose down` waits 10 seconds
    /// and kills everything (exit code 137); what was in hand is lost. Some shells replace themselves by a simple command, others do
    /// not.
    ///
    /// ### What to do
    /// Write a list, `CMD ["/app/broker"]`, or `CMD exec /app/broker --bind $BIND`; or let Compose put a small init before it:
    /// `init: true`.
    "shell-form-command", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::HashSet::new();
    for service in context.services() {
        if service.node.get("init").is_some_and(Node::is_true) || service.base.as_deref().is_some_and(|base| base.contains("windows")) {
            continue;
        }
        let first = service.entrypoint.as_ref().or(service.command.as_ref());
        if let Some((argv, (program, origin))) = first.filter(|argv| !argv.is_shell_form).and_then(|argv| Some((argv, argv.words.first()?))) {
            let is_manager = matches!(program.rsplit('/').next(), Some("npm" | "yarn" | "pnpm"));
            if is_manager && service.build.is_some() && told.insert(argv.origin) {
                findings.push(
                    RULE.finding(
                        Place::At(*origin),
                        format!("`{}` runs below `{program}`, which does not hand SIGTERM on as the program needs it", service.name),
                        "`docker compose down` waits 10 seconds and kills it, or reports an error".to_owned(),
                        "start the program itself, as in `[\"node\", \"server.js\"]`, or add `init: true`".to_owned(),
                    )
                    .about(service.path("build")),
                );
            }
            continue;
        }
        let Some((argv, text)) = first.filter(|argv| argv.is_shell_form).and_then(|argv| Some((argv, argv.words.first()?.0.as_str()))) else { continue };
        if text.trim_start().starts_with("exec ") || text.contains("&& exec ") || text.contains("; exec ") || text.contains("tini") || !told.insert(argv.origin) {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(argv.origin),
                format!("`{}` runs below a shell: `{}`", service.name, shorten(text).replace('`', "'")),
                "the shell does not hand SIGTERM on: `docker compose down` waits 10 seconds and kills it".to_owned(),
                format!("write a list, or begin with `exec`: `CMD exec {}`", shorten(text).replace('`', "'")),
            )
            .about(service.path("build")),
        );
    }
}
