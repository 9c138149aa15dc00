//! Endpoints and needs: every need is bound to exactly one endpoint, or the file is wrong.

use std::collections::HashMap;

use super::{Binding, Endpoint, Published, Target};
use crate::finding::{Finding, Place, below};
use crate::rules;
use crate::spec::LoggerChoice;
use crate::spec::values::Protocol;
use crate::topology::{Component, Role, Topology};

/// What binding adds to a component, in the order of the topology's components.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub endpoints: Vec<Endpoint>,
    pub bindings: Vec<Binding>,
    pub published: Vec<Published>,
}

/// What can be bound to, by name.
struct Directory<'a> {
    topology: &'a Topology,
    components: HashMap<&'a str, usize>,
    brokers: Vec<usize>,
    loggers: Vec<usize>,
    endpoints: Vec<Vec<Endpoint>>,
}

pub(super) fn bind(topology: &Topology, findings: &mut Vec<Finding>) -> Vec<Bound> {
    let of_role = |name: &str| {
        let indices = topology.components.iter().enumerate().filter(|(_, component)| component.role.name() == name);
        indices.map(|(index, _)| index).collect::<Vec<_>>()
    };
    let directory = Directory {
        topology,
        components: topology.components.iter().enumerate().map(|(index, c)| (c.name.as_str(), index)).collect(),
        brokers: of_role("broker"),
        loggers: of_role("logger"),
        endpoints: topology.components.iter().map(endpoints).collect(),
    };
    let bind_one = |(index, component): (usize, &Component)| {
        let endpoints = directory.endpoints[index].clone();
        let published = publish(component, &endpoints, findings);
        let bindings = directory.bindings(component, findings);
        Bound { endpoints, bindings, published }
    };
    topology.components.iter().enumerate().map(bind_one).collect()
}

fn endpoints(component: &Component) -> Vec<Endpoint> {
    let at = |key: &str| below(&component.pointer, key);
    let tcp = |name: &str, port: u16, key: &str| Endpoint { name: name.to_owned(), port, protocol: Protocol::Tcp, pointer: at(key) };
    let mut endpoints = match component.role {
        Role::Broker { frontend, backend, .. } => {
            vec![tcp("frontend", frontend, "frontend"), tcp("backend", backend, "backend")]
        }
        Role::Logger { port, .. } => vec![tcp("ingest", port, "port")],
        _ => Vec::new(),
    };
    endpoints.extend(component.keys.ports.iter().map(|(name, listen)| Endpoint {
        name: name.to_string(),
        port: listen.port,
        protocol: listen.protocol,
        pointer: below(&at("ports"), name.as_str()),
    }));
    endpoints
}

fn publish(component: &Component, endpoints: &[Endpoint], findings: &mut Vec<Finding>) -> Vec<Published> {
    let mut published = Vec::new();
    for (index, (name, host)) in component.keys.publish.0.iter().enumerate() {
        let place = below(&component.pointer, "publish");
        let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.name == *name) else {
            // In the form `["frontend"]` the name is an item, in the form `{ frontend = … }` a key.
            let place = match host.port {
                Some(_) => Place::Key(below(&place, name)),
                None => Place::Value(below(&place, &index.to_string())),
            };
            findings.push(rules::unknown_reference::endpoint(name, component.name.as_str(), endpoints, place));
            continue;
        };
        let step = if host.port.is_some() { name.clone() } else { index.to_string() };
        published.push(Published {
            endpoint: name.clone(),
            address: host.address,
            host_port: host.port.unwrap_or(endpoint.port),
            port: endpoint.port,
            protocol: endpoint.protocol,
            pointer: below(&place, &step),
        });
    }
    published
}

