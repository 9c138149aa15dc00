//! `ufw-port-denied`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::firewall::{Action, Verdict};
use crate::rules::{Context, compose_ufw_verdicts, publish_as, ufw_verdicts};

rule! {
    /// A port is published that ufw denies, rejects or limits.
    ///
    /// ### What happens
    /// Docker publishes a port by address translation (DNAT) that happens before ufw's rules are asked. The port is open to the
    /// world although `ufw status` says that it is closed; a limit limits nothing.
    ///
    /// ### What to do
    /// Publish it on loopback, if only this host needs it: `"127.0.0.1:3306"`. Or say no where Docker listens, in the chain
    /// `DOCKER-USER`:
    ///
    /// ```text
    /// sudo iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 3306 --ctdir ORIGINAL -j DROP
    /// ```
    ///
    /// If the port is meant to be open, delete ufw's rule, so that it tells the truth.
    "ufw-port-denied", Error, Default, topology: Some(check), compose: Some(check_compose)
}

const OPEN: &str = "the port is open to the world although ufw says that it is closed";

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published, _, verdict) in ufw_verdicts(context) {
        let Verdict::Denied(rule) = verdict else { continue };
        let (port, protocol) = (published.host_port, published.protocol);
        let (verb, truth) = words(rule.action);
        let mut finding = RULE.finding(
            Place::Value(published.pointer.clone()),
            format!("`{}.{}` is published on host port {port}/{protocol}, which ufw {verb} (`{rule}`)", component.name, published.endpoint),
            format!("Docker's own rules come before ufw's: {truth}"),
            format!(
                "publish it on loopback, `{}`, or close it before Docker opens it: `sudo iptables -I DOCKER-USER -p {protocol} -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP`",
                publish_as(published, &format!("\"127.0.0.1:{port}\""))
            ),
        );
        finding.related.extend(rule.pointer.clone().map(|pointer| (Place::Value(pointer), format!("ufw {verb} it here"))));
        findings.push(finding);
    }
}

/// What ufw does, and what is so instead.
fn words(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Limit => ("limits", "the port is open without any limit"),
        Action::Reject => ("rejects", OPEN),
        Action::Deny | Action::Allow => ("denies", OPEN),
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for judged in compose_ufw_verdicts(context) {
        let Verdict::Denied(rule) = &judged.verdict else { continue };
        let (verb, truth) = words(rule.action);
        let (port, protocol) = (judged.number, judged.protocol);
        findings.push(
            RULE.finding(
                Place::At(judged.port.origin),
                format!("{}, which ufw {verb} (`{rule}`)", judged.what()),
                format!("Docker's own rules come before ufw's: {truth}"),
                format!(
                    "publish it on loopback, `\"127.0.0.1:{port}:{}\"`, or close it before Docker opens it: `sudo iptables -I DOCKER-USER -p {protocol} -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP`",
                    judged.port.target
                ),
            )
            .about(judged.path()),
        );
    }
}
