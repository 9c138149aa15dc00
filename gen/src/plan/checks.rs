//! Checks of a running deployment: what is asked, where that is, and what an answer means.
//!
//! Nothing is asked here: whoever runs the checks brings the [`Answer`] and gets the verdict in words.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Component, Endpoint, Plan, Target};
use crate::finding::{Finding, Place, Severity, below, did_you_mean};
use crate::rules;
use crate::source::{Pointer, decode::shorten, pointer};
use crate::spec::checks::Expectation;
use crate::spec::values::Protocol;
use crate::topology::Topology;

/// A check, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The component that it is about: the one in whose table it stands, else the one that it asks. `None` when it asks a host
    /// that is not deployed here.
    pub component: Option<String>,
    /// Where it asks.
    pub at: At,
    /// What it asks.
    pub probe: Probe,
    /// As the file writes it: `http://web.http/` or `db.sql`.
    pub written: String,
    /// Where the file says so.
    pub pointer: Pointer,
}

/// Where a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// An endpoint of a component of this deployment.
    Endpoint {
        /// The component.
        component: String,
        /// Its endpoint.
        endpoint: String,
        /// The port in the container.
        port: u16,
        /// Where whoever is on the host of the deployment reaches it; `None` when it is not published, so that it is reached at the
        /// container's own address alone.
        published: Option<(IpAddr, u16)>,
    },
    /// Another host.
    Host {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A connection can be made.
    Tcp,
    /// `GET path` is answered so.
    Http {
        /// Path and query, with `/` in front.
        path: String,
        /// The status.
        expect: u16,
        /// What the body holds.
        contains: Option<String>,
    },
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A connection was made, to a check that asks for no more.
    Connected,
    /// An answer by HTTP.
    Http {
        /// Its status.
        status: u16,
        /// Its body, or the beginning of it.
        body: &'a str,
    },
    /// Nothing that can be judged, with the system's words: `connection refused`.
    Failed(&'a str),
}

impl At {
    /// The address in a URL: the published one where there is one, else that of the container as given by its engine; for another host
    /// its own. IPv6 stands in brackets.
    #[must_use]
    pub fn authority(&self, container: Option<IpAddr>) -> Option<String> {
        match self {
            Self::Host { host, port } => Some(format!("{host}:{port}")),
            Self::Endpoint { published: Some((address, port)), .. } => Some(std::net::SocketAddr::new(*address, *port).to_string()),
            Self::Endpoint { port, .. } => container.map(|address| std::net::SocketAddr::new(address, *port).to_string()),
        }
    }
}

impl fmt::Display for Check {
    /// `` `http://web.http/` answers 200 with `Welcome` ``, `` `db.sql` takes a connection ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.written)?;
        match &self.probe {
            Probe::Tcp => f.write_str("takes a connection"),
            Probe::Http { expect, contains: None, .. } => write!(f, "answers {expect}"),
            Probe::Http { expect, contains: Some(text), .. } => write!(f, "answers {expect} with `{}`", shorten(text)),
        }
    }
}

impl Check {
    /// The URL to ask, see [`At::authority`]; `None` for a check that asks for a connection alone.
    #[must_use]
    pub fn url(&self, container: Option<IpAddr>) -> Option<String> {
        match &self.probe {
            Probe::Http { path, .. } => self.at.authority(container).map(|authority| format!("http://{authority}{path}")),
            Probe::Tcp => None,
        }
    }

    /// What is wrong with an answer; `None` when it is as it should be.
    ///
    /// The message names the bindings of the component: what it needs is the first thing to look at when it does not work.
    #[must_use]
    pub fn failure(&self, plan: &Plan, answer: &Answer<'_>) -> Option<String> {
        let wrong = match (&self.probe, answer) {
            (Probe::Tcp, Answer::Connected | Answer::Http { .. }) => return None,
            (Probe::Http { expect, contains, .. }, Answer::Http { status, body }) if status == expect => {
                let text = contains.as_deref().filter(|text| !body.contains(text))?;
                format!("answered {status}, but without `{}`{}", shorten(text), says(body))
            }
            (Probe::Http { expect, .. }, Answer::Http { status, body }) => format!("answered {status}, not {expect}{}", says(body)),
            (Probe::Http { .. }, Answer::Connected) => "took the connection, but did not answer by HTTP".to_owned(),
            (_, Answer::Failed(why)) => format!("cannot be reached: {}", shorten(why)),
        };
        let mut message = format!("`{}` {wrong}", self.written);
        if let Some(component) = self.component.as_deref().and_then(|name| plan.component(name)) {
            message = format!("{}: {message}{}", component.name, needs(component));
        }
        Some(message)
    }
}

