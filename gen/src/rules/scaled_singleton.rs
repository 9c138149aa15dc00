//! `scaled-singleton`

use crate::compose::Context;
use crate::compose::surroundings::binds;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::rules::count;
use crate::source::Origin;

rule! {
    /// A service of which there can be only one runs several times.
    ///
    /// ### What happens
    /// All instances answer to one name, and DNS spreads the others over them by chance: of a broker, a client and its worker meet
    /// different instances and wait for ever. Two databases on one folder refuse to start, or destroy it.
    ///
    /// ### What to do
    /// Keep one instance, or write a second service with a name and a folder of its own.
    "scaled-singleton", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut wanted: std::collections::HashMap<&str, Origin> = std::collections::HashMap::new();
    for (from, endpoint, to) in context.surroundings.links() {
        let is_bound = endpoint.scheme.as_deref() == Some("tcp") && binds(to).any(|(port, _)| Some(port) == endpoint.number());
        if from.name != to.name && is_bound {
            wanted.entry(to.name).or_insert(endpoint.origin);
        }
    }
    for service in context.services().filter(|service| service.replicas.0 > 1) {
        let labels = service.labels();
        let role = labels.get("cbw.role").map(String::as_str).filter(|role| matches!(*role, "broker" | "logger"));
        let (what, consequence) = match (role, wanted.get(service.name), data(service)) {
            (Some(role), ..) => (
                format!("it is a {role}"),
                "DNS spreads the others over the instances: who meets the wrong one waits for ever",
            ),
            (None, _, Some(folder)) => (format!("all of them keep their data in `{folder}`"), "the second does not start, or they destroy each other's files"),
            (None, Some(_), None) => (
                "it binds the endpoint that the others connect to".to_owned(),
                "DNS spreads the others over the instances: who meets the wrong one waits for ever",
            ),
            (None, None, None) => continue,
        };
        let (number, origin) = service.replicas;
        let mut finding = RULE.finding(
            Place::At(origin),
            format!("`{}` has {}, but {what}", service.name, count(number, "instance")),
            consequence.to_owned(),
            format!("keep one instance of `{}`, or write a second service with a name of its own", service.name),
        );
        finding.related.extend(wanted.get(service.name).map(|origin| (Place::At(*origin), "it reaches one of them, by chance".to_owned())));
        findings.push(finding.about(service.path("scale")));
    }
}

/// The mounted data folder of a database.
fn data<'s>(service: &'s Service<'_>) -> Option<&'s str> {
    let known = service.known()?;
    known.data.iter().find_map(|data| service.mounts.iter().find(|mount| mount.target.trim_end_matches('/') == *data && mount.source.is_some())).and_then(|mount| mount.source)
}
