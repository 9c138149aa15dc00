//! `/etc/ufw/user.rules` and `user6.rules`: ufw keeps each rule as a comment for itself,
//! `### tuple ### allow tcp 8000:9000 0.0.0.0/0 any 0.0.0.0/0 in`, above the lines for iptables.

use super::{Action, Direction, Net, ParseError, Rule, Ufw, ports, protocol};

const TUPLE: &str = "### tuple ###";

/// Whether a text is such a file: it has rules, or the frame of a file without any.
pub(super) fn is(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(TUPLE) || line.trim_end() == "### RULES ###")
}

/// Reads the file. Whether ufw is on and what it does by default stands in other files (`/etc/ufw/ufw.conf`,
/// `/etc/default/ufw`); where their lines come along they are obeyed, else ufw is on and closed, as it comes.
pub(super) fn parse(text: &str) -> Result<Ufw, ParseError> {
    let mut ufw = Ufw::new(true, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(tuple) = line.strip_prefix(TUPLE) {
            let words: Vec<&str> = tuple.split_whitespace().take(12).collect();
            rule(&words).map_err(|()| ParseError::line(index + 1, line))?.into_iter().try_for_each(|rule| ufw.add(rule))?;
        } else if let Some(policy) = line.strip_prefix("DEFAULT_INPUT_POLICY=") {
            ufw.default_allow = policy.trim_matches('"') == "ACCEPT";
        } else if let Some(enabled) = line.strip_prefix("ENABLED=") {
            ufw.active = enabled.trim_matches('"') == "yes";
        }
    }
    Ok(ufw)
}

/// Action, protocol, destination port and address, source port and address, then two profiles, a direction and a
/// comment, each of which may be missing. `None` for a rule of a protocol that has no ports.
fn rule(words: &[&str]) -> Result<Option<Rule>, ()> {
    let [action, proto, dport, dst, sport, src, rest @ ..] = words else { return Err(()) };
    let rest: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with("comment=")).collect();
    let way = match rest.as_slice() {
        [] | [_, _] => "in",
        [way] | [_, _, way] => way,
        _ => return Err(()),
    };
    let (route, action) = action.strip_prefix("route:").map_or((false, *action), |action| (true, action));
    let action = action.split_once('_').map_or(action, |(action, _)| action);
    let action = Action::parse(action).ok_or(())?;
    let incoming = way.split('!').find_map(|part| part.strip_prefix("in"));
    let outgoing = way.split('!').any(|part| part.starts_with("out"));
    let direction = match (route, incoming, outgoing) {
        (true, ..) => Direction::Route,
        (false, Some(_), _) => Direction::In,
        (false, None, true) => Direction::Out,
        (false, None, false) => return Err(()),
    };
    let interface = incoming.and_then(|part| part.strip_prefix('_')).map(str::to_owned);
    let (destination, source) = (Net::parse(dst).ok_or(())?, Net::parse(src).ok_or(())?);
    let Ok(protocol) = protocol(proto) else { return Ok(None) };
    let ports = if *dport == "any" { Vec::new() } else { ports(dport).ok_or(())? };
    let source = match (source.is_everything(), *sport) {
        (true, "any") => None,
        (true, port) => Some(format!("port {port}")),
        (false, "any") => Some(source.to_string()),
        (false, port) => Some(format!("{source} port {port}")),
    };
    Ok(Some(Rule {
        action,
        direction,
        ports,
        protocol,
        version: Some(destination.version()),
        source,
        destination: Some(destination).filter(|net| !net.is_everything()),
        interface,
        pointer: None,
    }))
}
