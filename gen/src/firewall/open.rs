//! To whom a published port is open in truth, and the commands that change it.
//!
//! | how Docker and ufw stand to each other | who decides |
//! |---|---|
//! | plain | Docker: its address translation comes before ufw's rules, so the port is open to everybody |
//! | ufw-docker | `ufw route`, by the container's port; private networks are let in |
//! | host network, or `iptables: false` | ufw, by the host's port |
//!
//! Source: <https://docs.docker.com/engine/network/packet-filtering-firewalls/> and the rules of ufw-docker.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{Action, Direction, Rule, Ufw, Verdict};
use crate::spec::Docker;
use crate::spec::values::Protocol;

/// A port that is reachable from outside, if the firewall lets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Who listens: `bro.frontend`.
    pub what: String,
    /// One address of the host; `None` means all of them.
    pub address: Option<IpAddr>,
    /// On the host.
    pub host_port: u16,
    /// In the container.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Whether its container is on the host's network, whatever the others are.
    pub on_host: bool,
}

/// Who reaches a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// This host alone.
    Host,
    /// Everybody.
    Everybody,
    /// Everybody but whom this rule keeps out.
    EverybodyExcept(&'a Rule),
    /// Everybody, but nobody often.
    Limited(&'a Rule),
    /// Those of whom this rule speaks.
    Only(&'a Rule),
    /// Private networks (RFC 1918), and those of whom a rule speaks.
    Private(Option<&'a Rule>),
    /// No other machine; the rule that says so, where it is a rule.
    Nobody(Option<&'a Rule>),
}

impl Port {
    /// How Docker and ufw stand to each other here.
    fn docker(&self, ufw: &Ufw) -> Docker {
        if self.on_host { Docker::HostNetwork } else { ufw.docker }
    }

    /// Whether only the host itself reaches the address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }

    /// Who reaches it from outside.
    #[must_use]
    pub fn reach<'a>(&self, ufw: &'a Ufw) -> Reach<'a> {
        if self.is_loopback() {
            return Reach::Host;
        }
        let docker = self.docker(ufw);
        if !ufw.active || docker == Docker::Plain {
            return Reach::Everybody;
        }
        // By way of `ufw route` a packet goes to the container's address, which nobody knows before.
        let decision = match docker {
            Docker::UfwDocker => ufw.decide(Direction::Route, None, self.port, self.protocol),
            _ => ufw.decide(Direction::In, self.address, self.host_port, self.protocol),
        };
        match (decision.closed, decision.open, decision.denied_part.or(decision.blocked), decision.allowed_part) {
            (Some(rule), ..) if rule.action == Action::Limit => Reach::Limited(rule),
            (_, true, Some(rule), _) => Reach::EverybodyExcept(rule),
            (_, true, None, _) => Reach::Everybody,
            (None, false, _, some) if docker == Docker::UfwDocker => Reach::Private(some),
            (_, false, _, Some(rule)) => Reach::Only(rule),
            (closed, false, _, None) => Reach::Nobody(closed),
        }
    }

    /// What makes everybody reach it, and ufw say so; nothing where it is so.
    #[must_use]
    pub fn opening(&self, ufw: &Ufw) -> Vec<String> {
        let (docker, everybody) = (self.docker(ufw), matches!(self.reach(ufw), Reach::Everybody));
        if self.is_loopback() || !ufw.active {
            return Vec::new();
        }
        if docker == Docker::UfwDocker {
            return if everybody { Vec::new() } else { self.undo(ufw, Direction::Route) };
        }
        let agrees = matches!(ufw.verdict(self.address, self.host_port, self.protocol), Verdict::Allowed);
        if everybody && agrees { Vec::new() } else { self.undo(ufw, Direction::In) }
    }

    /// Takes back the rule that keeps everybody out, and lets everybody in.
    fn undo(&self, ufw: &Ufw, direction: Direction) -> Vec<String> {
        let (address, port) = if direction == Direction::Route { (None, self.port) } else { (self.address, self.host_port) };
        let decision = ufw.decide(direction, address, port, self.protocol);
        let against = decision.closed.or(decision.denied_part).or(decision.blocked);
        let mut commands: Vec<String> = against.map(delete).into_iter().collect();
        if !decision.open {
            commands.push(allow(self.docker(ufw), address, port, self.protocol));
        }
        commands
    }

    /// What makes no other machine reach it; nothing where none does.
    #[must_use]
    pub fn closing(&self, ufw: &Ufw) -> Vec<String> {
        let docker = self.docker(ufw);
        match self.reach(ufw) {
            Reach::Host | Reach::Nobody(_) => Vec::new(),
            _ if docker == Docker::Plain || (!ufw.active && docker == Docker::UfwDocker) => vec![self.drop(None)],
            // To switch ufw on might shut out whoever does it by SSH.
            _ if !ufw.active => {
                vec![format!("sudo {} -I INPUT ! -i lo -p {} --dport {} -j DROP", self.iptables(), self.protocol, self.host_port)]
            }
            _ if docker == Docker::UfwDocker => {
                vec![format!("sudo ufw route insert 1 deny proto {} from any to any port {}", self.protocol, self.port)]
            }
            _ => vec![format!("sudo ufw insert 1 deny {}", target(self.address, self.host_port, self.protocol))],
        }
    }

    /// What makes ufw's word true where Docker does not ask it: whom it keeps out is kept out.
    #[must_use]
    pub fn obeying(&self, ufw: &Ufw) -> Vec<String> {
        if !ufw.active || self.docker(ufw) != Docker::Plain || self.is_loopback() {
            return Vec::new();
        }
        match ufw.verdict(self.address, self.host_port, self.protocol) {
            Verdict::Allowed => Vec::new(),
            Verdict::NotAllowed => vec![self.drop(None)],
            Verdict::Denied(rule) if rule.action == Action::Limit => Vec::new(),
            // Only these: sources. An interface cannot be told from the others by a rule for everybody else.
            Verdict::Partly(rule) => vec![self.drop(plain_source(rule).map(|source| format!("! -s {source}")))],
            Verdict::Denied(rule) | Verdict::AllowedExcept(rule) => {
                vec![self.drop(plain_source(rule).map(|source| format!("-s {source}")))]
            }
        }
    }

    /// The chain `DOCKER-USER` is asked before Docker lets anybody in, and sees the port that was asked for.
    fn drop(&self, source: Option<String>) -> String {
        let (command, port, protocol) = (self.iptables(), self.host_port, self.protocol);
        let mut text = format!("sudo {command} -I DOCKER-USER -p {protocol}");
        if let Some(source) = source {
            let _ = write!(text, " {source}");
        }
        text.push_str(" -m conntrack");
        if let Some(address) = self.address.filter(|address| !address.is_unspecified()) {
            let _ = write!(text, " --ctorigdst {address}");
        }
        let _ = write!(text, " --ctorigdstport {port} --ctdir ORIGINAL -j DROP");
        text
    }

    fn iptables(&self) -> &'static str {
        if self.address.is_some_and(|address| address.is_ipv6()) { "ip6tables" } else { "iptables" }
    }
}

/// The command of ufw that opens a port to everybody.
#[must_use]
pub fn allow(docker: Docker, address: Option<IpAddr>, port: u16, protocol: Protocol) -> String {
    match docker {
        Docker::UfwDocker => format!("sudo ufw route allow proto {protocol} from any to any port {port}"),
        _ => format!("sudo ufw allow {}", target(address, port, protocol)),
    }
}

/// A port as `ufw allow` takes it: `9998/tcp`, or `proto tcp to 192.0.2.1 port 9998`.
fn target(address: Option<IpAddr>, port: u16, protocol: Protocol) -> String {
    match address.filter(|address| !address.is_unspecified()) {
        None => format!("{port}/{protocol}"),
        Some(address) => format!("proto {protocol} to {address} port {port}"),
    }
}

/// Takes a rule back: ufw(8) deletes a rule that is written as it was added.
fn delete(rule: &Rule) -> String {
    let route = if rule.direction == Direction::Route { "route " } else { "" };
    let action = rule.action.as_str();
    let mut text = format!("sudo ufw {route}delete {action}");
    if let Some(interface) = &rule.interface {
        let _ = write!(text, " in on {interface}");
    }
    let simple = rule.source.is_none() && rule.destination.is_none() && rule.interface.is_none() && rule.direction == Direction::In;
    if simple && !rule.ports.is_empty() {
        let _ = write!(text, " {}", rule.ports_text());
        return text;
    }
    if let Some(protocol) = rule.protocol {
        let _ = write!(text, " proto {protocol}");
    }
    let _ = write!(text, " from {}", rule.source.as_deref().unwrap_or("any"));
    let _ = write!(text, " to {}", rule.destination.map_or_else(|| "any".to_owned(), |net| net.to_string()));
    if !rule.ports.is_empty() {
        let ports = rule.ports_text();
        let _ = write!(text, " port {}", ports.split('/').next().unwrap_or_default());
    }
    text
}

/// The source of a rule, where it is an address or a network and nothing else restricts the rule.
fn plain_source(rule: &Rule) -> Option<&str> {
    rule.source.as_deref().filter(|source| super::Net::parse(source).is_some() && rule.interface.is_none() && rule.destination.is_none())
}

/// What decides, in words.
#[must_use]
pub fn docker_text(docker: Docker) -> &'static str {
    match docker {
        Docker::Plain => "Docker opens published ports before ufw is asked",
        Docker::UfwDocker => "ufw-docker: `ufw route` decides, by the container's port",
        Docker::HostNetwork => "containers are on the host's network: ufw decides, by the host's port",
        Docker::NoIptables => "the engine runs with `iptables: false`: ufw decides, by the host's port",
    }
}

