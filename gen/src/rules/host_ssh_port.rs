//! `host-ssh-port`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::rules::{Context, publish_as, published};
use crate::spec::values::Protocol;

rule! {
    /// The host's port 22 is published, where its SSH server listens.
    ///
    /// ### What happens
    /// On nearly every server the port is taken: the container does not start. Where it is free, whoever administers the
    /// machine by SSH reaches the container instead.
    ///
    /// ### What to do
    /// Publish another host port, for example 2222; the port in the container need not change.
    "host-ssh-port", Warning, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published) in published(context.plan) {
        let everywhere = published.address.is_none_or(|address| address.is_unspecified());
        if published.host_port != 22 || published.protocol != Protocol::Tcp || !everywhere {
            continue;
        }
        let (name, endpoint) = (&component.name, &published.endpoint);
        findings.push(RULE.finding(
            Place::Value(published.pointer.clone()),
            format!("`{name}.{endpoint}` wants host port 22, where the host's own SSH server listens"),
            "the container does not start: \"address already in use\"".to_owned(),
            format!("publish another port: `{}`", publish_as(published, "2222")),
        ));
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for port in service.ports.iter().filter(|port| port.published == Some((22, 22)) && port.protocol == "tcp") {
            if port.address.is_some_and(|address| !address.is_unspecified()) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("`{}` wants host port 22, where the host's own SSH server listens", service.name),
                    "the container does not start: \"address already in use\"".to_owned(),
                    format!("publish another port: `\"2222:{}\"`", port.target),
                )
                .about(service.path(&format!("ports.{}", port.index))),
            );
        }
    }
}
