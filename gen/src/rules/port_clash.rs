//! `port-clash`

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::finding::{Finding, Place};
use crate::plan::{Component, Endpoint, Origin, Published};
use crate::rules::{Context, publish_as, published};
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
    "port-clash", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    on_the_host(context, findings);
    for component in context.plan.deployed() {
        in_one_component(context, component, findings);
    }
}

/// Who has a host port already: the first on all interfaces of each IP version, and the first on each address.
#[derive(Default)]
struct Taken<'a> {
    first: Option<Holder<'a>>,
    everywhere: Option<Holder<'a>>,
    all_v6: Option<Holder<'a>>,
    any_v6: Option<Holder<'a>>,
    addresses: HashMap<IpAddr, Holder<'a>>,
}

type Holder<'a> = (&'a Component, &'a Published);

impl<'a> Taken<'a> {
    /// The first holder whose addresses overlap with `address`.
    fn by(&self, address: Option<IpAddr>) -> Option<Holder<'a>> {
        let v6 = |holder: Option<Holder<'a>>| holder.filter(|_| address.is_some_and(|address| address.is_ipv6()));
        match address {
            None => self.first,
            Some(address) if address.is_unspecified() => self.everywhere.or(v6(self.any_v6)),
            Some(address) => self.everywhere.or(v6(self.all_v6)).or(self.addresses.get(&address).copied()),
        }
    }

    fn add(&mut self, holder: Holder<'a>) {
        self.first.get_or_insert(holder);
        match holder.1.address {
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

fn on_the_host(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut all: Vec<Holder<'_>> = published(context.plan).collect();
    all.sort_by_key(|(_, published)| context.position(&Place::Value(published.pointer.clone())));
    let numbers: HashSet<(u16, Protocol)> = all.iter().map(|(_, published)| (published.host_port, published.protocol)).collect();
    let mut taken: HashMap<(u16, Protocol), Taken<'_>> = HashMap::new();
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
        taken.add((component, published));
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
