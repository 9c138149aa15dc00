//! Services and `NetworkPolicies`.

use std::collections::{BTreeSet, HashMap};

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use super::names::{self, Names};
use super::{Cluster, some};
use crate::plan::{Component, Endpoint, Plan, Published, Role, Target};
use crate::spec::values::Protocol;

/// The network of what is bound to nothing. Its members reach each other by name, whatever they listen on.
const DEFAULT_NETWORK: &str = "default";

/// A port of a container, with the name that it has there.
pub(super) struct Port<'p> {
    pub name: String,
    pub endpoint: &'p Endpoint,
}

impl Port<'_> {
    fn protocol(&self) -> &'static str {
        protocol(self.endpoint.protocol)
    }

    /// As one of a container's `ports`.
    pub fn of_container(&self) -> Value {
        json!({ "name": self.name, "containerPort": self.endpoint.port, "protocol": self.protocol() })
    }

    /// As one of a Service's `ports`, under a number.
    fn of_service(&self, number: u16) -> Value {
        json!({ "name": self.name, "port": number, "targetPort": self.name, "protocol": self.protocol() })
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// The ports of a component's container. Two endpoints may be one port: it is listed once.
pub(super) fn ports(component: &Component) -> Vec<Port<'_>> {
    let mut names = Names::default();
    let mut seen = IndexSet::new();
    let endpoints = component.endpoints.iter().filter(|endpoint| seen.insert((endpoint.port, endpoint.protocol)));
    endpoints.map(|endpoint| Port { name: names::port(&mut names, &endpoint.name), endpoint }).collect()
}

/// By port, the endpoint's name and the components that are bound to it.
type Peers<'p> = IndexMap<(u16, Protocol), (&'p str, BTreeSet<&'p str>)>;

/// Who is bound to what.
#[derive(Default)]
pub(super) struct Bound<'p> {
    /// By component.
    endpoints: HashMap<&'p str, Peers<'p>>,
    /// The members of the network of what is bound to nothing, where there are several.
    together: BTreeSet<&'p str>,
}

impl<'p> Bound<'p> {
    pub fn of(plan: &'p Plan) -> Self {
        let mut bound = Self::default();
        for other in plan.deployed() {
            for binding in &other.bindings {
                let Target::Component { name, endpoint } = &binding.target else { continue };
                let Some(endpoint) = plan.component(name).and_then(|component| component.endpoint(endpoint)) else { continue };
                let ports = bound.endpoints.entry(name).or_default();
                ports.entry((endpoint.port, endpoint.protocol)).or_insert((&endpoint.name, BTreeSet::new())).1.insert(&other.name);
            }
        }
        if let Some(network) = plan.networks.get(DEFAULT_NETWORK).filter(|network| network.members.len() > 1) {
            bound.together.extend(network.members.iter().map(String::as_str));
        }
        bound
    }

    /// Whether somebody may connect to a port.
    fn is_used(&self, component: &str, endpoint: &Endpoint) -> bool {
        let is_bound = |ports: &Peers<'_>| ports.contains_key(&(endpoint.port, endpoint.protocol));
        self.together.contains(component) || self.endpoints.get(component).is_some_and(is_bound)
    }
}

/// Whether a component has a Service.
pub(super) fn is_served(bound: &Bound<'_>, component: &Component) -> bool {
    published(component).next().is_some() || component.endpoints.iter().any(|endpoint| bound.is_used(&component.name, endpoint))
}

/// The Service by whose name the others know a component. The ports of its endpoints that somebody may connect to.
pub(super) fn service(cluster: &Cluster<'_>, component: &Component) -> Option<Value> {
    let ports = ports(component);
    let wanted = ports.iter().filter(|port| cluster.bound.is_used(&component.name, port.endpoint));
    let ports = some(wanted.map(|port| port.of_service(port.endpoint.port)).collect())?;
    // A message's peers look every address up themselves and stay with one. Through a virtual address several instances would
    // take turns connection by connection, and nobody could tell which of them he speaks to.
    let headless = component.replicas > 1 && matches!(component.role, Role::Broker { .. } | Role::Logger { .. });
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": cluster.metadata(component, &component.name),
        "spec": {
            "clusterIP": headless.then_some("None"),
            "selector": cluster.selector(&component.name),
            "ports": ports,
        },
    }))
}

