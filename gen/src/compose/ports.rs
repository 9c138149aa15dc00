//! The short syntax of `ports`: `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`, each part of ports a number or a range.

use std::net::IpAddr;

use super::tree::{Entry, Map, Node, Value};
use crate::source::Origin;

/// Reads a short syntax into the long one: one mapping for each port of the container, in the order of Compose.
///
/// Errors say what is wrong, in the words of the field.
pub fn parse(spec: &str, origin: Origin) -> Result<Vec<Node>, String> {
    let (address, host, container) = split(spec);
    let (container, protocol) = container.split_once('/').unwrap_or((container, ""));
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.split('/').next().unwrap_or_default().to_lowercase() };
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("`{bare}` is no IP address"));
    }
    if container.is_empty() {
        return Err("it names no port of the container".to_owned());
    }
    let (first, last) = range(container).map_err(|error| format!("the container's port {error}"))?;
    let published = if host.is_empty() { None } else { Some(range(host).map_err(|error| format!("the host's port {error}"))?) };
    if let Some((from, to)) = published
        && last - first != to - from
        && first != last
    {
        return Err(format!("the ranges `{host}` and `{container}` do not have the same length"));
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("`{protocol}` is no protocol: there are `tcp`, `udp` and `sctp`"));
    }
    let port = |target: u16| {
        let published = published.map(|(from, to)| match target - first {
            // One port of the container, a free one of several on the host.
            _ if first == last && from != to => format!("{from}-{to}"),
            step => (from + step).to_string(),
        });
        let mut map = Map::default();
        let mut put = |key: &str, value: Value| {
            map.insert(key.to_owned(), Entry { key: origin, node: Node::new(origin, value) });
        };
        put("mode", Value::String("ingress".to_owned()));
        if !bare.is_empty() {
            put("host_ip", Value::String(bare.to_owned()));
        }
        put("target", Value::Int(i64::from(target)));
        if let Some(published) = published {
            put("published", Value::String(published));
        }
        put("protocol", Value::String(protocol.clone()));
        (target.to_string(), Node::new(origin, Value::Map(map)))
    };
    let mut all: Vec<(String, Node)> = (first..=last).map(port).collect();
    // Compose sorts by the text.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all.into_iter().map(|(_, node)| node).collect())
}

/// Address, host's part and container's part.
fn split(spec: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = spec.rsplit_once(':') else { return ("", "", spec) };
    match rest.rsplit_once(':') {
        Some((address, host)) => (address, host, container),
        None => ("", rest, container),
    }
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse::<u16>().ok()).flatten();
        number.ok_or_else(|| format!("`{}` is no number from 0 to 65535", crate::source::decode::shorten(text)))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        return Err(format!("`{text}` is a range that ends before it begins"));
    }
    Ok((first, last))
}

/// What tells a port of the long syntax from the others.
#[must_use]
pub fn identity(port: &Node, target: &str) -> String {
    let text = |key: &str| port.get(key).and_then(Node::scalar);
    let host = text("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
    let protocol = text("protocol").unwrap_or_else(|| "tcp".to_owned());
    format!("{host}:{}:{target}/{protocol}", text("published").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &str) -> Result<Vec<String>, String> {
        let shown = |port: &Node| {
            let text = |key: &str| port.get(key).and_then(Node::scalar).unwrap_or_default();
            format!("{}|{}|{}|{}", text("host_ip"), text("published"), text("target"), text("protocol"))
        };
        parse(spec, Origin::default()).map(|ports| ports.iter().map(shown).collect())
    }

    #[test]
    fn every_short_form() {
        assert_eq!(of("80").unwrap(), ["||80|tcp"]);
        assert_eq!(of("8080:80/udp").unwrap(), ["|8080|80|udp"]);
        assert_eq!(of("127.0.0.1:8080:80").unwrap(), ["127.0.0.1|8080|80|tcp"]);
        assert_eq!(of("127.0.0.1::80").unwrap(), ["127.0.0.1||80|tcp"]);
        assert_eq!(of("[::1]:8080:80").unwrap(), ["::1|8080|80|tcp"]);
        assert_eq!(of("::1:8080:80").unwrap(), ["::1|8080|80|tcp"]);
        assert_eq!(of("9-10:99-100").unwrap(), ["|10|100|tcp", "|9|99|tcp"]);
        assert_eq!(of("8000-8002:80").unwrap(), ["|8000-8002|80|tcp"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (spec, error) in [
            ("", "it names no port of the container"),
            ("80:", "it names no port of the container"),
            ("70000:80", "the host's port `70000` is no number from 0 to 65535"),
            ("80:x", "the container's port `x` is no number from 0 to 65535"),
            ("localhost:80:80", "`localhost` is no IP address"),
            ("80/http", "`http` is no protocol: there are `tcp`, `udp` and `sctp`"),
            ("8000-8002:80-81", "the ranges `8000-8002` and `80-81` do not have the same length"),
            ("9-8:80", "the host's port `9-8` is a range that ends before it begins"),
        ] {
            assert_eq!(of(spec).unwrap_err(), error, "{spec}");
        }
    }
}