impl Directory<'_> {
    fn bindings(&self, component: &Component, findings: &mut Vec<Finding>) -> Vec<Binding> {
        let place = &component.pointer;
        let mut bindings = Vec::new();
        let role_need = match &component.role {
            Role::Worker { broker, .. } => Some((broker, "backend")),
            Role::Client { broker, .. } => Some((broker, "frontend")),
            _ => None,
        };
        if let Some((broker, endpoint)) = role_need {
            let found = match broker {
                Some(name) => self.named(name, "broker", Place::value_of(place, "broker"), findings),
                None => self.only(component, "broker", &self.brokers, findings),
            };
            bindings.extend(found.and_then(|index| self.binding("broker", index, endpoint)));
        }
        let logger = match &component.logger {
            LoggerChoice::None => None,
            LoggerChoice::Only => self.only(component, "logger", &self.loggers, findings),
            LoggerChoice::Named(name) => self.named(name, "logger", Place::value_of(place, "logger"), findings),
        };
        bindings.extend(logger.and_then(|index| self.binding("logger", index, "ingest")));
        for (need, target) in &component.keys.needs {
            let place = Place::Value(below(&below(&component.pointer, "needs"), need.as_str()));
            if bindings.iter().any(|binding| binding.need == need.as_str()) {
                findings.push(rules::ambiguous_binding::twice(need.as_str(), component, place));
                continue;
            }
            bindings.extend(self.need(need.as_str(), target, place, findings));
        }
        bindings
    }

    fn binding(&self, need: &str, index: usize, endpoint: &str) -> Option<Binding> {
        let name = self.topology.components[index].name.to_string();
        let port = self.endpoints[index].iter().find(|candidate| candidate.name == endpoint)?.port;
        let target = Target::Component { name: name.clone(), endpoint: endpoint.to_owned() };
        let host = self.topology.components[index].keys.service.clone().unwrap_or(name);
        Some(Binding { need: need.to_owned(), target, host, port })
    }

    /// The component of a role that the user named.
    fn named(&self, name: &str, role: &str, place: Place, findings: &mut Vec<Finding>) -> Option<usize> {
        match self.components.get(name) {
            Some(index) if self.topology.components[*index].role.name() == role => Some(*index),
            Some(index) => {
                let other = &self.topology.components[*index];
                findings.push(rules::unknown_reference::wrong_role(name, role, other, place));
                None
            }
            None => {
                findings.push(rules::unknown_reference::of_role(name, role, self.topology, place));
                None
            }
        }
    }

    /// The only component of a role.
    fn only(&self, component: &Component, role: &str, candidates: &[usize], findings: &mut Vec<Finding>) -> Option<usize> {
        match candidates {
            [index] => Some(*index),
            [] => {
                findings.push(rules::missing_component::finding(component, role));
                None
            }
            several => {
                let names = several.iter().map(|index| self.topology.components[*index].name.as_str());
                findings.push(rules::ambiguous_binding::several(component, role, names.collect()));
                None
            }
        }
    }

    /// `component.endpoint`, a component with one endpoint, or an external.
    fn need(&self, need: &str, target: &str, place: Place, findings: &mut Vec<Finding>) -> Option<Binding> {
        let (name, endpoint) = target.split_once('.').map_or((target, None), |(name, endpoint)| (name, Some(endpoint)));
        if let Some((_, external)) = self.topology.externals.iter().find(|(external, _)| external.as_str() == name) {
            if let Some(endpoint) = endpoint {
                findings.push(rules::unknown_reference::endpoint(endpoint, name, &[], place));
                return None;
            }
            let target = Target::External { name: name.to_owned() };
            return Some(Binding { need: need.to_owned(), target, host: external.host.clone(), port: external.port.0 });
        }
        let Some(index) = self.components.get(name) else {
            findings.push(rules::unknown_reference::component(name, self.topology, place));
            return None;
        };
        let endpoints = &self.endpoints[*index];
        match (endpoint, endpoints.as_slice()) {
            (Some(endpoint), _) if endpoints.iter().any(|candidate| candidate.name == endpoint) => self.binding(need, *index, endpoint),
            (Some(endpoint), _) => {
                findings.push(rules::unknown_reference::endpoint(endpoint, name, endpoints, place));
                None
            }
            (None, [only]) => self.binding(need, *index, &only.name),
            (None, _) => {
                findings.push(rules::ambiguous_binding::endpoint(name, endpoints, place));
                None
            }
        }
    }
}