/// The bindings of a component, in words, with the names (never the values) of what it was given for each.
fn needs(component: &Component) -> String {
    if component.bindings.is_empty() {
        return String::new();
    }
    let binding = |binding: &super::Binding| {
        let to = match &binding.target {
            Target::Component { name, endpoint } => format!("{name}.{endpoint}"),
            Target::External { name } => format!("{name}, which is not deployed here"),
        };
        format!("`{}` → `{to}` ({}:{})", binding.need, binding.host, binding.port)
    };
    let bindings: Vec<String> = component.bindings.iter().map(binding).collect();
    let secrets: Vec<&str> = component.secrets.keys().map(String::as_str).collect();
    let secrets = if secrets.is_empty() { String::new() } else { format!(" with the secret {}", rules::list(secrets)) };
    format!(
        "; it is bound to {}{secrets}: look whether that works, and whether what `{}` was given for it is right",
        bindings.join(", "),
        component.name
    )
}

/// The beginning of what an answer says, without the marks of HTML.
fn says(body: &str) -> String {
    let mut text = String::new();
    let mut rest = body;
    // What is in a head, a script or a style is not said to people, but for the title.
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        text.push(' ');
        let tag = &rest[at..];
        let skipped = ["head", "style", "script"].into_iter().find(|name| {
            tag.get(1..=name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name))
                && !tag[name.len() + 1..].starts_with(|c: char| c.is_ascii_alphanumeric())
        });
        let end = match skipped {
            Some(name) => {
                let close = format!("</{name}");
                tag.to_ascii_lowercase().find(&close).map(|at| at + close.len())
            }
            None => Some(0),
        };
        rest = end.and_then(|end| tag[end..].find('>').map(|at| &tag[end + at + 1..])).unwrap_or_default();
        if text.len() > 400 {
            break;
        }
    }
    text.push_str(&rest[..rest.len().min(400).min(rest.find('<').unwrap_or(rest.len()))].chars().collect::<String>());
    let words = text.split_whitespace().take(12).collect::<Vec<_>>().join(" ").replace('`', "'");
    if words.is_empty() { String::new() } else { format!(" (it says \"{}\")", shorten(&words)) }
}

/// Resolves the checks of a topology.
pub(super) fn resolve(topology: &mut Topology, findings: &mut Vec<Finding>) -> Vec<Unbound> {
    let of_table = |owner: Option<String>, checks: Vec<Expectation>, place: Pointer| {
        let numbered = checks.into_iter().enumerate();
        numbered.map(move |(index, check)| (owner.clone(), check, below(&place, &index.to_string()))).collect::<Vec<_>>()
    };
    let mut all = of_table(None, std::mem::take(&mut topology.checks), pointer(["checks"]));
    for component in &mut topology.components {
        let checks = std::mem::take(&mut component.keys.checks);
        all.extend(of_table(Some(component.name.to_string()), checks, below(&component.pointer, "checks")));
    }
    let mut unbound = Vec::new();
    for (owner, check, place) in all {
        match read(check, &place) {
            Ok((asked, probe)) => unbound.push(Unbound { owner, asked, probe, pointer: place }),
            Err(finding) => findings.push(*finding),
        }
    }
    unbound
}

/// A check before its address is looked up.
pub(super) struct Unbound {
    owner: Option<String>,
    asked: Asked,
    probe: Probe,
    pointer: Pointer,
}

/// The address of a check, in its parts.
struct Asked {
    written: String,
    host: String,
    port: Option<u16>,
    /// `http` or `tcp`.
    key: &'static str,
}

fn wrong(place: Place, message: String, help: &str) -> Box<Finding> {
    let consequence = "it cannot be told what to ask, so nothing would be checked".to_owned();
    Box::new(Finding::new(rules::wrong_value::RULE.name, Severity::Error, place, message, consequence, help.to_owned()))
}

