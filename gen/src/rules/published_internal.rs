//! `published-internal`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::{Context, is_loopback, publish_as, published};

rule! {
    /// A port that only the deployment's own components should know is open to other machines.
    ///
    /// ### What happens
    /// Neither the backend of a broker nor a logger asks who is there. Whoever reaches the backend can register as a worker,
    /// receive requests and answer them as he likes; whoever reaches the logger can write into the log or fill the disk.
    ///
    /// ### What to do
    /// Do not publish it: workers and senders in the deployment need no published port. For a look from the host itself,
    /// publish it on loopback: `"127.0.0.1:9999"`.
    "published-internal", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published) in published(context.plan).filter(|(_, published)| !is_loopback(published)) {
        let consequence = match (&component.role, published.endpoint.as_str()) {
            (Role::Broker { .. }, "backend") => "anyone who reaches the port can register as a worker, read requests and answer them",
            (Role::Logger { .. }, "ingest") => "anyone who reaches the port can write into the log and fill the disk",
            _ => continue,
        };
        let (role, name, endpoint) = (component.role.name(), &component.name, &published.endpoint);
        findings.push(RULE.finding(
            Place::Value(published.pointer.clone()),
            format!("the `{endpoint}` of {role} `{name}` is open to other machines, and nobody is asked for a password there"),
            consequence.to_owned(),
            format!("remove it from `publish`, or publish it on loopback: `{}`", publish_as(published, &format!("\"127.0.0.1:{}\"", published.host_port))),
        ));
    }
}
