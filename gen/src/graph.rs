//! The plan as a picture: what is in it ([`Graph`]), and its forms: SVG, Mermaid, Graphviz.
//!
//! Components are boxes. What they listen on stands at a box's left, what they need and mount at its right; an edge goes from one to
//! the other. Ports of the host and volumes are small boxes of their own. What lint warns of is red.

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::HashMap;

use clap::ValueEnum;

use crate::finding::{Place, Severity};
use crate::lint::Located;
use crate::plan::{Component, ImageSource, Plan, Role, Target};
use crate::rules::count;
use crate::spec::values::Protocol;

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A picture by itself, for light and dark pages
    Svg,
    /// A flowchart for Mermaid, which GitHub and GitLab draw
    Mermaid,
    /// A graph for Graphviz
    Dot,
}

/// What is to be drawn.
#[derive(Debug, Default)]
pub struct Graph {
    /// What stands above it.
    pub title: String,
    /// Boxes.
    pub nodes: Vec<Node>,
    /// What leads from one to another.
    pub edges: Vec<Edge>,
    /// Findings that are about no box.
    pub marks: Vec<Mark>,
}

/// A box.
#[derive(Debug)]
pub struct Node {
    /// What it stands for.
    pub kind: Kind,
    /// Its name, with the number of instances where there is more than one.
    pub title: String,
    /// What is said below the name.
    pub lines: Vec<String>,
    /// What edges begin and end at.
    pub rows: Vec<Row>,
    /// What lint has to say of it.
    pub marks: Vec<Mark>,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the roles")]
pub enum Kind {
    Broker,
    Worker,
    Client,
    Logger,
    Service,
    /// Something that is not deployed here: a client elsewhere, an external.
    Outside,
    /// A port of the host.
    Published,
    /// A folder of the host, or a volume that the engine keeps.
    Volume,
}

/// A line of a box at which edges begin (at the right) or end (at the left).
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is, as in `frontend 9998`.
    pub text: String,
    /// The network that leads there.
    pub network: Option<String>,
    /// Whether edges begin there.
    pub is_start: bool,
}

/// An edge between two rows; a row that a box does not have is the box itself.
#[derive(Debug)]
pub struct Edge {
    /// Box and row.
    pub from: (usize, usize),
    /// Box and row.
    pub to: (usize, usize),
    /// What it is.
    pub label: String,
}

/// Something that lint has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The rule.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

/// The most components that a picture shows; beyond it nobody finds anything in it.
const MOST: usize = 1_000;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("{0} components are more than the {MOST} that a picture can show; `cbwgen plan` lists them")]
pub struct TooMany(usize);

/// Draws a plan, with what lint found in it.
pub fn draw(plan: &Plan, findings: &[Located], format: Format) -> Result<String, TooMany> {
    if plan.components.len() > MOST {
        return Err(TooMany(plan.components.len()));
    }
    let graph = graph(plan, findings);
    Ok(match format {
        Format::Svg => svg::svg(&graph),
        Format::Mermaid => mermaid::mermaid(&graph),
        Format::Dot => dot::dot(&graph),
    })
}

/// What there is to draw.
#[must_use]
pub fn graph(plan: &Plan, findings: &[Located]) -> Graph {
    let instances: u64 = plan.deployed().map(|component| u64::from(component.replicas)).sum();
    let components = count(plan.deployed().count() as u64, "component");
    let mut graph = Graph { title: format!("{}: {components}, {}", plan.name, count(instances, "instance")), ..Graph::default() };
    let mut index = HashMap::new();
    for component in plan.components.values() {
        index.insert(component.name.as_str(), graph.nodes.len());
        graph.nodes.push(node(plan, component));
    }
    let mut ports: HashMap<(String, Protocol), usize> = HashMap::new();
    for component in plan.deployed() {
        let to = index[component.name.as_str()];
        for published in &component.published {
            let row = component.endpoints.iter().position(|endpoint| endpoint.name == published.endpoint).unwrap_or(0);
            let from = graph.nodes.len();
            let title = format!("{}{}", published.host_address(), udp(published.protocol));
            ports.insert((format!("{}.{}", component.name, published.endpoint), published.protocol), from);
            graph.nodes.push(Node {
                kind: Kind::Published,
                title,
                lines: vec!["port of the host".to_owned()],
                rows: Vec::new(),
                marks: Vec::new(),
            });
            graph.edges.push(Edge { from: (from, 0), to: (to, row), label: format!("{} {}", published.endpoint, published.port) });
        }
    }
    let mut others: HashMap<&str, usize> = HashMap::new();
    for component in plan.components.values() {
        let from = index[component.name.as_str()];
        let first = component.endpoints.len();
        for (place, binding) in component.bindings.iter().enumerate() {
            let (to, label) = match &binding.target {
                Target::Component { name, endpoint } => {
                    let Some(target) = plan.component(name) else { continue };
                    let row = target.endpoints.iter().position(|known| known.name == *endpoint).unwrap_or(0);
                    let way_in = ports.get(&(format!("{name}.{endpoint}"), Protocol::Tcp)).filter(|_| !component.is_deployed());
                    (way_in.map_or((index[name.as_str()], row), |port| (*port, 0)), format!("{endpoint} {}", binding.port))
                }
                Target::External { name } => {
                    let to = *others.entry(name).or_insert_with(|| {
                        let lines = vec!["not deployed here".to_owned(), format!("{}:{}", binding.host, binding.port)];
                        graph.nodes.push(Node { kind: Kind::Outside, title: name.clone(), lines, rows: Vec::new(), marks: Vec::new() });
                        graph.nodes.len() - 1
                    });
                    ((to, 0), binding.need.clone())
                }
            };
            graph.edges.push(Edge { from: (from, first + place), to, label });
        }
        for (place, volume) in component.volumes.iter().enumerate() {
            let to = *others.entry(&volume.source).or_insert_with(|| {
                let what = if volume.is_bind() { "folder of the host" } else { "volume" };
                let lines = vec![what.to_owned()];
                graph.nodes.push(Node { kind: Kind::Volume, title: volume.source.clone(), lines, rows: Vec::new(), marks: Vec::new() });
                graph.nodes.len() - 1
            });
            graph.edges.push(Edge { from: (from, first + component.bindings.len() + place), to: (to, 0), label: volume.target.clone() });
        }
    }
    mark(plan, findings, &index, &mut graph);
    graph
}