fn read(check: Expectation, place: &Pointer) -> Result<(Asked, Probe), Box<Finding>> {
    const FORM: &str = "write `http = \"http://COMPONENT.ENDPOINT/\"` or `tcp = \"COMPONENT.ENDPOINT\"`";
    let (key, written) = match (check.http, check.tcp) {
        (Some(url), None) => ("http", url),
        (None, Some(address)) => ("tcp", address),
        (None, None) => return Err(wrong(Place::Value(place.clone()), "a check has neither `http` nor `tcp`".to_owned(), FORM)),
        (Some(_), Some(_)) => {
            return Err(wrong(Place::key_of(place, "tcp"), "a check has both `http` and `tcp`".to_owned(), "make two checks of it"));
        }
    };
    let at_value = || Place::value_of(place, key);
    let short = shorten(&written);
    if written.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong(at_value(), format!("`{short}` is no address: it holds blanks"), FORM));
    }
    let (authority, probe) = if key == "http" {
        let Some(rest) = written.strip_prefix("http://") else {
            let tls = written.starts_with("https://");
            let help =
                if tls { "ask the endpoint behind it by `http://`, or check that it takes a connection with `tcp = …`" } else { FORM };
            return Err(wrong(at_value(), format!("`{short}` does not begin with `http://`"), help));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let path = rest[end..].split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let expect = check.expect.unwrap_or(200);
        if !(100..=599).contains(&expect) {
            return Err(wrong(
                Place::value_of(place, "expect"),
                format!("`{expect}` is no status of HTTP"),
                "write a number from 100 to 599",
            ));
        }
        (rest[..end].to_owned(), Probe::Http { path, expect, contains: check.contains })
    } else {
        for (key, given) in [("expect", check.expect.is_some()), ("contains", check.contains.is_some())] {
            if given {
                return Err(wrong(
                    Place::key_of(place, key),
                    format!("`{key}` is for `http` checks"),
                    "a connection says nothing: leave it out",
                ));
            }
        }
        (written.clone(), Probe::Tcp)
    };
    let bracket = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[bracket..].rfind(':').map(|at| at + bracket) {
        Some(at) => match authority[at + 1..].parse::<u16>() {
            Ok(port) if port > 0 => (authority[..at].to_owned(), Some(port)),
            _ => return Err(wrong(at_value(), format!("`{short}` has no port behind its `:`"), "ports are numbers from 1 to 65535")),
        },
        None => (authority, None),
    };
    if host.is_empty() || host.contains('@') {
        return Err(wrong(at_value(), format!("`{short}` names no host"), FORM));
    }
    Ok((Asked { written, host, port, key }, probe))
}

/// Looks the addresses up, once everything has its endpoints.
pub(super) fn bind(plan: &Plan, topology: &Directory, unbound: Vec<Unbound>, findings: &mut Vec<Finding>) -> Vec<Check> {
    let mut checks = Vec::new();
    for Unbound { owner, asked, probe, pointer } in unbound {
        match at(plan, topology, &asked, &pointer) {
            Ok(at) => {
                let asks = if let At::Endpoint { component, .. } = &at { Some(component.clone()) } else { None };
                checks.push(Check { component: owner.or(asks), at, probe, written: asked.written, pointer });
            }
            Err(finding) => findings.push(*finding),
        }
    }
    checks
}

/// What can be asked beside the plan's components: externals, each with host and port.
pub(super) struct Directory {
    externals: Vec<(String, String, u16)>,
}

impl Directory {
    pub(super) fn of(topology: &Topology) -> Self {
        let externals = topology.externals.iter().map(|(name, external)| (name.to_string(), external.host.clone(), external.port.0));
        Self { externals: externals.collect() }
    }
}

