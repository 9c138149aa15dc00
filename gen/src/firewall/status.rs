//! What `ufw status` prints, also `verbose` and `numbered`:
//!
//! ```text
//! To                         Action      From
//! --                         ------      ----
//! 8000:9000/tcp              ALLOW IN    Anywhere                   # a comment
//! 10.1.1.1 9998/udp on eth0  DENY        10.0.0.0/8 1000/udp        (log)
//! Nginx Full (v6)            ALLOW       Anywhere (v6)
//! ```

use super::{Action, Direction, Net, ParseError, Ranges, Rule, Ufw, Version, ports, profiles, protocol};
use crate::spec::values::Protocol;

pub(super) fn parse(text: &str) -> Result<Ufw, ParseError> {
    // What stands in front may be the prompt and the command that somebody copied along.
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| !line.trim_start().starts_with("Status:"));
    let Some((_, state)) = lines.next() else { return Err(not_ufw(text)) };
    let active = match state.trim_start().strip_prefix("Status:").map(str::trim) {
        Some("active") => true,
        Some("inactive") => false,
        _ => return Err(ParseError::Language),
    };
    let mut ufw = Ufw::new(active, false);
    for (index, line) in lines {
        let wrong = || ParseError::line(index + 1, line);
        let line = without_number(line.trim());
        if line.is_empty() || line.starts_with("Logging:") || line.starts_with("New profiles:") || is_heading(line) {
            continue;
        }
        if let Some(policies) = line.strip_prefix("Default:") {
            let incoming = policies.split(',').find(|policy| policy.contains("(incoming)")).ok_or_else(wrong)?;
            ufw.default_allow = incoming.trim_start().starts_with("allow");
            continue;
        }
        rules(line).ok_or_else(wrong)?.into_iter().try_for_each(|rule| ufw.add(rule))?;
    }
    Ok(ufw)
}

/// The nearest explanation of a text without a status.
fn not_ufw(text: &str) -> ParseError {
    if text.contains("You need to be root") {
        return ParseError::NotRoot;
    }
    // Other languages translate the words of the first line and of the heading, but nobody translates the line below.
    let table = text.lines().take(50).any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some() && words.next().is_some() && is_dashes(line)
    });
    if table { ParseError::Language } else { ParseError::NotUfw }
}

fn is_dashes(line: &str) -> bool {
    !line.trim().is_empty() && line.trim().chars().all(|c| c == '-' || c == ' ')
}

/// `To  Action  From` and the line of dashes below.
fn is_heading(line: &str) -> bool {
    is_dashes(line) || line.split_whitespace().eq(["To", "Action", "From"])
}

/// Takes `[ 1] ` from the front.
fn without_number(line: &str) -> &str {
    let Some((number, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { return line };
    if number.trim().bytes().all(|c| c.is_ascii_digit()) { rest.trim_start() } else { line }
}

/// The rules of a line: one, several for a profile with two protocols, none for an unknown profile or a protocol
/// without ports. `None` when the line is no rule at all.
fn rules(line: &str) -> Option<Vec<Rule>> {
    let (to, action, rest) = columns(line)?;
    let (direction, from) = direction(rest);
    let from = from.split('#').next().unwrap_or_default();
    let from = ["(out)", "(log)", "(log-all)"].iter().fold(from.to_owned(), |from, mark| from.replace(mark, ""));
    let (to, from) = (side(to), side(&from));
    let all = if to.what.is_empty() { vec![(Vec::new(), to.protocol)] } else { named_ports(&to.what) };
    if to.portless || from.portless {
        return Some(Vec::new());
    }
    let v6 = to.v6 || from.v6 || [to.net, from.net].iter().flatten().any(|net| net.version() == Version::V6);
    // The topmost table of a route rule has its incoming interface on the right.
    let interface = if direction == Direction::Route { from.interface } else { to.interface };
    let source = match (from.net, from.what) {
        (None, what) if what.is_empty() => None,
        (None, what) => Some(format!("port {what}")),
        (Some(net), what) if what.is_empty() => Some(net.to_string()),
        (Some(net), what) => Some(format!("{net} port {what}")),
    };
    let rule = |(ports, protocol): (Ranges, Option<Protocol>)| Rule {
        action,
        direction,
        ports,
        protocol: protocol.or(from.protocol),
        version: Some(if v6 { Version::V6 } else { Version::V4 }),
        source: source.clone(),
        destination: to.net.filter(|net| !net.is_everything()),
        interface: interface.clone(),
        pointer: None,
    };
    Some(all.into_iter().map(rule).collect())
}

/// The column `To`, the action, and what is behind it. A long first column leaves a single blank before the action.
fn columns(line: &str) -> Option<(&str, Action, &str)> {
    let mut at = 0;
    for word in line.split_whitespace() {
        let start = at + line[at..].find(word)?;
        at = start + word.len();
        if let Some(action) = Action::parse(word).filter(|action| start > 0 && word != action.as_str()) {
            return Some((line[..start].trim(), action, &line[at..]));
        }
    }
    None
}

fn direction(rest: &str) -> (Direction, &str) {
    let words = [("IN", Direction::In), ("OUT", Direction::Out), ("FWD", Direction::Route)];
    let rest = rest.trim_start();
    let found = words.into_iter().find_map(|(word, direction)| Some((direction, rest.strip_prefix(word)?)));
    let found = found.filter(|(_, rest)| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let out = if rest.contains("(out)") { Direction::Out } else { Direction::In };
    found.unwrap_or((out, rest))
}

/// What a column says.
#[derive(Default)]
struct Side {
    net: Option<Net>,
    /// Ports or a profile; empty for every port.
    what: String,
    protocol: Option<Protocol>,
    interface: Option<String>,
    v6: bool,
    /// A protocol without ports.
    portless: bool,
}

fn side(text: &str) -> Side {
    let mut side = Side { v6: text.contains("(v6)"), ..Side::default() };
    let text = text.replace("(v6)", "");
    let text = match text.split_once(" on ") {
        Some((text, interface)) => {
            side.interface = interface.split_whitespace().next().map(str::to_owned);
            text
        }
        None => &text,
    };
    // `80,443/tcp (Nginx Full)`: the ports are there, the profile's name adds nothing.
    let text = text.split_once('(').map_or(text, |(ports, _)| ports).trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (address, proto) = match first.strip_prefix("Anywhere") {
        Some("") => (Some(None), None),
        Some(proto) => (Some(None), proto.strip_prefix('/')),
        None => match (Net::parse(first), first.rsplit_once('/')) {
            (Some(net), _) => (Some(Some(net)), None),
            (None, Some((address, proto))) => (Net::parse(address).map(Some), Some(proto)),
            (None, None) => (None, None),
        },
    };
    match address {
        Some(net) => {
            side.net = net;
            rest.trim().clone_into(&mut side.what);
            match protocol(proto.unwrap_or("any")) {
                Ok(protocol) => side.protocol = protocol,
                Err(()) => side.portless = true,
            }
        }
        None => text.clone_into(&mut side.what),
    }
    side
}

/// `80,443/tcp`, `53`, or a profile's name.
fn named_ports(what: &str) -> Vec<(Ranges, Option<Protocol>)> {
    let (numbers, proto) = what.split_once('/').unwrap_or((what, "any"));
    match (ports(numbers), protocol(proto)) {
        (Some(ports), Ok(protocol)) => vec![(ports, protocol)],
        (Some(_), Err(())) => Vec::new(),
        (None, _) => profiles::ports_of(what),
    }
}
