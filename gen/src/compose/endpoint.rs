//! Endpoints: where a service connects to and where it listens, as its environment and its arguments say.
//!
//! `tcp://bro:9999`, `BROKER_HOST` with `BROKER_PORT`, `db:5432`, `redis://:secret@cache/0`, `--bind 0.0.0.0:8000`. What may be
//! anything is left out: a wrong guess would become a wrong finding.

use crate::source::Origin;

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The process connects to it.
    Connect,
    /// The process listens there.
    Bind,
    /// It is told to others, browsers for example, or nobody can tell.
    Other,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What it is for.
    pub role: Role,
    /// `tcp`, `http`; none of `host:port` and of pairs of variables.
    pub scheme: Option<String>,
    /// The host, in small letters.
    pub host: String,
    /// The port, where one is said.
    pub port: Port,
    /// The variable or the flag that says it.
    pub name: String,
    /// Whether it can be nothing but an address.
    pub is_sure: bool,
    /// The value.
    pub origin: Origin,
    /// The way to it: `services.web.environment.URL`.
    pub path: String,
}

/// The port of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// None is said.
    Missing,
    /// It is no port: 0, or more than 65535, or no number.
    Wrong(String),
    /// It is said.
    Number(u16),
    /// Something that is not known here stands for it.
    Unknown,
}

impl Endpoint {
    /// The port, or the one that goes without saying with its scheme.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match self.port {
            Port::Number(port) => Some(port),
            Port::Missing => self.scheme.as_deref().and_then(super::images::default_port),
            Port::Wrong(_) | Port::Unknown => None,
        }
    }

    /// As it may be shown: without user and password.
    #[must_use]
    pub fn shown(&self) -> String {
        let scheme = self.scheme.as_ref().map_or_else(String::new, |scheme| format!("{scheme}://"));
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match &self.port {
            Port::Number(port) => format!("{scheme}{host}:{port}"),
            Port::Wrong(text) => format!("{scheme}{host}:{text}"),
            Port::Missing | Port::Unknown => format!("{scheme}{host}"),
        }
    }

    /// Whether it stands for every address: `*`, `0.0.0.0`, `::`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "*" | "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
    }

    /// Whether it is the container itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether only a browser or another program outside may use it: `http`.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self.scheme.as_deref(), Some("http" | "https" | "ws" | "wss"))
    }

    /// Whether a service of the project may be meant: a name without dots.
    #[must_use]
    pub fn is_name(&self) -> bool {
        !self.is_wildcard() && !self.is_loopback() && !self.host.contains(['.', ':']) && !self.host.chars().all(|c| c.is_ascii_digit())
    }
}

/// Whether a host is the machine itself, seen from inside.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "::1") || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Schemes of network protocols; what else has `://` may be the name of a bucket, a file or an app.
const SCHEMES: &[&str] = &[
    "amqp",
    "amqps",
    "bolt",
    "cassandra",
    "celery",
    "clickhouse",
    "etcd",
    "fluentd",
    "ftp",
    "gelf",
    "grpc",
    "http",
    "https",
    "imap",
    "kafka",
    "ldap",
    "ldaps",
    "mariadb",
    "memcache",
    "memcached",
    "mongo",
    "mongodb",
    "mqtt",
    "mqtts",
    "mysql",
    "mysql2",
    "nats",
    "neo4j",
    "oracle",
    "otlp",
    "pg",
    "pgsql",
    "postgres",
    "postgresql",
    "pyamqp",
    "redis",
    "rediss",
    "rtmp",
    "rtsp",
    "sftp",
    "smtp",
    "smtps",
    "socks5",
    "sqlserver",
    "ssl",
    "statsd",
    "stomp",
    "syslog",
    "tcp",
    "tls",
    "udp",
    "valkey",
    "ws",
    "wss",
    "zk",
    "zmq",
    "zookeeper",
];

