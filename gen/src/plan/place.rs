//! On which node each instance goes, as far as the topology can tell: as a scheduler would do it that spreads the instances of
//! each component over the nodes that can take them.

use std::collections::{HashMap, HashSet};

use super::{Component, Plan};
use crate::spec::values::{Protocol, Size, Volume};
use crate::spec::{Cpus, Node};

/// Where an instance goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this node.
    Node(String),
    /// Nowhere, because of this.
    Nowhere(Obstacle),
}

/// Why no node takes an instance: the last thing that was in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// No node has the name or the labels that `placement` asks for.
    NoSuchNode,
    /// A port of the host that it publishes is taken on each node that would do, on one of them by this component.
    Port {
        /// The port of the host.
        port: u16,
        /// TCP or UDP.
        protocol: Protocol,
        /// Who has it.
        holder: String,
    },
    /// Each node that would do has `max_per_node` instances already.
    Enough,
    /// The nodes that would do have not enough processors or memory left.
    Room,
}

impl Place {
    /// The node, if there is one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node(node) => Some(node),
            Self::Nowhere(_) => None,
        }
    }
}

/// Whether what is in a volume is on one node only. A folder of the machine that is only read may well be on each.
pub(crate) fn stays(volume: &Volume) -> bool {
    !volume.is_bind() || !volume.read_only
}

/// What a node has left. Thousandths of a processor and bytes; `None` where the topology sets no limit.
struct Left {
    cpus: Option<u64>,
    memory: Option<u64>,
    instances: usize,
    ports: HashMap<(u16, Protocol), String>,
}

impl Left {
    fn of(node: &Node) -> Self {
        Self { cpus: node.cpus.map(millis), memory: node.memory.map(Size::bytes), instances: 0, ports: HashMap::new() }
    }

    fn has_room_for(&self, cpus: u64, memory: u64) -> bool {
        self.cpus.is_none_or(|left| left >= cpus) && self.memory.is_none_or(|left| left >= memory)
    }
}

/// Thousandths of a processor: sums of these are exact.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of processors lies between 0 and 4096")]
fn millis(cpus: Cpus) -> u64 {
    (cpus.0 * 1000.0).round() as u64
}

/// Gives every instance its place. What must be on one node goes first, so that it finds its room there; the others follow in
/// the order in which they start.
pub(super) fn place(plan: &mut Plan) {
    if plan.nodes.is_empty() {
        return;
    }
    let mut left: Vec<Left> = plan.nodes.values().map(Left::of).collect();
    let mut volumes: HashMap<String, usize> = HashMap::new();
    let mut order: Vec<usize> = (0..plan.components.len()).filter(|index| plan.components[*index].is_deployed()).collect();
    order.sort_by_key(|index| plan.components[*index].placement.node.is_none());
    for index in order {
        let component = &plan.components[index];
        let places = instances(plan, component, &mut left, &mut volumes);
        plan.components[index].places = places;
    }
}

fn instances(plan: &Plan, component: &Component, left: &mut [Left], volumes: &mut HashMap<String, usize>) -> Vec<Place> {
    let cpus = component.resources.cpus.map_or(0, millis);
    let memory = component.resources.memory.map_or(0, Size::bytes);
    let ports: HashSet<(u16, Protocol)> = component.published.iter().map(|published| (published.host_port, published.protocol)).collect();
    let mut fitting: Vec<usize> = (0..left.len()).filter(|node| suits(plan, component, *node)).collect();
    let mut own = vec![0_u32; left.len()];
    let mut places: Vec<Place> = Vec::new();
    for _ in 0..component.replicas {
        // All instances, and all components, that share a volume are where it is.
        let home = component.volumes.iter().filter(|volume| stays(volume)).find_map(|volume| volumes.get(&volume.source)).copied();
        if component.placement.node.is_none()
            && let Some(home) = home.filter(|home| fitting.contains(home))
        {
            fitting = vec![home];
        }
        let mut obstacle = Obstacle::NoSuchNode;
        let mut best: Option<usize> = None;
        for node in fitting.iter().copied() {
            let here = &left[node];
            if let Some((port, protocol)) = ports.iter().filter(|port| here.ports.contains_key(port)).min_by_key(|(port, _)| *port) {
                let holder = here.ports[&(*port, *protocol)].clone();
                obstacle = Obstacle::Port { port: *port, protocol: *protocol, holder };
            } else if component.placement.max_per_node.is_some_and(|most| own[node] >= most.get()) {
                obstacle = Obstacle::Enough;
            } else if !here.has_room_for(cpus, memory) {
                obstacle = Obstacle::Room;
            } else if best.is_none_or(|best| (own[node], here.instances) < (own[best], left[best].instances)) {
                best = Some(node);
            }
        }
        let Some(node) = best else {
            // The next one finds no more than this one did.
            places.resize(component.replicas as usize, Place::Nowhere(obstacle));
            break;
        };
        let here = &mut left[node];
        here.cpus = here.cpus.map(|left| left.saturating_sub(cpus));
        here.memory = here.memory.map(|left| left.saturating_sub(memory));
        here.instances += 1;
        here.ports.extend(ports.iter().map(|port| (*port, component.name.clone())));
        own[node] += 1;
        for volume in component.volumes.iter().filter(|volume| stays(volume)) {
            volumes.entry(volume.source.clone()).or_insert(node);
        }
        places.push(Place::Node(plan.nodes.get_index(node).map_or_else(String::new, |(name, _)| name.to_string())));
    }
    places
}

/// Whether a node is one that `placement` asks for.
fn suits(plan: &Plan, component: &Component, index: usize) -> bool {
    let wanted = &component.placement;
    plan.nodes.get_index(index).is_some_and(|(name, node)| {
        wanted.node.as_ref().is_none_or(|wanted| wanted == name)
            && wanted.labels.iter().all(|(label, value)| node.labels.get(label) == Some(value))
    })
}
