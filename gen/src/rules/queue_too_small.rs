//! `queue-too-small`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::{Context, count};

rule! {
    /// More clients can ask at once than the broker may let wait.
    ///
    /// ### What happens
    /// A client has one request open at a time. When all of them ask at once, those that find no free worker and no room in the
    /// queue are answered "busy", although nothing is broken.
    ///
    /// ### What to do
    /// Let `queue` hold at least one request for every client that may find no free worker; a waiting request costs less than
    /// a kilobyte. Or run more workers.
    "queue-too-small", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for peers in context.plan.brokers().values() {
        let broker = peers.broker;
        let Role::Broker { queue, .. } = broker.role else { continue };
        let (clients, workers) = (peers.client_instances(), peers.worker_instances());
        let waiting = clients.saturating_sub(workers);
        if workers == 0 || u64::from(queue) >= waiting {
            continue;
        }
        let refused = waiting - u64::from(queue);
        findings.push(RULE.finding(
            Place::value_of(&broker.pointer, "queue"),
            format!(
                "broker `{}` lets {} wait, but {} and {} make it {waiting}",
                broker.name,
                count(u64::from(queue), "request"),
                count(clients, "client"),
                count(workers, "worker")
            ),
            format!("when all clients ask at once, {refused} of them get \"busy\" instead of an answer"),
            format!("write `queue = {waiting}` or more, or run more workers"),
        ));
    }
}
