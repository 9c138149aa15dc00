//! `shared-identity`

use std::collections::HashMap;

use crate::compose::Context;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// Several instances have one identity.
    ///
    /// ### What happens
    /// Who is told apart by a name must have one of its own. Of two ZeroMQ peers with one identity a broker hears only one; the answers of
    /// the other go astray. Consumers of one id throw each other out.
    ///
    /// ### What to do
    /// Make the identity from the container's own host name, which is different in each instance, and set no `hostname`.
    "shared-identity", Warning, Pedantic, topology: None, compose: Some(check)
}

/// Names of variables that hold an identity.
const NAMES: &[&str] = &["IDENTITY", "ID", "WORKER_ID", "CLIENT_ID", "NODE_ID", "INSTANCE_ID", "NODE_NAME", "WORKER_NAME", "BROKER_ID", "SERVER_ID", "PEER_ID"];

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<(String, String), (&Service<'_>, Origin)> = HashMap::new();
    for service in context.services() {
        let hostname = service.text("hostname").map(|(text, origin)| ("hostname".to_owned(), text.to_owned(), origin));
        let variables = service.environment.iter().filter_map(|(name, variable)| {
            let upper = name.to_ascii_uppercase();
            let is_identity = NAMES.contains(&upper.as_str()) || ["_IDENTITY", "WORKER_ID", "NODE_ID"].iter().any(|end| upper.ends_with(end));
            let value = variable.value.as_deref().filter(|value| is_identity && !value.is_empty() && !value.contains(['$', '{']))?;
            Some((name.clone(), value.to_owned(), variable.origin))
        });
        for (name, value, origin) in hostname.into_iter().chain(variables) {
            let path = service.path(&if name == "hostname" { name.clone() } else { format!("environment.{name}") });
            let key = (name.clone(), value.clone());
            let (who, place) = match seen.get(&key) {
                Some((other, place)) => (format!("`{}` and `{}` have", other.name, service.name), *place),
                None if service.replicas.0 > 1 => (format!("all {} instances of `{}` have", service.replicas.0, service.name), service.replicas.1),
                None => {
                    seen.insert(key, (service, origin));
                    continue;
                }
            };
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("{who} the same `{name}`"),
                    "who is told apart by it is taken for the other".to_owned(),
                    "leave it out, and take the container's own host name, which is different in each instance".to_owned(),
                )
                .about(path)
                .with(Place::At(place), "the same one"),
            );
        }
    }
}