/// Who reaches a port, in words.
fn reach_text(reach: Reach<'_>) -> String {
    match reach {
        Reach::Host => "this host alone".to_owned(),
        Reach::Everybody => "everybody".to_owned(),
        Reach::EverybodyExcept(rule) => format!("everybody but those of `{rule}`"),
        Reach::Limited(rule) => format!("everybody, at most 6 connections in 30 seconds (`{rule}`)"),
        Reach::Only(rule) => format!("those of `{rule}` alone"),
        Reach::Private(None) => "private networks alone (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)".to_owned(),
        Reach::Private(Some(rule)) => format!("private networks and those of `{rule}`"),
        Reach::Nobody(Some(rule)) => format!("no other machine (`{rule}`)"),
        Reach::Nobody(None) => "no other machine".to_owned(),
    }
}

/// What ufw lets its reader believe.
fn belief(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Allowed => "open".to_owned(),
        Verdict::AllowedExcept(rule) => format!("open, but `{rule}`"),
        Verdict::Partly(rule) => format!("open to some: `{rule}`"),
        Verdict::Denied(rule) if rule.action == Action::Limit => format!("limited: `{rule}`"),
        Verdict::Denied(rule) => format!("closed: `{rule}`"),
        Verdict::NotAllowed => "closed: no rule opens it".to_owned(),
    }
}