/// Words in the names of variables and flags that listen.
const BIND: &[&str] = &["BIND", "LISTEN", "LISTENER", "LISTENERS", "LISTENING"];
/// Words of those that others use.
const PUBLIC: &[&str] = &[
    "ADVERTISED",
    "ADVERTISE",
    "ORIGIN",
    "ORIGINS",
    "CORS",
    "PUBLIC",
    "EXTERNAL",
    "ALLOWED",
    "TRUSTED",
    "CALLBACK",
    "REDIRECT",
    "ISSUER",
    "ANNOUNCE",
    "CANONICAL",
    "NO",
];
/// Words of those that others use if it is a URL of the web.
const WEB: &[&str] = &[
    "FRONTEND",
    "WEB",
    "WEBSITE",
    "SITE",
    "HOSTNAME",
    "DOMAIN",
    "BASE",
    "ROOT",
    "VITE",
    "NEXT",
    "REACT",
    "NUXT",
    "VUE",
    "CLIENT",
    "SELF",
    "APP",
    "HOMEPAGE",
    "LINK",
    "GATSBY",
    "EXPO",
    "BROWSER",
    "DASHBOARD",
    "UI",
];
/// Words of those that connect.
const CONNECT: &[&str] = &[
    "CONNECT",
    "UPSTREAM",
    "UPSTREAMS",
    "TARGET",
    "TARGETS",
    "REMOTE",
    "PEER",
    "PEERS",
    "BROKER",
    "BROKERS",
    "BOOTSTRAP",
    "SERVER",
    "SERVERS",
    "ENDPOINT",
    "ENDPOINTS",
    "ADDR",
    "ADDRS",
    "ADDRESS",
    "ADDRESSES",
    "URL",
    "URLS",
    "URI",
    "URIS",
    "DSN",
    "HOSTS",
    "NODES",
    "HOST",
    "CONNECTION",
    "BACKEND",
    "DATABASE",
    "DB",
    "REDIS",
    "KAFKA",
    "ZOOKEEPER",
    "CONTACT",
    "SEEDS",
    "LOGGER",
];
/// Systems whose `…_HOST` is where they are.
const SYSTEMS: &[&str] = &[
    "DB",
    "DATABASE",
    "MYSQL",
    "MARIADB",
    "POSTGRES",
    "POSTGRESQL",
    "PG",
    "REDIS",
    "CACHE",
    "MONGO",
    "MONGODB",
    "RABBITMQ",
    "RABBIT",
    "AMQP",
    "KAFKA",
    "BROKER",
    "LOGGER",
    "QUEUE",
    "ELASTICSEARCH",
    "ELASTIC",
    "MEMCACHED",
    "SMTP",
    "MAIL",
    "NATS",
    "MQTT",
    "INFLUXDB",
    "CASSANDRA",
    "SQL",
    "STATSD",
    "UPSTREAM",
    "BACKEND",
    "REMOTE",
];

fn parts(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_ascii_uppercase).collect()
}

fn has(parts: &[String], words: &[&str]) -> bool {
    parts.iter().any(|part| words.contains(&part.as_str()))
}

/// A value to look for endpoints in.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The variable or the flag.
    pub name: &'a str,
    /// The text.
    pub value: &'a str,
    /// Where it is.
    pub origin: Origin,
    /// The way to it.
    pub path: &'a str,
}

/// Finds the endpoints of a value. `is_service` tells the names of the project's services.
pub fn find(found: Found<'_>, is_service: &dyn Fn(&str) -> bool, endpoints: &mut Vec<Endpoint>) {
    let Found { name, value, origin, path } = found;
    if value.len() > 20_000 {
        return;
    }
    let parts = parts(name);
    for raw in raw(value) {
        let host = raw.host.to_ascii_lowercase();
        let is_web = matches!(raw.scheme.as_deref(), Some("http" | "https" | "ws" | "wss"));
        let mut endpoint = Endpoint {
            role: Role::Connect,
            scheme: raw.scheme,
            host,
            port: raw.port,
            name: name.to_owned(),
            is_sure: true,
            origin,
            path: path.to_owned(),
        };
        if endpoint.scheme.is_none() {
            endpoint.is_sure = has(&parts, CONNECT);
            if !endpoint.is_sure && !is_service(&endpoint.host) && !has(&parts, BIND) && !endpoint.is_wildcard() {
                continue;
            }
        }
        endpoint.role = if has(&parts, PUBLIC) || (is_web && has(&parts, WEB) && !is_service(&endpoint.host)) {
            Role::Other
        } else if has(&parts, BIND) {
            Role::Bind
        } else if endpoint.is_wildcard() {
            let connects = has(&parts, &["CONNECT", "UPSTREAM", "TARGET", "REMOTE", "PEER", "PEERS"]);
            let connects = connects || parts.first().is_some_and(|first| parts.len() > 1 && is_service(&first.to_ascii_lowercase()));
            if connects { Role::Connect } else { Role::Bind }
        } else {
            Role::Connect
        };
        endpoints.push(endpoint);
    }
}

