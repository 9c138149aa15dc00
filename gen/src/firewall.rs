//! The host's firewall: what ufw says about a port, from the topology's words or from ufw's own.
//!
//! Docker publishes ports by address translation that happens before ufw's rules are asked. So nothing here tells
//! whether a packet arrives; it tells what the operator *believes*, and rules compare that with what is published.

pub mod live;
pub mod open;
mod profiles;
mod status;
mod user_rules;

use std::fmt;
use std::net::IpAddr;

use crate::source::{Pointer, pointer};
use crate::spec::values::Protocol;
use crate::spec::{self, Docker, FirewallDefault, FirewallKind, PortRange};

/// The most rules that are kept: every published port is held against each. Lists of blocked sources, which may be longer,
/// do not count.
pub const MAX_RULES: usize = 5_000;

/// First and last port of each range.
pub type Ranges = Vec<(u16, u16)>;

/// What the host's firewall does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ufw {
    /// Whether it is switched on.
    pub active: bool,
    /// Whether it lets in what no rule speaks of.
    pub default_allow: bool,
    /// Its rules for what comes in or goes through, in the order in which it asks them: the first that matches decides. Of
    /// those that block sources at every port only the first is here: it stands for all.
    pub rules: Vec<Rule>,
    /// How Docker's own rules stand to it.
    pub docker: Docker,
    /// Whether a source is blocked already, by IP version.
    blocks: [bool; 2],
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens to what it matches.
    pub action: Action,
    /// Which way the traffic goes.
    pub direction: Direction,
    /// First and last port of each range; none means every port.
    pub ports: Ranges,
    /// `None` means TCP and UDP.
    pub protocol: Option<Protocol>,
    /// The IP version that it is for; `None` means both.
    pub version: Option<Version>,
    /// The source as ufw writes it; `None` means from anywhere.
    pub source: Option<String>,
    /// The host's address or network; `None` means all of them.
    pub destination: Option<Net>,
    /// The interface that traffic comes in on; `None` means any.
    pub interface: Option<String>,
    /// Where the topology says so.
    pub pointer: Option<Pointer>,
}

/// What a rule does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Let in.
    Allow,
    /// Drop.
    Deny,
    /// Refuse with an answer.
    Reject,
    /// Let in, but no source more than 6 times in 30 seconds (ufw(8), "limit").
    Limit,
}

impl Action {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "allow" | "ALLOW" => Self::Allow,
            "deny" | "DENY" => Self::Deny,
            "reject" | "REJECT" => Self::Reject,
            "limit" | "LIMIT" => Self::Limit,
            _ => return None,
        })
    }

    /// As the command line of ufw has it: `allow`, `deny`, `reject`, `limit`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Reject => "reject",
            Self::Limit => "limit",
        }
    }
}

/// Which way the traffic of a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this host.
    In,
    /// From this host.
    Out,
    /// Through this host (`ufw route`).
    Route,
}

/// The version of the Internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// An address, or a network by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Reads `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        (prefix <= most).then_some(Self { address, prefix })
    }

    /// `0.0.0.0/0` and `::/0`.
    fn is_everything(self) -> bool {
        self.prefix == 0
    }

    fn version(self) -> Version {
        if self.address.is_ipv4() { Version::V4 } else { Version::V6 }
    }

    fn contains(self, address: IpAddr) -> bool {
        let same = |own: u128, other: u128, bits: u32| {
            let rest = bits - u32::from(self.prefix);
            // A shift by all 128 bits is none that a processor knows.
            own.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(u32::from(own).into(), u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == whole { write!(f, "{}", self.address) } else { write!(f, "{}/{}", self.address, self.prefix) }
    }
}

/// A rule in the words of ufw's command line: `deny 3306/tcp`, `allow 5432/tcp from 192.168.1.0/24`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.direction == Direction::Route {
            f.write_str("route ")?;
        }
        f.write_str(self.action.as_str())?;
        if !self.ports.is_empty() {
            write!(f, " {}", self.ports_text())?;
        }
        if let Some(restriction) = self.restriction() {
            write!(f, " {restriction}")?;
        }
        Ok(())
    }
}

