//! `loopback-bind`

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// A program listens only inside of its container.
    ///
    /// ### What happens
    /// `127.0.0.1` in a container is reached from that container alone: neither other services nor a published port get through.
    ///
    /// ### What to do
    /// Listen on every address, `0.0.0.0`, and publish the port on `127.0.0.1` of the host if nobody else may reach it:
    /// `ports: ["127.0.0.1:8000:8000"]`.
    "loopback-bind", Error, Default, topology: None, compose: Some(check)
}

/// Programs whose `--host` is where they listen.
const SERVERS: &[&str] = &["uvicorn", "gunicorn", "hypercorn", "flask", "runserver", "vite", "next", "http.server", "http-server", "daphne", "rails", "jupyter", "streamlit", "waitress-serve", "mkdocs", "hugo"];
/// Flags that say where.
const FLAGS: &[&str] = &["--host", "--bind", "-b", "-H", "--hostname", "--ip", "--listen", "--address", "--server.address", "-h"];

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    let mut wanted: std::collections::HashMap<&str, (Origin, Option<u16>, &str)> = std::collections::HashMap::new();
    for (from, endpoint, to) in all.links().filter(|(from, _, to)| from.name != to.name) {
        wanted.entry(to.name).or_insert((endpoint.origin, endpoint.number(), from.name));
    }
    for service in context.services() {
        let owner = all.network_owner(service);
        // Who shares its network reaches it.
        if owner.mode.is_some() || !std::ptr::eq(owner, service) {
            continue;
        }
        let mut binds: Vec<(Origin, Option<u16>, String)> = Vec::new();
        for endpoint in service.endpoints.iter().filter(|one| one.role == Role::Bind && one.is_loopback()) {
            binds.push((all.narrow(endpoint.origin, &endpoint.host), endpoint.number(), endpoint.path.clone()));
        }
        binds.extend(arguments(service).map(|(origin, port)| (origin, port, service.path("command"))));
        binds.truncate(4);
        for (origin, port, path) in binds {
            let fits = |other: u16| port.is_none_or(|port| port == other);
            let published = service.ports.iter().find(|one| fits(one.target));
            let asked = wanted.get(service.name).filter(|(_, asked, _)| asked.is_none_or(fits));
            let (who, place) = match (published, asked) {
                (_, Some((origin, _, name))) => (format!("`{name}` connects to it"), *origin),
                (Some(published), None) => ("its port is published".to_owned(), published.origin),
                (None, None) => continue,
            };
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("`{}` listens only on the loopback address of its container, but {who}", service.name),
                    "nobody outside of the container gets through: \"connection refused\" or \"connection reset\"".to_owned(),
                    "listen on every address: `0.0.0.0` (ZeroMQ: `tcp://*:PORT`)".to_owned(),
                )
                .about(path)
                .with(Place::At(place), "who wants to reach it"),
            );
        }
    }
}

/// `uvicorn --host 127.0.0.1 --port 8000`, `manage.py runserver 127.0.0.1:8000`.
fn arguments<'s>(service: &'s Service<'_>) -> impl Iterator<Item = (Origin, Option<u16>)> + 's {
    let words: Vec<(&str, Origin)> = service.argv().flat_map(|(text, origin)| text.split_whitespace().map(move |word| (word, *origin))).collect();
    let is_server = words.iter().any(|(word, _)| SERVERS.contains(&word.rsplit('/').next().unwrap_or(word)));
    let port = words.windows(2).find(|pair| matches!(pair[0].0, "--port" | "-p")).and_then(|pair| pair[1].0.parse().ok());
    let mut found = Vec::new();
    for (index, (word, origin)) in words.iter().enumerate().filter(|_| is_server) {
        let before = index.checked_sub(1).and_then(|before| words.get(before)).map_or("", |(word, _)| word);
        let value = match word.split_once('=') {
            Some((flag, value)) if FLAGS.contains(&flag) => value,
            _ if FLAGS.contains(&before) || before == "runserver" => word,
            _ => continue,
        };
        let (host, own) = value.rsplit_once(':').map_or((value, None), |(host, port)| (host, port.parse().ok()));
        if crate::compose::endpoint::is_loopback(host) {
            found.push((*origin, own.or(port)));
        }
    }
    found.into_iter()
}