/// All published ports: to whom each is open, and what changes that. `ufw`: `None` when nothing is known of a firewall.
#[must_use]
pub fn text(name: &str, ports: &[Port], ufw: Option<&Ufw>) -> String {
    let off = Ufw::off();
    let known = ufw.unwrap_or(&off);
    let mut text = format!("{name}: {}\n", crate::rules::count(ports.len() as u64, "published port"));
    let state = match (ufw, known.active, known.default_allow) {
        (None, ..) => "no firewall is stated: `[host] firewall = …`, `--ufw FILE` or `--host live` tells of one",
        (Some(_), false, _) => "ufw is not active",
        (Some(_), true, false) => "ufw is active and keeps out what no rule lets in",
        (Some(_), true, true) => "ufw is active and lets in what no rule keeps out",
    };
    let _ = writeln!(text, "firewall  {state}\ndocker    {}", docker_text(known.docker));
    let mut temporary = false;
    for port in ports {
        let address = port.address.map_or_else(|| "all addresses".to_owned(), |address| address.to_string());
        let _ = writeln!(text, "\n{}: {}/{} on {address}, {} in the container", port.what, port.host_port, port.protocol, port.port);
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "  {key:<10}{value}");
        };
        if port.on_host && known.docker != Docker::HostNetwork {
            line("docker", docker_text(Docker::HostNetwork));
        }
        line("open to", &reach_text(port.reach(known)));
        if known.active && !port.is_loopback() {
            let says = match port.docker(known) {
                // What is said of the host's port is not asked.
                Docker::UfwDocker => reach_text(port.reach(known)),
                _ => belief(known.verdict(port.address, port.host_port, port.protocol)),
            };
            line("ufw says", &says);
        }
        let obeying = port.obeying(known);
        let closing = port.closing(known);
        for (key, commands) in [("to obey", &obeying), ("to open", &port.opening(known)), ("to close", &closing)] {
            // To close it to everybody may be the same as to do what ufw says.
            if key == "to close" && commands == &obeying {
                continue;
            }
            for command in commands {
                line(key, command);
                temporary |= command.contains("tables -I");
            }
        }
    }
    if temporary {
        text.push_str(
            "\nto obey: what ufw says becomes true; to open: everybody comes in, and ufw says so; to close: nobody does.\n\
             Rules of iptables last until the next start of the host; in /etc/ufw/after.rules they stay.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str =
        "Status: active\n9998/tcp DENY Anywhere\n8000:9000/tcp ALLOW Anywhere\n5432/tcp ALLOW 192.168.1.0/24\n22/tcp LIMIT Anywhere\n";

    fn ufw(docker: Docker) -> Ufw {
        Ufw { docker, ..Ufw::parse(RULES).unwrap() }
    }

    fn port(host_port: u16, port: u16) -> Port {
        Port { what: "a.b".into(), address: None, host_port, port, protocol: Protocol::Tcp, on_host: false }
    }

    fn reached(port: &Port, docker: Docker) -> String {
        reach_text(port.reach(&ufw(docker)))
    }

    #[test]
    fn plain_docker_opens_everything_that_is_not_on_loopback() {
        for number in [9998, 8080, 5432, 22, 7000] {
            assert_eq!(reached(&port(number, 80), Docker::Plain), "everybody");
        }
        let local = Port { address: Some([127, 0, 0, 1].into()), ..port(9998, 80) };
        for docker in [Docker::Plain, Docker::UfwDocker, Docker::HostNetwork, Docker::NoIptables] {
            assert_eq!(reached(&local, docker), "this host alone");
        }
    }

    #[test]
    fn without_translation_ufw_decides_by_the_host_port() {
        for docker in [Docker::HostNetwork, Docker::NoIptables] {
            assert_eq!(reached(&port(9998, 8080), docker), "no other machine (`deny 9998/tcp`)");
            assert_eq!(reached(&port(8080, 9998), docker), "everybody");
            assert_eq!(reached(&port(5432, 80), docker), "those of `allow 5432/tcp from 192.168.1.0/24` alone");
            assert_eq!(reached(&port(7000, 80), docker), "no other machine");
            assert_eq!(reached(&port(22, 80), docker), "everybody, at most 6 connections in 30 seconds (`limit 22/tcp`)");
        }
        let on_host = Port { on_host: true, ..port(9998, 9998) };
        assert_eq!(reached(&on_host, Docker::Plain), "no other machine (`deny 9998/tcp`)", "its own network decides");
    }

    #[test]
    fn with_ufw_docker_the_container_port_decides() {
        let text = "Status: active\n9998/tcp ALLOW FWD Anywhere\n9997/tcp DENY FWD Anywhere\n8080/tcp ALLOW Anywhere\n";
        let ufw = Ufw { docker: Docker::UfwDocker, ..Ufw::parse(text).unwrap() };
        let reached = |port: &Port| reach_text(port.reach(&ufw));
        assert_eq!(reached(&port(80, 9998)), "everybody");
        assert_eq!(reached(&port(80, 9997)), "no other machine (`route deny 9997/tcp`)");
        assert_eq!(reached(&port(8080, 80)), "private networks alone (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)");
        assert_eq!(port(8080, 80).opening(&ufw), ["sudo ufw route allow proto tcp from any to any port 80"]);
        assert_eq!(
            port(80, 9997).opening(&ufw),
            ["sudo ufw route delete deny proto tcp from any to any port 9997", "sudo ufw route allow proto tcp from any to any port 9997"]
        );
    }

    #[test]
    fn commands_make_words_and_truth_agree() {
        let plain = ufw(Docker::Plain);
        assert_eq!(
            port(9998, 80).obeying(&plain),
            ["sudo iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 9998 --ctdir ORIGINAL -j DROP"]
        );
        assert_eq!(port(9998, 80).opening(&plain), ["sudo ufw delete deny 9998/tcp", "sudo ufw allow 9998/tcp"]);
        assert_eq!(
            port(5432, 80).obeying(&plain),
            ["sudo iptables -I DOCKER-USER -p tcp ! -s 192.168.1.0/24 -m conntrack --ctorigdstport 5432 --ctdir ORIGINAL -j DROP"]
        );
        assert_eq!(port(7000, 80).opening(&plain), ["sudo ufw allow 7000/tcp"]);
        assert!(port(8080, 80).opening(&plain).is_empty() && port(8080, 80).obeying(&plain).is_empty());
        let one = Port { address: Some([192, 0, 2, 1].into()), ..port(7000, 80) };
        assert_eq!(one.opening(&plain), ["sudo ufw allow proto tcp to 192.0.2.1 port 7000"]);
        assert_eq!(
            one.closing(&plain),
            ["sudo iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdst 192.0.2.1 --ctorigdstport 7000 --ctdir ORIGINAL -j DROP"]
        );
        let direct = ufw(Docker::NoIptables);
        assert_eq!(port(7000, 80).opening(&direct), ["sudo ufw allow 7000/tcp"]);
        assert_eq!(port(8080, 80).closing(&direct), ["sudo ufw insert 1 deny 8080/tcp"]);
        assert!(port(7000, 80).closing(&direct).is_empty());
    }
}