/// What is published to everybody. What is published on one address of the host is not for everybody.
fn published(component: &Component) -> impl Iterator<Item = &Published> {
    component.published.iter().filter(|published| published.address.is_none_or(|address| address.is_unspecified()))
}

/// The Service by which the world reaches what is published, and nothing else: all ports of a load balancer are open.
pub(super) fn public_service(cluster: &Cluster<'_>, component: &Component, services: &mut Names) -> Option<Value> {
    let ports = ports(component);
    let mut numbers = IndexSet::new();
    let mut names = Names::default();
    let of_port = |published: &Published| {
        let port = ports.iter().find(|port| (port.endpoint.port, port.endpoint.protocol) == (published.port, published.protocol))?;
        numbers.insert((published.host_port, published.protocol)).then(|| {
            let mut of_service = port.of_service(published.host_port);
            of_service["name"] = names::port(&mut names, &port.name).into();
            of_service
        })
    };
    let public = some(published(component).filter_map(of_port).collect())?;
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": cluster.metadata(component, &services.take(&format!("{}-public", component.name), names::MAX_LABEL)),
        "spec": {
            "type": "LoadBalancer",
            "selector": cluster.selector(&component.name),
            "ports": public,
        },
    }))
}

/// The plan's networks as policies: nobody reaches anything but whom an endpoint's policy lets in. What the pods themselves
/// connect to outside is as free as on the networks of Compose.
pub(super) fn policies(cluster: &Cluster<'_>) -> Vec<Value> {
    let plan = cluster.plan;
    let part_of = json!({ "app.kubernetes.io/part-of": plan.name });
    let mut names = Names::default();
    let mut policies = Vec::new();
    let mut policy = |name: &str, selector: Value, ingress: Option<Value>| {
        policies.push(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": cluster.own_metadata(&names.take(name, names::MAX_LABEL)),
            "spec": { "podSelector": selector, "policyTypes": ["Ingress"], "ingress": ingress.map(|rule| vec![rule]) },
        }));
    };
    if plan.deployed().next().is_none() {
        return Vec::new();
    }
    policy(&format!("{}-closed", plan.name), json!({ "matchLabels": part_of }), None);
    for component in plan.deployed() {
        let selector = json!({ "matchLabels": cluster.selector(&component.name) });
        for ((port, transport), (endpoint, members)) in cluster.bound.endpoints.get(component.name.as_str()).into_iter().flatten() {
            let ports = json!([{ "port": port, "protocol": protocol(*transport) }]);
            let from = json!([{ "podSelector": among(cluster, members) }]);
            policy(&format!("{}-{endpoint}", component.name), selector.clone(), Some(json!({ "from": from, "ports": ports })));
        }
        let open: IndexSet<_> = published(component).map(|published| (published.port, published.protocol)).collect();
        let open = open.into_iter().map(|(port, transport)| json!({ "port": port, "protocol": protocol(transport) }));
        if let Some(ports) = some(open.collect()) {
            policy(&format!("{}-public", component.name), selector, Some(json!({ "ports": ports })));
        }
    }
    if !cluster.bound.together.is_empty() {
        let members = among(cluster, &cluster.bound.together);
        policy(DEFAULT_NETWORK, members.clone(), Some(json!({ "from": [{ "podSelector": members }] })));
    }
    policies
}

/// The pods of some components.
fn among(cluster: &Cluster<'_>, names: &BTreeSet<&str>) -> Value {
    json!({
        "matchLabels": { "app.kubernetes.io/part-of": cluster.plan.name },
        "matchExpressions": [{ "key": "app.kubernetes.io/name", "operator": "In", "values": names }],
    })
}
