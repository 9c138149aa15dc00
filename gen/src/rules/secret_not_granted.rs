//! `secret-not-granted`

use std::collections::HashSet;

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place, did_you_mean};

rule! {
    /// A service reads a secret that it is not given.
    ///
    /// ### What happens
    /// `/run/secrets/NAME` is there only in services that list the secret. The program does not find the file and ends.
    ///
    /// ### What to do
    /// Add the secret to the service: `secrets: [NAME]`.
    "secret-not-granted", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let declared: HashSet<&str> = context.project.model.get("secrets").into_iter().flat_map(Node::entries).map(|(name, _)| name).collect();
    if declared.is_empty() {
        return;
    }
    for service in context.services() {
        let items = service.node.get("secrets").map(Node::items).unwrap_or_default();
        let targets: HashSet<&str> = items
            .iter()
            .filter_map(|item| item.get("target").and_then(Node::str).filter(|target| !target.is_empty()).or_else(|| item.get("source")?.str()).or(item.str()))
            .map(|target| target.trim_start_matches("/run/secrets/"))
            .collect();
        for (name, variable) in &service.environment {
            let Some(secret) = variable.value.as_deref().and_then(|value| value.strip_prefix("/run/secrets/")) else { continue };
            let path = format!("/run/secrets/{secret}");
            if secret.is_empty() || targets.contains(secret) || service.mount_of(&path).is_some() || secret.contains(['/', ' ']) {
                continue;
            }
            let help = match did_you_mean(secret, targets.iter().copied().chain(declared.iter().copied().filter(|_| targets.is_empty()))) {
                _ if declared.contains(secret) => format!("add `secrets: [{secret}]` to `{}`", service.name),
                Some(near) => format!("did you mean `/run/secrets/{near}`?"),
                None => format!("declare the secret `{secret}` and add `secrets: [{secret}]` to `{}`", service.name),
            };
            findings.push(
                RULE.finding(
                    Place::At(variable.origin),
                    format!("`{}` reads the secret `{secret}` (`{name}`), which it is not given", service.name),
                    format!("there is no `{path}` in its container"),
                    help,
                )
                .about(service.path(&format!("environment.{name}"))),
            );
        }
    }
}
