//! `external-resource`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};
use crate::rules::unused_resource::named;

rule! {
    /// A secret or a config is external, which only Swarm has.
    ///
    /// ### What happens
    /// `docker compose config` is content; `docker compose up` fails: "unsupported external secret". Compose has no store to take it
    /// from.
    ///
    /// ### What to do
    /// Take it from a file or a variable: `file: ./token.txt`, `environment: TOKEN`. For Swarm deploy with `docker stack deploy`.
    "external-resource", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (key, what) in [("secrets", "secret"), ("configs", "config")] {
        let used: std::collections::HashSet<&str> = context.services().flat_map(|service| named(service, key)).collect();
        for (name, entry) in context.project.model.get(key).into_iter().flat_map(Node::entries).filter(|(name, _)| used.contains(name)) {
            let Some(external) = entry.node.get("external").filter(|external| external.is_true() || external.map().is_some()) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(external.origin),
                    format!("the {what} `{name}` is external, which only Swarm has"),
                    format!("`docker compose up` fails: \"unsupported external {what}\""),
                    format!("take it from a file, `file: ./{name}`, or from a variable, `environment: {}`", name.to_uppercase().replace('-', "_")),
                )
                .about(format!("{key}.{name}.external")),
            );
        }
    }
}