impl Rule {
    /// Its ports as ufw writes them: `80,443/tcp`, `8000:9000/tcp`, `53`.
    #[must_use]
    pub fn ports_text(&self) -> String {
        let shown = self.ports.iter().take(8).map(|range| range_text(*range, None)).collect::<Vec<_>>().join(",");
        let more = if self.ports.len() > 8 { ",…" } else { "" };
        self.protocol.map_or_else(|| format!("{shown}{more}"), |protocol| format!("{shown}{more}/{protocol}"))
    }

    /// To whom alone it applies, in words: `from 192.168.1.0/24`, `on wg0`.
    #[must_use]
    pub fn restriction(&self) -> Option<String> {
        let parts = [
            self.source.as_ref().map(|source| format!("from {}", crate::source::decode::shorten(source))),
            self.destination.map(|destination| format!("to {destination}")),
            self.interface.as_ref().map(|interface| format!("on {}", crate::source::decode::shorten(interface))),
        ];
        let words: Vec<String> = parts.into_iter().flatten().collect();
        if words.is_empty() { None } else { Some(words.join(" ")) }
    }

    fn covers(&self, port: u16, protocol: Protocol) -> bool {
        self.protocol.is_none_or(|own| own == protocol)
            && (self.ports.is_empty() || self.ports.iter().any(|(first, last)| (*first..=*last).contains(&port)))
    }

    /// How much of the traffic to a port it decides about.
    fn matches(&self, asked: &Asked) -> Match {
        if !self.covers(asked.port, asked.protocol) || self.version.is_some_and(|version| version != asked.version) {
            return Match::No;
        }
        let destination = match (self.destination, asked.address) {
            (None, _) => Match::Whole,
            (Some(_), None) => Match::Part,
            (Some(net), Some(address)) if net.contains(address) => Match::Whole,
            _ => return Match::No,
        };
        if self.source.is_some() || self.interface.is_some() { Match::Part } else { destination }
    }
}

fn range_text((first, last): (u16, u16), protocol: Option<Protocol>) -> String {
    let ports = if first == last { first.to_string() } else { format!("{first}:{last}") };
    protocol.map_or(ports.clone(), |protocol| format!("{ports}/{protocol}"))
}

/// A port that is asked about.
struct Asked {
    address: Option<IpAddr>,
    port: u16,
    protocol: Protocol,
    version: Version,
}

/// How much of the traffic to a port a rule decides about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    No,
    /// From some sources, on one interface, to one of several addresses.
    Part,
    Whole,
}

/// What the rules of one direction say about a port, each answer with its first rule.
#[derive(Debug, Clone, Copy, Default)]
struct Decision<'a> {
    /// Whether everybody else is let in.
    open: bool,
    /// What keeps everybody else out.
    closed: Option<&'a Rule>,
    allowed_part: Option<&'a Rule>,
    denied_part: Option<&'a Rule>,
    /// A source that is kept out at every port.
    blocked: Option<&'a Rule>,
}

