//! `healthcheck-never-fails`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A health check cannot fail.
    ///
    /// ### What happens
    /// `|| true` and `exit 0` are always content; so is `curl` without `-f`, which takes an error page for an answer. The container is
    /// "healthy" whatever happens.
    ///
    /// ### What to do
    /// `curl -f … || exit 1`.
    "healthcheck-never-fails", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled && health.test.len() > 1) else { continue };
        let text = health.text();
        let line = text.trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_content = matches!(line, "true" | "/bin/true" | "exit 0" | ":") || ["|| true", "|| exit 0", "; true", "; exit 0", "|| :"].iter().any(|end| line.ends_with(end));
        let curl = words.iter().position(|word| word.rsplit('/').next() == Some("curl"));
        let fails = |word: &&str| matches!(*word, "--fail" | "--fail-with-body") || (word.starts_with('-') && !word.starts_with("--") && word.contains('f'));
        let is_deaf = curl.is_some_and(|at| !words[at..].iter().any(fails)) && !line.contains('|');
        let (what, help) = match (is_content, is_deaf) {
            (true, _) => ("is content whatever happens", "let it fail: `… || exit 1`"),
            (false, true) => ("takes an error page for an answer", "write `curl -f`"),
            (false, false) => continue,
        };
        let origin = health.test.last().map_or(health.origin, |(_, origin)| *origin);
        findings.push(
            RULE.finding(
                Place::At(origin),
                format!("the health check of `{}` {what}", service.name),
                "the container is \"healthy\" when its program no longer works".to_owned(),
                help.to_owned(),
            )
            .about(service.path("healthcheck.test")),
        );
    }
}