/// A host of its own: `BROKER_HOST`, with the `BROKER_PORT` that may stand beside it.
pub fn pair(
    found: Found<'_>,
    port: Option<Option<&str>>,
    own_name: &str,
    is_service: &dyn Fn(&str) -> bool,
    endpoints: &mut Vec<Endpoint>,
) {
    let Found { name, value, origin, path } = found;
    let Some(prefix) = prefix_of_host(name) else { return };
    let host = value.trim().to_ascii_lowercase();
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'));
    if !is_host {
        return;
    }
    let upper = prefix.trim_end_matches(['_', '.', '-']).to_ascii_uppercase();
    let parts = parts(&upper);
    let of_service = upper.to_ascii_lowercase().replace('_', "-");
    let names_other = of_service != own_name && (is_service(&of_service) || is_service(&upper.to_ascii_lowercase()));
    let is_system = names_other || parts.iter().any(|part| SYSTEMS.contains(&part.as_str()));
    let mut endpoint = Endpoint {
        role: Role::Connect,
        scheme: None,
        host,
        port: match port {
            None => Port::Missing,
            Some(None) => Port::Unknown,
            Some(Some(text)) => number(text),
        },
        name: name.to_owned(),
        is_sure: is_system || (port.is_some() && !upper.is_empty()),
        origin,
        path: path.to_owned(),
    };
    endpoint.role = if has(&parts, PUBLIC) || has(&parts, &["VIRTUAL", "ROOT"]) {
        Role::Other
    } else if has(&parts, BIND) {
        Role::Bind
    } else if endpoint.is_wildcard() {
        if names_other { Role::Connect } else { Role::Bind }
    } else if upper.is_empty() {
        Role::Bind
    } else if endpoint.is_loopback() && !is_system {
        Role::Other
    } else {
        Role::Connect
    };
    endpoints.push(endpoint);
}

/// What stands before `HOST` in a variable's name: `BROKER_` of `BROKER_HOST`, `PG` of `PGHOST`.
#[must_use]
pub fn prefix_of_host(name: &str) -> Option<&str> {
    for suffix in ["HOSTNAME", "HOST", "hostname", "host"] {
        if let Some(prefix) = name.strip_suffix(suffix) {
            let fits =
                prefix.is_empty() || prefix.ends_with(['_', '.', '-']) || matches!(prefix, "PG" | "DB" | "REDIS" | "MONGO" | "MYSQL");
            return (fits && !(prefix.is_empty() && suffix.len() > 4)).then_some(prefix);
        }
    }
    None
}

struct Raw {
    scheme: Option<String>,
    host: String,
    port: Port,
}

fn raw(value: &str) -> Vec<Raw> {
    let mut found = Vec::new();
    let mut rest = value;
    if !value.contains("://") {
        if let Some((_, after)) = value.split_once("@tcp(") {
            let inside = after.split(')').next().unwrap_or_default();
            found.extend(host_port(inside).map(|(host, port)| Raw { scheme: Some("mysql".to_owned()), host, port }));
            return found;
        }
        let tokens: Vec<&str> = value.split([',', ';', ' ', '\t', '\n']).filter(|token| !token.is_empty()).collect();
        let plain: Vec<Option<(String, Port)>> = tokens.iter().map(|token| plain(token)).collect();
        // If one of them is something else, the whole is something else.
        if plain.iter().all(Option::is_some) {
            found.extend(plain.into_iter().flatten().map(|(host, port)| Raw { scheme: None, host, port }));
        }
        return found;
    }
    while let Some(at) = rest.find("://") {
        let before = &rest[..at];
        let start = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-')))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let scheme = before[start..].to_ascii_lowercase();
        let scheme = scheme.split('+').next().unwrap_or_default().to_owned();
        let after = &rest[at + 3..];
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ')' | '}' | '<' | '>' | '\\' | '|' | ';'))
            .unwrap_or(after.len());
        let mut authority = &after[..end];
        let goes_on = after[end..].starts_with("//");
        rest = &after[end..];
        if goes_on {
            // `tcp://a:1,tcp://b:2`: the last piece is the next scheme.
            let Some(comma) = authority.rfind(',') else { continue };
            rest = &after[comma + 1..];
            authority = &authority[..comma];
        }
        if !SCHEMES.contains(&scheme.as_str()) {
            continue;
        }
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        found.extend(hosts.split(',').filter_map(host_port).map(|(host, port)| Raw { scheme: Some(scheme.clone()), host, port }));
    }
    found
}