fn node(plan: &Plan, component: &Component) -> Node {
    let times = if component.replicas == 1 { String::new() } else { format!(" ×{}", component.replicas) };
    let image = match &component.image {
        ImageSource::Static { .. } | ImageSource::Source { .. } => "our own program".to_owned(),
        ImageSource::Program(program) => format!("built in {}", program.context),
        ImageSource::Ready(image) => image.clone(),
        ImageSource::Compose => "as `compose` says".to_owned(),
    };
    let mut lines = vec![if component.is_deployed() { image } else { "on another machine".to_owned() }];
    let network = |name: &str| plan.networks.get(name).filter(|network| !network.brought && name != "default");
    let shared: Vec<&str> = component.networks.iter().map(String::as_str).filter(|name| network(name).is_none()).collect();
    if !shared.is_empty() {
        lines.push(format!("network {}", shared.join(", ")));
    }
    let endpoints = component.endpoints.iter().map(|endpoint| {
        let name = format!("{}-{}", component.name, endpoint.name);
        let network = network(&name).is_some().then_some(name);
        Row { text: format!("{} {}{}", endpoint.name, endpoint.port, udp(endpoint.protocol)), network, is_start: false }
    });
    let needs = component.bindings.iter().map(|binding| Row { text: binding.need.clone(), network: None, is_start: true });
    let volumes = component.volumes.iter().map(|volume| {
        let mode = if volume.read_only { " (read only)" } else { "" };
        Row { text: format!("{}{mode}", volume.target), network: None, is_start: true }
    });
    let kind = match component.role {
        _ if !component.is_deployed() => Kind::Outside,
        Role::Broker { .. } => Kind::Broker,
        Role::Worker { .. } => Kind::Worker,
        Role::Client { .. } => Kind::Client,
        Role::Logger { .. } => Kind::Logger,
        Role::Service => Kind::Service,
    };
    let rows = endpoints.chain(needs).chain(volumes).collect();
    Node { kind, title: format!("{}{times}", component.name), lines, rows, marks: Vec::new() }
}

fn udp(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "",
        Protocol::Udp => "/udp",
    }
}

/// Puts errors and warnings where they belong.
fn mark(plan: &Plan, findings: &[Located], index: &HashMap<&str, usize>, graph: &mut Graph) {
    for located in findings.iter().filter(|located| located.finding.severity != Severity::Note) {
        let finding = &located.finding;
        let pointer = match &finding.place {
            Place::Key(pointer) | Place::Value(pointer) => pointer.as_slice(),
            Place::Bytes(_) | Place::At(_) => &[],
        };
        let owner = plan.components.values().find(|component| pointer.starts_with(&component.pointer));
        let owner = owner.and_then(|component| index.get(component.name.as_str()));
        let marks = owner.map_or(&mut graph.marks, |owner| &mut graph.nodes[*owner].marks);
        let mark = Mark { rule: finding.rule, message: finding.message.clone() };
        if !marks.contains(&mark) {
            marks.push(mark);
        }
    }
}

impl Kind {
    /// What is said of it, and how it is styled.
    fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Worker => "worker",
            Self::Client => "client",
            Self::Logger => "logger",
            Self::Service => "service",
            Self::Outside => "outside",
            Self::Published => "published",
            Self::Volume => "volume",
        }
    }
}

/// A text that fits a line: without line breaks, and not too long.
fn short(text: &str, longest: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= longest { clean } else { clean.chars().take(longest - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests;
