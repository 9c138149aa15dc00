//! `port-clash`

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::compose;
use crate::compose::endpoint::Endpoint as Bound;
use crate::compose::surroundings::binds;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::plan::{Component, Endpoint, Origin, Published};
use crate::render::Target;
use crate::rules::{Context, publish_as, published};
use crate::source;
use crate::spec::values::Protocol;

rule! {
    /// Two endpoints want the same port.
    ///
    /// ### What happens
    /// On the host: the second container cannot start, Docker says "port is already allocated", and half of the system is
    /// deployed. A port that is published on all interfaces clashes with the same port on any address.
    ///
    /// In one component: the second socket cannot be bound ("address already in use"), and the program ends at once.
    ///
    /// ### What to do
    /// Publish one of them on another host port; the port in the container need not change. Two endpoints of one component
    /// need two ports.
    ///
    /// ### Example
    /// ```toml
    /// [broker.north]
    /// publish = { frontend = 9998 }
    /// [broker.south]
    /// publish = { frontend = 9997 }    # 9998 in its own container all the same
    /// ```
    "port-clash", Error, Default, topology: Some(check), compose: Some(check_compose)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // On several machines it depends on who is where: `node-port-taken`.
    if context.target != Target::Swarm || context.plan.nodes.is_empty() {
        on_the_host(context, findings);
    }
    for component in context.plan.deployed() {
        in_one_component(context, component, findings);
    }
}

/// Who has a host port already: the first on all interfaces of each IP version, and the first on each address.
struct Taken<H> {
    first: Option<H>,
    everywhere: Option<H>,
    all_v6: Option<H>,
    any_v6: Option<H>,
    addresses: HashMap<IpAddr, H>,
}

impl<H> Default for Taken<H> {
    fn default() -> Self {
        Self { first: None, everywhere: None, all_v6: None, any_v6: None, addresses: HashMap::new() }
    }
}

impl<H: Copy> Taken<H> {
    /// The first holder whose addresses overlap with `address`.
    fn by(&self, address: Option<IpAddr>) -> Option<H> {
        let v6 = |holder: Option<H>| holder.filter(|_| address.is_some_and(|address| address.is_ipv6()));
        match address {
            None => self.first,
            Some(address) if address.is_unspecified() => self.everywhere.or(v6(self.any_v6)),
            Some(address) => self.everywhere.or(v6(self.all_v6)).or(self.addresses.get(&address).copied()),
        }
    }

    fn add(&mut self, address: Option<IpAddr>, holder: H) {
        self.first.get_or_insert(holder);
        match address {
            None => {
                self.everywhere.get_or_insert(holder);
            }
            Some(address) => {
                if address.is_ipv6() {
                    self.any_v6.get_or_insert(holder);
                    if address.is_unspecified() {
                        self.all_v6.get_or_insert(holder);
                    }
                }
                self.addresses.entry(address).or_insert(holder);
            }
        }
    }
}

type Holder<'a> = (&'a Component, &'a Published);

fn on_the_host(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut all: Vec<Holder<'_>> = published(context.plan).collect();
    all.sort_by_key(|(_, published)| context.position(&Place::Value(published.pointer.clone())));
    let numbers: HashSet<(u16, Protocol)> = all.iter().map(|(_, published)| (published.host_port, published.protocol)).collect();
    let mut taken: HashMap<(u16, Protocol), Taken<Holder<'_>>> = HashMap::new();
    for (component, published) in all {
        let (port, protocol) = (published.host_port, published.protocol);
        let taken = taken.entry((port, protocol)).or_default();
        if let Some((other, first)) = taken.by(published.address) {
            let free = (1..100).filter_map(|step| port.checked_add(step)).find(|port| !numbers.contains(&(*port, protocol)));
            let help = match free {
                Some(free) => format!("publish one of them on another port, for example {}", with_port(published, free)),
                None => "publish one of them on another port".to_owned(),
            };
            let mut finding = RULE.finding(
                Place::Value(published.pointer.clone()),
                format!(
                    "`{}.{}` wants host port {port}/{protocol}, which `{}.{}` has",
                    component.name, published.endpoint, other.name, first.endpoint
                ),
                "the second container cannot start: Docker says \"port is already allocated\", and half of the system is deployed".to_owned(),
                help,
            );
            finding.related.push((Place::Value(first.pointer.clone()), "it is published here first".to_owned()));
            findings.push(finding);
        }
        taken.add(published.address, (component, published));
    }
}

fn with_port(published: &Published, port: u16) -> String {
    let value = match published.address {
        None => port.to_string(),
        Some(address) => format!("\"{}\"", std::net::SocketAddr::new(address, port)),
    };
    format!("`{}`", publish_as(published, &value))
}

