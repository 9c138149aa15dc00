//! `ufw-bypass`

use crate::compose;
use crate::finding::{Finding, Place};
use crate::firewall::Verdict;
use crate::rules::{Context, compose_ufw_verdicts, ufw_verdicts};

rule! {
    /// A published port is open because Docker opens it, not because ufw lets it in.
    ///
    /// ### What happens
    /// Docker publishes a port by address translation (DNAT) that happens before ufw's rules are asked. Today the two agree: ufw
    /// lets the port in. But nobody can close it with ufw: neither deleting the rule nor blocking a source changes anything.
    ///
    /// ### What to do
    /// Nothing, as long as the port is meant to be open. To close it, or to block a source, use the chain `DOCKER-USER`, or
    /// publish the port on one address (`"127.0.0.1:9998"`).
    "ufw-bypass", Note, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (component, published, ufw, verdict) in ufw_verdicts(context) {
        let everywhere = published.address.is_none_or(|address| address.is_unspecified());
        let (port, protocol) = (published.host_port, published.protocol);
        let what = format!("`{}.{}`", component.name, published.endpoint);
        let (message, consequence) = match verdict {
            Verdict::AllowedExcept(rule) => {
                let who = rule.restriction().unwrap_or_default();
                (format!("ufw keeps out what comes {who}, but not at {what}"), format!("who comes {who} reaches host port {port}/{protocol} all the same"))
            }
            Verdict::Allowed if everywhere && !ufw.default_allow => (
                format!("host port {port}/{protocol} of {what} is opened by Docker, past ufw"),
                "ufw lets it in as well, but taking that rule away, or blocking somebody by ufw, changes nothing".to_owned(),
            ),
            _ => continue,
        };
        findings.push(RULE.finding(
            Place::Value(published.pointer.clone()),
            message,
            consequence,
            format!(
                "to close it: `sudo iptables -I DOCKER-USER -p {protocol} -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP`"
            ),
        ));
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    for judged in compose_ufw_verdicts(context) {
        let everywhere = judged.port.address.is_none_or(|address| address.is_unspecified());
        let (port, protocol, name) = (judged.number, judged.protocol, judged.service.name);
        let (message, consequence) = match &judged.verdict {
            Verdict::AllowedExcept(rule) => {
                let who = rule.restriction().unwrap_or_default();
                (format!("ufw keeps out what comes {who}, but not at `{name}`"), format!("who comes {who} reaches host port {port}/{protocol} all the same"))
            }
            Verdict::Allowed if everywhere && !judged.ufw.default_allow => (
                format!("host port {port}/{protocol} of `{name}` is opened by Docker, past ufw"),
                "ufw lets it in as well, but taking that rule away, or blocking somebody by ufw, changes nothing".to_owned(),
            ),
            _ => continue,
        };
        let help = format!(
            "to close it: `sudo iptables -I DOCKER-USER -p {protocol} -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP`"
        );
        findings.push(RULE.finding(Place::At(judged.port.origin), message, consequence, help).about(judged.path()));
    }
}
