//! `swarm-only-key`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A key counts only under Swarm.
    ///
    /// ### What happens
    /// `docker compose` reads it and does nothing: no rolling update, no roll-back, no placement, no mode of a secret.
    ///
    /// ### What to do
    /// Remove it, or deploy with `docker stack deploy`.
    "swarm-only-key", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let mut tell = |key: String, place| {
            let short = key.rsplit('.').next().unwrap_or_default();
            findings.push(
                RULE.finding(
                    Place::At(place),
                    format!("`{short}` of `{}` counts only under Swarm", service.name),
                    "`docker compose` ignores it".to_owned(),
                    format!("remove `{short}`, or deploy with `docker stack deploy`"),
                )
                .about(service.path(&key)),
            );
        };
        if let Some(deploy) = service.node.get("deploy") {
            for key in ["update_config", "rollback_config", "placement", "endpoint_mode"] {
                let is_said = deploy.get(key).is_some_and(|node| !node.is_null() && node.map().is_none_or(|map| !map.is_empty()));
                if is_said {
                    tell(format!("deploy.{key}"), deploy.key(key));
                }
            }
            if let Some(mode) = deploy.get("mode").filter(|mode| mode.str().is_some_and(|mode| mode.starts_with("global") || mode.ends_with("-job"))) {
                tell("deploy.mode".to_owned(), mode.origin);
            }
            let policy = deploy.get("restart_policy");
            for key in ["delay", "window"] {
                if let Some(policy) = policy.filter(|policy| policy.get(key).is_some()) {
                    tell(format!("deploy.restart_policy.{key}"), policy.key(key));
                }
            }
        }
        for item in service.node.get("secrets").map(Node::items).unwrap_or_default() {
            if let Some(key) = ["uid", "gid", "mode"].into_iter().find(|key| item.get(key).is_some_and(|node| !node.is_null())) {
                tell(format!("secrets.{key}"), item.key(key));
            }
        }
    }
}