fn in_one_component(context: &Context<'_>, component: &Component, findings: &mut Vec<Finding>) {
    let name = &component.name;
    let place = |endpoint: &Endpoint| Place::Value(endpoint.pointer.clone());
    // What the file says comes after what goes without saying, so that the finding points to something written.
    let mut endpoints: Vec<&Endpoint> = component.endpoints.iter().collect();
    endpoints.sort_by_key(|endpoint| (context.root.get(&endpoint.pointer).is_some(), context.position(&place(endpoint))));
    let mut taken: HashMap<(u16, Protocol), &Endpoint> = HashMap::new();
    let metrics = component
        .env
        .get("METRICS_ADDR")
        .filter(|variable| variable.origin == Origin::Setting)
        .and_then(|variable| variable.value.rsplit_once(':')?.1.parse::<u16>().ok());
    for endpoint in endpoints {
        let (port, protocol) = (endpoint.port, endpoint.protocol);
        if let Some(first) = taken.get(&(port, protocol)) {
            let mut finding = RULE.finding(
                place(endpoint),
                format!("`{name}` listens with both `{}` and `{}` on port {port}/{protocol}", first.name, endpoint.name),
                "the second socket cannot be bound: \"address already in use\", and the program ends at once".to_owned(),
                "give each endpoint a port of its own".to_owned(),
            );
            finding.related.push((place(first), format!("`{}` has port {port} already", first.name)));
            findings.push(finding);
        } else if metrics == Some(port) && protocol == Protocol::Tcp {
            findings.push(RULE.finding(
                place(endpoint),
                format!("`{name}` listens with `{}` on port {port}, where it answers its health check too", endpoint.name),
                "the second socket cannot be bound: \"address already in use\", and the program ends at once".to_owned(),
                format!("choose another port than {port}"),
            ));
        }
        taken.entry((port, protocol)).or_insert(endpoint);
    }
}

/// Where a service of a Compose project takes a port of the host.
#[derive(Clone, Copy)]
struct Claim<'a> {
    service: &'a Service<'a>,
    port: u16,
    protocol: &'a str,
    address: Option<IpAddr>,
    origin: source::Origin,
    index: Option<usize>,
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for service in context.services().filter(|service| service.replicas.0 > 0) {
        let of_host = service.mode.is_some_and(|(mode, _)| mode == "host");
        // Of a range Docker takes a port that is free.
        let published = service.ports.iter().filter(|_| service.mode.is_none()).filter_map(|port| {
            let (first, _) = port.published.filter(|(first, last)| first == last)?;
            Some(Claim { service, port: first, protocol: port.protocol, address: port.address, origin: port.origin, index: Some(port.index) })
        });
        claims.extend(published);
        let bound = binds(service).filter(|_| of_host);
        claims.extend(bound.map(|(port, endpoint)| {
            let address = endpoint.host.parse().ok().filter(|address: &IpAddr| !address.is_unspecified());
            Claim { service, port, protocol: "tcp", address, origin: endpoint.origin, index: None }
        }));
    }
    claims.sort_by_key(|claim| claim.origin);
    let numbers: HashSet<u16> = claims.iter().map(|claim| claim.port).collect();
    let mut taken: HashMap<(u16, &str), Taken<Claim<'_>>> = HashMap::new();
    // Of two ranges that overlap the first port is told.
    let mut told: HashSet<(source::Origin, source::Origin)> = HashSet::new();
    for claim in claims {
        let taken = taken.entry((claim.port, claim.protocol)).or_default();
        if let Some(first) = taken.by(claim.address).filter(|first| claim.index.is_some() || first.index.is_some() || first.service.name != claim.service.name) {
            if !told.insert((claim.origin, first.origin)) {
                continue;
            }
            let (port, protocol) = (claim.port, claim.protocol);
            let free = (1..100).filter_map(|step| port.checked_add(step)).find(|port| !numbers.contains(port));
            let target = claim.index.and_then(|index| claim.service.ports.iter().find(|port| port.index == index)).map(|port| port.target);
            let help = match (free, target) {
                (Some(free), Some(target)) => format!("publish one of them on another port, for example `\"{free}:{target}\"`"),
                _ => "let one of them have another port".to_owned(),
            };
            let other = if first.service.name == claim.service.name { "it".to_owned() } else { format!("`{}`", first.service.name) };
            findings.push(
                RULE.finding(
                    Place::At(claim.origin),
                    format!("`{}` wants host port {port}/{protocol}, which {other} has already", claim.service.name),
                    "the second container cannot start: Docker says \"port is already allocated\", and half of the system is deployed".to_owned(),
                    help,
                )
                .about(claim.service.path(&claim.index.map_or_else(|| "environment".to_owned(), |index| format!("ports.{index}"))))
                .with(Place::At(first.origin), "it is taken here first"),
            );
        }
        taken.add(claim.address, claim);
    }
    in_one_container(context, findings);
}

/// Sockets of one container, or of several that share one network.
fn in_one_container(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    let mut taken: HashMap<(&str, u16), (&Service<'_>, &Bound)> = HashMap::new();
    for service in context.services() {
        let owner = context.surroundings.network_owner(service);
        if owner.mode.is_some_and(|(mode, _)| mode == "host") {
            continue;
        }
        for (port, endpoint) in binds(service) {
            let Some((other, first)) = taken.get(&(owner.name, port)).copied() else {
                taken.insert((owner.name, port), (service, endpoint));
                continue;
            };
            // Two variables of one program may speak of one socket, unless they are endpoints of ZeroMQ.
            let is_bare = |one: &Bound| one.scheme.as_deref() == Some("tcp");
            if other.name == service.name && (!is_bare(first) || !is_bare(endpoint) || first.name == endpoint.name) {
                continue;
            }
            let who = if other.name == service.name { format!("`{}` listens twice", service.name) } else { format!("`{}` and `{}` share one network and both listen", other.name, service.name) };
            findings.push(
                RULE.finding(
                    Place::At(context.surroundings.narrow(endpoint.origin, &port.to_string())),
                    format!("{who} on port {port}"),
                    "the second socket cannot be bound: \"address already in use\", and the program ends at once".to_owned(),
                    "give each a port of its own".to_owned(),
                )
                .about(&endpoint.path)
                .with(Place::At(first.origin), format!("`{}` has port {port} already", first.name)),
            );
        }
    }
}