/// `host:port`, `host`, `[::1]:port`; what has variables in it is not known.
fn host_port(text: &str) -> Option<(String, Port)> {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once(']')?;
        let port = rest.strip_prefix(':').map_or(Port::Missing, number);
        return Some((host.to_owned(), port));
    }
    let (host, port) = text.split_once(':').map_or((text, Port::Missing), |(host, port)| (host, number(port)));
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'));
    (fits && (host == "*" || !host.contains('*'))).then(|| (host.to_owned(), port))
}

fn number(text: &str) -> Port {
    let text = text.trim();
    if text.contains(['$', '{', '%', '<']) {
        return Port::Unknown;
    }
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Port::Number(port),
        // ZeroMQ and others: any port that is free.
        _ if text == "*" || text == "0" || text == "!" => Port::Unknown,
        _ if text.is_empty() => Port::Missing,
        _ => Port::Wrong(text.chars().take(20).collect()),
    }
}

/// `db:5432`, `0.0.0.0:80`, `*:80`: a host and a number, and nothing else.
fn plain(token: &str) -> Option<(String, Port)> {
    let (host, port) = token.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_number = (2..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit());
    let is_host =
        host.chars().any(|c| c.is_ascii_alphabetic()) || matches!(host, "*" | "::" | "::1") || host.parse::<std::net::IpAddr>().is_ok();
    let fits = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | ':'));
    (is_number && is_host && fits && (host.parse::<std::net::IpAddr>().is_ok() || !host.contains(':')))
        .then(|| (host.to_owned(), number(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, value: &str) -> Vec<String> {
        let mut endpoints = Vec::new();
        let found = Found { name, value, origin: Origin::default(), path: "" };
        find(found, &|name| matches!(name, "db" | "broker"), &mut endpoints);
        endpoints.iter().map(|endpoint| format!("{:?} {}", endpoint.role, endpoint.shown())).collect()
    }

    #[test]
    fn endpoints_in_values() {
        assert_eq!(found("CONNECT", "tcp://bro:9999"), ["Connect tcp://bro:9999"]);
        assert_eq!(found("BIND", "tcp://*:9999"), ["Bind tcp://*:9999"]);
        assert_eq!(found("FRONTEND", "tcp://*:9999"), ["Bind tcp://*:9999"]);
        assert_eq!(found("CONNECT", "tcp://*:9999"), ["Connect tcp://*:9999"]);
        assert_eq!(found("DATABASE_URL", "postgresql+psycopg2://u:p@db:5432/app"), ["Connect postgresql://db:5432"]);
        assert_eq!(found("DSN", "root:secret@tcp(db:3306)/app?x=1"), ["Connect mysql://db:3306"]);
        assert_eq!(found("X", "jdbc:mysql://db/app"), ["Connect mysql://db"]);
        assert_eq!(found("M", "mongodb://u:p@a:1,b:2/db?replicaSet=r"), ["Connect mongodb://a:1", "Connect mongodb://b:2"]);
        assert_eq!(found("PEERS", "tcp://a:1,tcp://b:2"), ["Connect tcp://a:1", "Connect tcp://b:2"]);
        assert_eq!(found("BOOTSTRAP_SERVERS", "k1:9092,k2:9092"), ["Connect k1:9092", "Connect k2:9092"]);
        assert_eq!(found("ADVERTISED_LISTENERS", "http://k1:9092"), ["Other http://k1:9092"]);
        assert_eq!(found("CORS_ORIGIN", "http://localhost:3000"), ["Other http://localhost:3000"]);
        assert_eq!(found("ANY", "db:5432"), ["Connect db:5432"]);
    }

    #[test]
    fn what_is_no_endpoint() {
        for value in
            ["12:30", "s3://bucket", "redis:7", "a:b", "unix:///run/x", "user:1000:x", "", "://", "http://", "http://$HOST:80", "ü://ö:1"]
        {
            assert!(found("TEXT", value).is_empty(), "{value}: {:?}", found("TEXT", value));
        }
    }

    #[test]
    fn hosts_before_host() {
        assert_eq!(prefix_of_host("BROKER_HOST"), Some("BROKER_"));
        assert_eq!(prefix_of_host("PGHOST"), Some("PG"));
        assert_eq!(prefix_of_host("HOST"), Some(""));
        assert_eq!(prefix_of_host("GHOST"), None);
    }
}
