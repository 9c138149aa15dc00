//! `ufw-port-not-allowed`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::firewall::open::allow;
use crate::firewall::{Ufw, Verdict};
use crate::rules::{Context, compose_ufw_verdicts, ufw_verdicts};
use crate::spec::Docker;
use crate::spec::values::Protocol;

rule! {
    /// A port is published that ufw does not let in.
    ///
    /// ### What happens
    /// Who reaches the port does not depend on ufw's rules but on whether Docker goes round them. With Docker's own address
    /// translation, the default, the port is open to everybody, and `ufw status` does not list it. Where ufw does decide (host
    /// network, `iptables` switched off in the engine, the rules of ufw-docker), nobody from another machine gets in.
    ///
    /// ### What to do
    /// If the port is meant to be open, say so to ufw: `sudo ufw allow 9998/tcp`; or publish a port that it lets in already. If it
    /// is meant for this host alone, publish it on loopback: `"127.0.0.1:9998"`.
    "ufw-port-not-allowed", Warning, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published, ufw, verdict) in ufw_verdicts(context) {
        let (port, protocol) = (published.host_port, published.protocol);
        let what = format!("`{}.{}` is published on host port {port}/{protocol}", component.name, published.endpoint);
        let finding = match verdict {
            Verdict::NotAllowed => RULE.finding(
                Place::Value(published.pointer.clone()),
                format!("{what}, which no rule of ufw opens"),
                consequence(ufw).to_owned(),
                help((port, published.port), protocol, ufw),
            ),
            Verdict::Partly(rule) => RULE.finding(
                Place::Value(published.pointer.clone()),
                format!("{what}, which ufw opens only to some (`{rule}`)"),
                "Docker's own rules come before ufw's: the port is open to everybody".to_owned(),
                format!("publish it on the address that those connect to; or, if everybody may: `sudo ufw allow {port}/{protocol}`"),
            ),
            _ => continue,
        };
        findings.push(finding);
    }
}

/// Who decides, and so what happens.
fn consequence(ufw: &Ufw) -> &'static str {
    match ufw.docker {
        Docker::Plain => "Docker goes round ufw and opens it unseen; where ufw decides, other machines are shut out",
        Docker::UfwDocker => "ufw-docker lets nobody in from beyond private networks",
        Docker::HostNetwork | Docker::NoIptables => "ufw decides here: other machines are shut out",
    }
}

fn help((port, inside): (u16, u16), protocol: Protocol, ufw: &Ufw) -> String {
    if ufw.docker == Docker::UfwDocker {
        return format!("`{}`", allow(ufw.docker, None, inside, protocol));
    }
    match ufw.nearest_allowed(port, protocol) {
        Some(range) => format!("`sudo ufw allow {port}/{protocol}`; the nearest that ufw lets in is `{range}`"),
        None => format!("`sudo ufw allow {port}/{protocol}`; ufw lets no {protocol} port in"),
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for judged in compose_ufw_verdicts(context) {
        let (port, protocol) = (judged.number, judged.protocol);
        let (message, consequence, help) = match &judged.verdict {
            Verdict::NotAllowed => (
                format!("{}, which no rule of ufw opens", judged.what()),
                consequence(judged.ufw),
                help((port, judged.port.target), protocol, judged.ufw),
            ),
            Verdict::Partly(rule) => (
                format!("{}, which ufw opens only to some (`{rule}`)", judged.what()),
                "Docker's own rules come before ufw's: the port is open to everybody",
                format!("publish it on the address that those connect to; or, if everybody may: `sudo ufw allow {port}/{protocol}`"),
            ),
            _ => continue,
        };
        findings.push(RULE.finding(Place::At(judged.port.origin), message, consequence.to_owned(), help).about(judged.path()));
    }
}
