//! `port-in-use`

use std::net::IpAddr;

use crate::compose;
use crate::finding::{Finding, Place};
use crate::firewall::live::{Holder, Listening};
use crate::rules::{Context, publish_as, published};
use crate::spec::values::Protocol;

rule! {
    /// A published port is taken on this host already. Only `--host live` can tell.
    ///
    /// ### What happens
    /// The container cannot start: Docker says "port is already allocated" when a container has the port, "address already in use"
    /// when a process has it. Half of the system is deployed.
    ///
    /// ### What to do
    /// Publish another host port, or stop who has this one. Containers of the same service of the same project are not in the way:
    /// they are replaced.
    ///
    /// ### Example
    /// ```text
    /// sudo cbwgen lint topology.toml --host live
    /// ```
    "port-in-use", Error, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published) in published(context.plan) {
        let wanted = (published.address, published.host_port, published.protocol);
        let Some((who, consequence, stop)) = taken(context.listening, wanted, &context.plan.name, &component.name) else { continue };
        findings.push(RULE.finding(
            Place::Value(published.pointer.clone()),
            format!(
                "`{}.{}` wants host port {}/{}, which {who} has already",
                component.name, published.endpoint, published.host_port, published.protocol
            ),
            consequence,
            format!("publish another port, for example `{}`, or {stop}", publish_as(published, &elsewhere(context.listening, wanted, None))),
        ));
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services().filter(|service| service.mode.is_none() && service.replicas.0 > 0) {
        for port in &service.ports {
            // Of a range Docker takes a port that is free.
            let Some((number, _)) = port.published.filter(|(first, last)| first == last) else { continue };
            let protocol = match port.protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => continue,
            };
            let wanted = (port.address, number, protocol);
            let Some((who, consequence, stop)) = taken(context.listening, wanted, &context.project.name, service.name) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(port.origin),
                    format!("`{}` wants host port {number}/{protocol}, which {who} has already", service.name),
                    consequence,
                    format!("publish another port, for example `{}`, or {stop}", elsewhere(context.listening, wanted, Some(port.target))),
                )
                .about(service.path(&format!("ports.{}", port.index))),
            );
        }
    }
}

/// Address on the host (`None`: all of them), port and protocol.
type Wanted = (Option<IpAddr>, u16, Protocol);

/// Who has a port, what Docker will say, and what to do about who has it.
fn taken(listening: &[Listening], (address, port, protocol): Wanted, project: &str, service: &str) -> Option<(String, String, String)> {
    let own = |one: &&Listening| matches!(&one.holder, Holder::Container { project: p, service: s, .. } if p == project && s == service);
    let holder = &listening.iter().find(|one| !own(one) && one.is_in_the_way(address, port, protocol))?.holder;
    let (who, words) = match holder {
        Holder::Process { pid, name } => (format!("process `{name}` ({pid})"), "address already in use"),
        Holder::Container { name, .. } => (format!("container `{name}`"), "port is already allocated"),
        Holder::Hidden => ("a process of another user".to_owned(), "address already in use"),
    };
    let stop = if *holder == Holder::Hidden { "look as root which process that is".to_owned() } else { format!("stop {who}") };
    let consequence = format!("the container cannot start: Docker says \"{words}\", and half of the system is deployed");
    Some((who, consequence, stop))
}

/// The same with a port near by that nobody has, as a topology writes it; with `target` as Compose does.
fn elsewhere(listening: &[Listening], (address, port, _): Wanted, target: Option<u16>) -> String {
    let is_free = |port: &u16| !listening.iter().any(|one| one.port == *port);
    let free = (1..100).filter_map(|step| port.checked_add(step)).find(is_free).unwrap_or(port.saturating_sub(1));
    let host = address.map_or_else(|| free.to_string(), |address| std::net::SocketAddr::new(address, free).to_string());
    match (target, address) {
        (Some(target), _) => format!("\"{host}:{target}\""),
        (None, Some(_)) => format!("\"{host}\""),
        (None, None) => host,
    }
}
