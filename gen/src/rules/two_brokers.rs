//! `two-brokers`

use crate::finding::{Finding, Place};
use crate::plan::Origin;
use crate::rules::{Context, instances, replicas_place};

rule! {
    /// A broker runs more than once under one name.
    ///
    /// ### What happens
    /// All instances answer to the same host name, and DNS spreads workers and clients over them by chance. A client whose
    /// instance has no worker gets no answer; every container says "running" and there is no error anywhere. If a port of
    /// the broker is published, the second instance cannot even start; if it is our own, DNS may give it the first one's address to
    /// listen on, and it restarts until the two are told apart.
    ///
    /// ### What to do
    /// Keep one: a broker only passes messages on, and one is seldom the limit. Or give each a table and a name of its
    /// own, and say in every worker and client which of them it means.
    ///
    /// ### Example
    /// ```toml
    /// [broker.north]
    /// [broker.south]
    ///
    /// [worker.wor]
    /// broker = "north"
    /// ```
    "two-brokers", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for peers in context.plan.brokers().values() {
        let broker = peers.broker;
        if broker.replicas < 2 {
            continue;
        }
        let name = &broker.name;
        let spread = "DNS spreads workers and clients over the instances, and a client whose instance has no worker gets no answer";
        let own_address = broker.env.get("BACKEND_HOST").is_some_and(|variable| variable.origin == Origin::Setting);
        let more = match broker.published.first() {
            Some(published) => format!("; all but one do not even start, because host port {} is taken by the first", published.host_port),
            // Our own broker listens for workers on the address of a name that all instances share.
            None if own_address => "; an instance that DNS gives the other's address to listen on does not come up".to_owned(),
            None => String::new(),
        };
        let mut finding = RULE.finding(
            replicas_place(broker),
            format!("{} under one name", instances(broker)),
            format!("{spread}{more}"),
            format!("keep one; or write a second table, `[broker.{name}-2]`, and say in workers and clients which one they mean: `broker = \"{name}-2\"`"),
        );
        finding.related.extend(peers.workers.first().map(|worker| (Place::key(&worker.pointer), "each instance works for one of them only".to_owned())));
        findings.push(finding);
    }
}