/// What ufw says about a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It lets everybody in.
    Allowed,
    /// It lets everybody in but those that this rule keeps out.
    AllowedExcept(&'a Rule),
    /// It lets in only some: those of whom this rule speaks.
    Partly(&'a Rule),
    /// This rule keeps the port closed, or limits it.
    Denied(&'a Rule),
    /// No rule opens the port, and the default is to keep it closed.
    NotAllowed,
}

/// Why a text tells nothing about ufw. Each message stands alone behind the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but blanks.
    #[error("it is empty; give it the output of `sudo ufw status verbose`")]
    Empty,
    /// `ufw status` without the rights for it.
    #[error("ufw was not run as root, so that it told nothing; run `sudo ufw status verbose`")]
    NotRoot,
    /// The right command in another language.
    #[error("it is not the output of `ufw status` in English; run `sudo LC_ALL=C ufw status verbose`")]
    Language,
    /// Something else.
    #[error("it is neither the output of `ufw status` nor `/etc/ufw/user.rules`; run `sudo ufw status verbose`")]
    NotUfw,
    /// A line that is no rule.
    #[error("line {line} is not the output of `ufw status` nor of `/etc/ufw/user.rules`: `{text}`")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// More than [`MAX_RULES`].
    #[error("it has more than {MAX_RULES} rules; give only those for ports that are published")]
    TooMany,
}

impl ParseError {
    fn line(number: usize, text: &str) -> Self {
        Self::Line { line: number, text: crate::source::decode::shorten(text.trim()) }
    }
}

impl Ufw {
    /// Reads what `ufw status` prints (also `verbose` and `numbered`), or `/etc/ufw/user.rules` and `user6.rules`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.trim().is_empty() {
            return Err(ParseError::Empty);
        }
        if user_rules::is(text) {
            return user_rules::parse(text);
        }
        status::parse(text)
    }

    /// What the topology's `[host] firewall` says. `None` when it says that there is no firewall.
    ///
    /// It has no order of rules, so the stricter ones are asked first: somebody who opens a range and denies a port of
    /// it means the denial.
    #[must_use]
    pub fn from_spec(firewall: &spec::Firewall) -> Option<Self> {
        if firewall.kind == FirewallKind::None {
            return None;
        }
        let lists = [
            (Action::Deny, &firewall.deny),
            (Action::Reject, &firewall.reject),
            (Action::Limit, &firewall.limit),
            (Action::Allow, &firewall.allow),
        ];
        let rule = |action: Action, index: usize, range: &PortRange| Rule {
            action,
            direction: Direction::In,
            ports: vec![(range.first, range.last)],
            protocol: range.protocol,
            version: None,
            source: None,
            destination: None,
            interface: None,
            pointer: Some(pointer(["host", "firewall", action.as_str(), &index.to_string()])),
        };
        let rules = lists
            .into_iter()
            .flat_map(|(action, list)| list.iter().enumerate().map(move |(index, range)| rule(action, index, range)))
            .collect();
        let docker = firewall.docker.unwrap_or_default();
        Some(Self { rules, docker, ..Self::new(true, firewall.default == Some(FirewallDefault::Allow)) })
    }

    fn new(active: bool, default_allow: bool) -> Self {
        Self { active, default_allow, rules: Vec::new(), docker: Docker::default(), blocks: [false; 2] }
    }

    /// A firewall that is not there, or switched off.
    #[must_use]
    pub fn off() -> Self {
        Self::new(false, true)
    }

    /// Takes a rule up, unless it changes nothing of what can be asked.
    fn add(&mut self, rule: Rule) -> Result<(), ParseError> {
        if rule.direction == Direction::Out {
            return Ok(());
        }
        let some_sources = rule.source.is_some() || rule.interface.is_some();
        if rule.direction == Direction::In && rule.ports.is_empty() && some_sources && rule.destination.is_none() {
            // A trusted host opens no port to everybody; a blocked one stands for all that are.
            let known = &mut self.blocks[usize::from(rule.version == Some(Version::V6))];
            if rule.action == Action::Allow || std::mem::replace(known, true) {
                return Ok(());
            }
        }
        if self.rules.len() == MAX_RULES {
            return Err(ParseError::TooMany);
        }
        self.rules.push(rule);
        Ok(())
    }

    /// The same firewall, with an engine that stands so to it.
    #[must_use]
    pub fn with(self, docker: Docker) -> Self {
        Self { docker, ..self }
    }

    /// What it says about a port of the host; `address` is the one that it is published on, `None` for all.
    #[must_use]
    pub fn verdict(&self, address: Option<IpAddr>, port: u16, protocol: Protocol) -> Verdict<'_> {
        let decision = self.decide(Direction::In, address, port, protocol);
        match (decision.closed.or(decision.denied_part), decision.open, decision.blocked, decision.allowed_part) {
            (Some(rule), ..) => Verdict::Denied(rule),
            (None, true, Some(rule), _) => Verdict::AllowedExcept(rule),
            (None, true, None, _) => Verdict::Allowed,
            (None, false, _, Some(rule)) => Verdict::Partly(rule),
            (None, false, _, None) => Verdict::NotAllowed,
        }
    }

    /// Asks the rules of one direction in their order, up to the first that speaks of everybody.
    fn decide(&self, direction: Direction, address: Option<IpAddr>, port: u16, protocol: Protocol) -> Decision<'_> {
        let version = match address {
            Some(address) if address.is_ipv6() => Version::V6,
            // `user6.rules` alone tells only of IPv6.
            None if !self.rules.is_empty() && self.rules.iter().all(|rule| rule.version == Some(Version::V6)) => Version::V6,
            _ => Version::V4,
        };
        let asked = Asked { address, port, protocol, version };
        let mut decision = Decision { open: self.default_allow && direction == Direction::In, ..Decision::default() };
        for rule in self.rules.iter().filter(|rule| rule.direction == direction) {
            let known = match (rule.matches(&asked), rule.action) {
                (Match::No, _) => continue,
                (Match::Whole, Action::Allow) => {
                    decision.open = true;
                    break;
                }
                (Match::Whole, _) => {
                    decision.open = false;
                    decision.closed = Some(rule);
                    break;
                }
                // A rule for all ports is for a trusted host or network, not for this port.
                (Match::Part, Action::Allow) if rule.ports.is_empty() => continue,
                (Match::Part, Action::Allow) => &mut decision.allowed_part,
                (Match::Part, _) if rule.ports.is_empty() => &mut decision.blocked,
                (Match::Part, _) => &mut decision.denied_part,
            };
            known.get_or_insert(rule);
        }
        decision
    }

    /// Whether `ufw route` lets everybody through to a container's port. With the rules of ufw-docker that is what
    /// decides, and whoever writes such a rule has them.
    #[must_use]
    pub fn routes_to(&self, port: u16, protocol: Protocol) -> bool {
        let route = self.rules.iter().filter(|rule| rule.direction == Direction::Route);
        route
            .filter(|rule| rule.source.is_none() && rule.version != Some(Version::V6))
            .find(|rule| rule.covers(port, protocol))
            .is_some_and(|rule| rule.action == Action::Allow)
    }

    /// The range nearest to a port that everybody is let in on, as ufw writes it: `8000:9000/tcp`.
    #[must_use]
    pub fn nearest_allowed(&self, port: u16, protocol: Protocol) -> Option<String> {
        let open = |rule: &&Rule| {
            rule.direction == Direction::In
                && rule.action == Action::Allow
                && rule.protocol.is_none_or(|own| own == protocol)
                && rule.version != Some(Version::V6)
                && rule.restriction().is_none()
        };
        let ranges = self.rules.iter().filter(open).flat_map(|rule| rule.ports.iter().map(|range| (*range, rule.protocol)));
        let distance = |(first, last): (u16, u16)| {
            if port < first { first - port } else { port.saturating_sub(last) }
        };
        ranges.min_by_key(|(range, _)| distance(*range)).map(|(range, protocol)| range_text(range, protocol))
    }
}

/// Reads ports as ufw writes them: `22`, `8000:9000`, `80,443,8000:8100`.
fn ports(text: &str) -> Option<Ranges> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        if digits { text.parse::<u16>().ok() } else { None }
    };
    let range = |text: &str| {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some((first, last))
    };
    // ufw itself takes at most 15 (ufw(8), "multiple ports").
    if text.split(',').nth(64).is_some() { None } else { text.split(',').map(range).collect() }
}

/// Reads a protocol; `Err` for those that have no ports (`esp`, `gre`, …).
fn protocol(text: &str) -> Result<Option<Protocol>, ()> {
    match text {
        "any" => Ok(None),
        "tcp" => Ok(Some(Protocol::Tcp)),
        "udp" => Ok(Some(Protocol::Udp)),
        _ => Err(()),
    }
}