fn at(plan: &Plan, directory: &Directory, asked: &Asked, pointer: &Pointer) -> Result<At, Box<Finding>> {
    let place = || Place::value_of(pointer, asked.key);
    let (name, endpoint) = asked.host.split_once('.').map_or((asked.host.as_str(), None), |(name, rest)| (name, Some(rest)));
    if endpoint.is_none()
        && let Some((_, host, port)) = directory.externals.iter().find(|(external, ..)| external == name)
    {
        return Ok(At::Host { host: host.clone(), port: asked.port.unwrap_or(*port) });
    }
    let Some(component) = plan.component(name) else {
        let known = || plan.components.keys().map(String::as_str).chain(directory.externals.iter().map(|(name, ..)| name.as_str()));
        let is_endpoint = |rest: &str| plan.components.values().any(|component| component.endpoint(rest).is_some());
        let is_meant = match endpoint {
            Some(rest) => is_endpoint(rest) || (did_you_mean(name, known()).is_some() && !rest.contains('.')),
            None => name != "localhost" && !name.starts_with('['),
        };
        let default = if asked.key == "http" { Some(80) } else { None };
        return match asked.port.or(default) {
            Some(port) if !is_meant => Ok(At::Host { host: asked.host.clone(), port }),
            None if !is_meant => Err(wrong(place(), format!("`{}` has no port", shorten(&asked.written)), "write `host:port`")),
            _ => Err(Box::new(rules::unknown_reference::named(name, known(), place()))),
        };
    };
    let found: Option<&Endpoint> = match (endpoint, asked.port) {
        (Some(endpoint), _) => match component.endpoint(endpoint) {
            Some(found) => Some(found),
            None => return Err(Box::new(rules::unknown_reference::endpoint(endpoint, name, &component.endpoints, place()))),
        },
        (None, Some(port)) => component.endpoints.iter().find(|candidate| candidate.port == port),
        (None, None) => {
            if let [only] = component.endpoints.as_slice() {
                Some(only)
            } else {
                None
            }
        }
    };
    let Some(found) = found else {
        let names: Vec<&str> = component.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let (message, help) = match names.first() {
            None => (format!("`{name}` has no endpoint"), format!("give it one: `ports = {{ http = {} }}`", asked.port.unwrap_or(80))),
            Some(first) => (
                format!("`{}` does not say which endpoint of `{name}`: it has {}", shorten(&asked.written), rules::list(names.clone())),
                format!("write `{name}.{first}`"),
            ),
        };
        return Err(wrong(place(), message, &help));
    };
    if found.protocol == Protocol::Udp {
        return Err(wrong(
            place(),
            format!("`{name}.{}` listens by UDP, which takes no connection", found.name),
            "check an endpoint that listens by TCP",
        ));
    }
    if !component.is_deployed() {
        return Err(wrong(place(), format!("`{name}` runs on another machine"), "check what is deployed here"));
    }
    let published = component.published.iter().find(|published| published.endpoint == found.name).map(|published| {
        let address = match published.address {
            None => Ipv4Addr::LOCALHOST.into(),
            Some(address) if address.is_unspecified() => {
                if address.is_ipv6() {
                    Ipv6Addr::LOCALHOST.into()
                } else {
                    Ipv4Addr::LOCALHOST.into()
                }
            }
            Some(address) => address,
        };
        (address, published.host_port)
    });
    Ok(At::Endpoint { component: name.to_owned(), endpoint: found.name.clone(), port: found.port, published })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::load;
    use crate::source::Source;
    use crate::topology::WhatIf;

    const SHOP: &str = r#"
checks = [{ http = "http://web/" }, { tcp = "mail" }, { http = "http://example.org:8080/x?y#z", expect = 204 }]

[service.web]
image = "acme/web:1.0"
ports = { http = 80 }
publish = { http = 8080 }
needs = { db = "db.sql" }
secrets = { DB_PASSWORD = { env = "DB_PASSWORD" } }
checks = [{ http = "http://web.http/login?a=b", contains = "Welcome" }, { tcp = "db" }]

[service.db]
image = "mariadb:11.4"
ports = { sql = 3306 }

[external.mail]
host = "mail.example.org"
port = 25
"#;

    fn plan(text: &str) -> (Plan, Vec<String>) {
        let loaded = load(Source::new("t", text), "t", &WhatIf::default());
        let findings = crate::lint::lint(&loaded, &crate::lint::Facts::default());
        let said = findings
            .iter()
            .filter(|located| located.finding.severity == Severity::Error)
            .map(|located| format!("{}; {}", located.finding.message, located.finding.help));
        let said = said.collect();
        (loaded.plan, said)
    }

    fn shop() -> Plan {
        let (plan, said) = plan(SHOP);
        assert_eq!(said, [""; 0]);
        plan
    }

    #[test]
    fn addresses_are_looked_up() {
        let plan = shop();
        let told: Vec<(String, Option<&str>, Option<String>)> = plan
            .checks
            .iter()
            .map(|check| {
                (
                    check.to_string(),
                    check.component.as_deref(),
                    check.url(None).or_else(|| check.at.authority(Some([172, 18, 0, 2].into()))),
                )
            })
            .collect();
        let told: Vec<(&str, Option<&str>, &str)> = told.iter().map(|(a, b, c)| (a.as_str(), *b, c.as_deref().unwrap())).collect();
        assert_eq!(
            told,
            [
                ("`http://web/` answers 200", Some("web"), "http://127.0.0.1:8080/"),
                ("`mail` takes a connection", None, "mail.example.org:25"),
                ("`http://example.org:8080/x?y#z` answers 204", None, "http://example.org:8080/x?y"),
                ("`http://web.http/login?a=b` answers 200 with `Welcome`", Some("web"), "http://127.0.0.1:8080/login?a=b"),
                ("`db` takes a connection", Some("web"), "172.18.0.2:3306"),
            ]
        );
        assert_eq!(plan.checks[4].at.authority(None), None, "it is not published");
    }

    #[test]
    fn a_failure_names_the_bindings() {
        let plan = shop();
        let check = &plan.checks[3];
        let failure = |answer: Answer<'_>| check.failure(&plan, &answer);
        assert_eq!(failure(Answer::Http { status: 200, body: "<h1>Welcome</h1>" }), None);
        let bound = "; it is bound to `db` → `db.sql` (db:3306) with the secret `DB_PASSWORD`: look whether that works, and whether what `web` was given for it is right";
        let page = "<!DOCTYPE html><html><head><title>x</title><style>h1 { color: red }</style></head><body id=\"error-page\">\n<h1>Error establishing a database connection</h1></body></html>";
        assert_eq!(
            failure(Answer::Http { status: 500, body: page }).unwrap(),
            format!("web: `http://web.http/login?a=b` answered 500, not 200 (it says \"Error establishing a database connection\"){bound}")
        );
        assert_eq!(
            failure(Answer::Http { status: 200, body: "hello" }).unwrap(),
            format!("web: `http://web.http/login?a=b` answered 200, but without `Welcome` (it says \"hello\"){bound}")
        );
        assert_eq!(
            failure(Answer::Failed("connection refused")).unwrap(),
            format!("web: `http://web.http/login?a=b` cannot be reached: connection refused{bound}")
        );
        assert_eq!(plan.checks[1].failure(&plan, &Answer::Connected), None);
        assert_eq!(plan.checks[1].failure(&plan, &Answer::Failed("timed out")).unwrap(), "`mail` cannot be reached: timed out");
    }

    #[test]
    fn any_body_is_shortened() {
        for body in ["<", "<<<", "<head", "a<b", "<script>alert(1)", "\u{e4}<\u{df}>", "", &"<p>ä ".repeat(1000), "<HEAD>x</HEAD>y"] {
            assert!(says(body).len() < 400, "{body}");
        }
        assert_eq!(says("<HEAD>x</HEAD>y<header>z"), " (it says \"y z\")");
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let said = |check: &str| {
            let text = SHOP.replace("checks = [{ http = \"http://web/\" }, {", &format!("checks = [{{ {check} }}, {{"));
            plan(&text).1.join("\n")
        };
        for (check, words) in [
            ("", "a check has neither `http` nor `tcp`; write `http = \"http://COMPONENT.ENDPOINT/\"` or `tcp = \"COMPONENT.ENDPOINT\"`"),
            ("tcp = \"db\", http = \"http://web/\"", "a check has both `http` and `tcp`; make two checks of it"),
            ("http = \"http://web.htp/\"", "`web` has no endpoint `htp`; did you mean `http`?"),
            ("http = \"http://wep.http/\"", "there is no component `wep`; did you mean `web`?"),
            ("tcp = \"wep\"", "there is no component `wep`; did you mean `web`?"),
            ("http = \"http://web:81/\"", "`http://web:81/` does not say which endpoint of `web`: it has `http`; write `web.http`"),
            (
                "http = \"https://web/\"",
                "`https://web/` does not begin with `http://`; ask the endpoint behind it by `http://`, or check that it takes a connection with `tcp = …`",
            ),
            (
                "http = \"http:///\"",
                "`http:///` names no host; write `http = \"http://COMPONENT.ENDPOINT/\"` or `tcp = \"COMPONENT.ENDPOINT\"`",
            ),
            ("http = \"http://web:0/\"", "`http://web:0/` has no port behind its `:`; ports are numbers from 1 to 65535"),
            ("tcp = \"db.sql\", expect = 200", "`expect` is for `http` checks; a connection says nothing: leave it out"),
            ("http = \"http://web/\", expect = 99", "`99` is no status of HTTP; write a number from 100 to 599"),
            ("tcp = \"example.org\"", "`example.org` has no port; write `host:port`"),
        ] {
            assert_eq!(said(check), words, "{check}");
        }
        assert_eq!(said("tcp = \"[::1]:80\""), "");
        assert_eq!(said("tcp = \"localhost:80\""), "");
    }
}
