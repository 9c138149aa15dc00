//! `outside-client-shut-out`

use crate::finding::{Finding, Place};
use crate::rules::Context;

rule! {
    /// A client on another machine cannot reach its broker.
    ///
    /// ### What happens
    /// The broker's frontend is open inside of the deployment only, or on the loopback address of the host. The client
    /// connects to nothing and waits for ever.
    ///
    /// ### What to do
    /// Publish the frontend on an address that other machines reach.
    ///
    /// ### Example
    /// ```toml
    /// [broker.bro]
    /// publish = { frontend = 9998 }
    ///
    /// [client.phone]
    /// outside = true
    /// ```
    "outside-client-shut-out", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let plan = context.plan;
    for client in plan.components.values().filter(|component| !component.is_deployed() && component.replicas > 0) {
        let Some(broker) = client.bound_to("broker").and_then(|name| plan.component(name)) else { continue };
        let mut ways = broker.published.iter().filter(|published| published.endpoint == "frontend").peekable();
        let first = ways.peek().copied();
        if ways.any(|published| !published.address.is_some_and(|address| address.is_loopback())) {
            continue;
        }
        let (name, broker_name) = (&client.name, &broker.name);
        let port = broker.endpoint("frontend").map_or(9998, |endpoint| endpoint.port);
        let (message, related, help) = match first {
            None => (
                format!("client `{name}` runs outside, but the frontend of broker `{broker_name}` is not published"),
                (Place::key(&broker.pointer), "its frontend is reachable inside of the deployment only".to_owned()),
                format!("add `publish = {{ frontend = {port} }}` to `[broker.{broker_name}]`"),
            ),
            Some(published) => (
                format!("client `{name}` runs outside, but broker `{broker_name}` is published on loopback only"),
                (Place::Value(published.pointer.clone()), "no other machine reaches this address".to_owned()),
                format!("publish it on all interfaces: `frontend = {}` in `[broker.{broker_name}]`", published.host_port),
            ),
        };
        let consequence = "it connects to nothing and waits for ever".to_owned();
        let mut finding = RULE.finding(Place::key(&client.pointer), message, consequence, help);
        finding.related.push(related);
        findings.push(finding);
    }
}
