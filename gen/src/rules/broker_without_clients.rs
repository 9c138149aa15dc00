//! `broker-without-clients`

use crate::finding::{Finding, Place};
use crate::rules::{Context, used};

rule! {
    /// A broker has no clients, and none can come from outside.
    ///
    /// ### What happens
    /// Broker and workers run and wait for requests that never come.
    ///
    /// ### What to do
    /// Add a client, or publish the broker's frontend for clients on other machines: `publish = { frontend = 9998 }`.
    "broker-without-clients", Note, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if !context.plan.complete {
        return;
    }
    let used = used(context.plan);
    for (name, peers) in context.plan.brokers() {
        let broker = peers.broker;
        let published = broker.published.iter().any(|published| published.endpoint == "frontend");
        if broker.replicas == 0 || published || used.contains(&(name, "frontend")) {
            continue;
        }
        let port = broker.endpoint("frontend").map_or(9998, |endpoint| endpoint.port);
        findings.push(RULE.finding(
            Place::key(&broker.pointer),
            format!("broker `{name}` has no clients, and its frontend is not published"),
            "it waits for requests that never come".to_owned(),
            format!("add `[client.cli]` with `broker = \"{name}\"`, or `publish = {{ frontend = {port} }}` for clients on other machines"),
        ));
    }
}
