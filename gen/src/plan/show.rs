//! A plan for people and for programs.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::Serialize;

use super::checks::{At, Check, Probe};
use super::{Component, Condition, ImageSource, Origin, Plan, Published, Role, Target};
use crate::secret;

/// The form in which a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: a versioned document.
    Json,
}

/// Names of components that have something in common, one a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum List {
    /// What runs until it is stopped.
    LongRunning,
    /// What ends by itself: clients.
    OneShot,
    /// The programs whose static binaries the images need.
    Static,
    /// The project.
    Project,
    /// What runs, with its number of instances: `wor=4`.
    Instances,
}

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
const VERSION: u32 = 1;

/// The names that `--list` asks for, one a line.
#[must_use]
pub fn list(plan: &Plan, list: List) -> String {
    if list == List::Instances {
        return plan.deployed().fold(String::new(), |text, component| format!("{text}{}={}\n", component.name, component.replicas));
    }
    let mut names: Vec<&str> = match list {
        List::Instances => Vec::new(),
        List::Project => vec![&plan.name],
        List::LongRunning => plan.deployed().filter(|c| !c.is_one_shot()).map(|c| c.service.as_str()).collect(),
        List::OneShot => plan.deployed().filter(|c| c.is_one_shot()).map(|c| c.service.as_str()).collect(),
        List::Static => plan
            .deployed()
            .filter_map(|component| match component.image {
                ImageSource::Static { program } => Some(program),
                _ => None,
            })
            .collect(),
    };
    if list == List::Static {
        names.sort_unstable();
        names.dedup();
    }
    names.iter().fold(String::new(), |text, name| text + name + "\n")
}

/// The name that the engine gives an instance, counted from 1.
fn instance_name(plan: &Plan, component: &Component, number: u32) -> String {
    format!("{}-{}-{number}", plan.name, component.name)
}

/// The identity of an instance on the wire, where its role has one.
fn identity(component: &Component) -> Option<&'static str> {
    match component.role {
        Role::Worker { .. } => Some("WOR_<hostname>"),
        Role::Client { .. } => Some("CLI_<hostname>"),
        _ => None,
    }
}

/// What runs, as its container is started: program and arguments.
fn command(component: &Component) -> Vec<String> {
    if let Some(command) = &component.command {
        return command.clone();
    }
    match &component.image {
        ImageSource::Static { program } | ImageSource::Source { program } => vec![format!("/{program}")],
        ImageSource::Program(program) => program.command.clone().unwrap_or_default(),
        ImageSource::Ready(_) | ImageSource::Compose => Vec::new(),
    }
}

/// Where the instances go, in their order: `a, b, a`, and `a × 40, b × 40` where there are many.
fn nodes(component: &Component) -> String {
    const MOST: usize = 8;
    let names = component.places.iter().map(|place| place.node().unwrap_or("nowhere"));
    if component.places.len() <= MOST {
        return names.collect::<Vec<_>>().join(", ");
    }
    let mut counted: IndexMap<&str, usize> = IndexMap::new();
    names.for_each(|name| *counted.entry(name).or_default() += 1);
    counted.iter().map(|(name, count)| format!("{name} × {count}")).collect::<Vec<_>>().join(", ")
}

/// The same start by hand: the lab's positional arguments.
fn by_hand(component: &Component) -> Option<String> {
    if !component.is_own() || component.command.is_some() {
        return None;
    }
    let address = |need: &str| component.binding(need).map(|binding| format!(" {} {}", binding.host, binding.port));
    let logger = address("logger").unwrap_or_default();
    match &component.role {
        Role::Broker { frontend, backend, .. } => Some(format!("broker {frontend} {backend}{logger}")),
        Role::Worker { .. } => Some(format!("worker HN{}{logger}", address("broker")?)),
        Role::Client { requests, .. } => Some(format!("client HN {requests}{}{logger}", address("broker")?)),
        Role::Logger { port, .. } => {
            let folder = component.env.get("LOGGER_DIR").map_or("", |variable| variable.value.as_str());
            Some(format!("logger {port} {folder}/logs"))
        }
        Role::Service => None,
    }
}

/// The image in words.
fn image(component: &Component, base: &str) -> String {
    match &component.image {
        ImageSource::Static { program } => format!("built here: our {program}, linked statically, on {base}"),
        ImageSource::Source { program } => format!("built here: our {program}, from source, on {base}"),
        ImageSource::Program(program) => match (&program.from, &program.dockerfile) {
            (Some(from), _) => format!("built here from {from}"),
            (None, Some(dockerfile)) => format!("built here with {}/{dockerfile}", program.context),
            (None, None) => "built here".to_owned(),
        },
        ImageSource::Ready(image) => image.clone(),
        ImageSource::Compose => "as `compose` says".to_owned(),
    }
}

fn publication(published: &Published) -> String {
    format!("{}://{} → {}", published.protocol, published.host_address(), published.endpoint)
}

/// The plan for people.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let instances: u64 = plan.deployed().map(|component| u64::from(component.replicas)).sum();
    let components = crate::rules::count(plan.deployed().count() as u64, "component");
    let _ = writeln!(text, "{}: {components}, {}\n", plan.name, crate::rules::count(instances, "instance"));
    let mut stage = None;
    for component in plan.deployed() {
        if stage != Some(component.stage) {
            let when = if component.stage == 0 { "starts first" } else { "starts when those before are ready" };
            let _ = writeln!(text, "stage {}: {when}", component.stage + 1);
            stage = Some(component.stage);
        }
        component_text(&mut text, plan, component);
    }
    for component in plan.components.values().filter(|component| !component.is_deployed()) {
        if stage.is_some() {
            text.push_str("on other machines:\n");
            stage = None;
        }
        component_text(&mut text, plan, component);
    }
    let mut elsewhere = plan.checks.iter().filter(|check| check.component.is_none()).peekable();
    if elsewhere.peek().is_some() {
        text.push_str("checks of other hosts:\n");
    }
    for check in elsewhere {
        let _ = writeln!(text, "  {check}");
    }
    if !plan.networks.is_empty() {
        text.push_str("networks:\n");
        for (name, network) in &plan.networks {
            let _ = writeln!(text, "  {name}: {}", network.members.join(", "));
        }
    }
    text
}

fn component_text(text: &mut String, plan: &Plan, component: &Component) {
    let times = if component.replicas == 1 { String::new() } else { format!(" × {}", component.replicas) };
    let _ = writeln!(text, "  {} {}{times}", component.role.name(), component.name);
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "    {key:<10} {value}");
        }
    };
    line("image", image(component, &plan.base));
    line("runs", command(component).join(" "));
    line("by hand", by_hand(component).unwrap_or_default());
    if component.is_deployed() {
        let name = |number| instance_name(plan, component, number);
        line(
            "instances",
            match component.replicas {
                0 => "none".to_owned(),
                1 => name(1),
                2 => format!("{}, {}", name(1), name(2)),
                many => format!("{} … {}", name(1), name(many)),
            },
        );
    }
    line("nodes", nodes(component));
    line("identity", identity(component).unwrap_or_default().to_owned());
    for endpoint in &component.endpoints {
        line("listens", format!("{} {}/{}", endpoint.name, endpoint.port, endpoint.protocol));
    }
    for published in &component.published {
        line("published", publication(published));
    }
    for binding in &component.bindings {
        let to = match &binding.target {
            Target::Component { name, endpoint } => format!("{name}.{endpoint}"),
            Target::External { name } => format!("{name} (external)"),
        };
        line("connects", format!("{} → {to} ({})", binding.need, binding.url()));
    }
    let waits = component.depends_on.iter().map(|(name, condition)| match condition {
        Condition::Healthy => format!("{name} healthy"),
        Condition::Started => format!("{name} started"),
    });
    line("waits for", waits.collect::<Vec<_>>().join(", "));
    for volume in &component.volumes {
        line("volume", format!("{} → {}{}", volume.source, volume.target, if volume.read_only { " (read only)" } else { "" }));
    }
    line("networks", component.networks.join(", "));
    for check in plan.checks_of(&component.name) {
        line("check", check.to_string());
    }
    for (key, variable) in &component.env {
        line("env", format!("{key}={}", secret::shown(key, &variable.value)));
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    name: &'a str,
    components: Vec<ComponentDocument<'a>>,
    networks: IndexMap<&'a str, &'a [String]>,
    start_order: Vec<Vec<&'a str>>,
    checks: Vec<CheckDocument<'a>>,
}

/// A check: `url` for `http`, else `address`; both as the host of the deployment reaches it, or nothing where only the engine knows
/// the container's address: there `component`, `endpoint` and `port` say what to look up.
#[derive(Serialize)]
struct CheckDocument<'a> {
    about: Option<&'a str>,
    check: &'a str,
    kind: &'a str,
    component: Option<&'a str>,
    endpoint: Option<&'a str>,
    port: u16,
    path: Option<&'a str>,
    address: Option<String>,
    url: Option<String>,
    expect: Option<u16>,
    contains: Option<&'a str>,
}

#[derive(Serialize)]
struct ComponentDocument<'a> {
    name: &'a str,
    role: &'a str,
    deployed: bool,
    stage: usize,
    replicas: u32,
    image: String,
    command: Vec<String>,
    by_hand: Option<String>,
    identity: Option<&'a str>,
    instances: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<Option<&'a str>>,
    endpoints: Vec<EndpointDocument<'a>>,
    published: Vec<PublishedDocument<'a>>,
    bindings: Vec<BindingDocument<'a>>,
    waits_for: IndexMap<&'a str, &'a str>,
    environment: IndexMap<&'a str, EnvDocument<'a>>,
    volumes: Vec<VolumeDocument<'a>>,
    networks: &'a [String],
}

#[derive(Serialize)]
struct EndpointDocument<'a> {
    name: &'a str,
    port: u16,
    protocol: String,
}

#[derive(Serialize)]
struct PublishedDocument<'a> {
    endpoint: &'a str,
    address: String,
    port: u16,
    protocol: String,
}

#[derive(Serialize)]
struct BindingDocument<'a> {
    need: &'a str,
    component: Option<&'a str>,
    endpoint: Option<&'a str>,
    external: Option<&'a str>,
    host: &'a str,
    port: u16,
    url: String,
}

#[derive(Serialize)]
struct EnvDocument<'a> {
    value: &'a str,
    origin: &'a str,
}

#[derive(Serialize)]
struct VolumeDocument<'a> {
    source: &'a str,
    target: &'a str,
    read_only: bool,
}

/// The plan for programs, with a line break at its end.
#[must_use]
pub fn json(plan: &Plan) -> String {
    let mut start_order: Vec<Vec<&str>> = Vec::new();
    for component in plan.deployed() {
        if start_order.len() <= component.stage {
            start_order.resize(component.stage + 1, Vec::new());
        }
        start_order[component.stage].push(&component.name);
    }
    let document = Document {
        version: VERSION,
        name: &plan.name,
        components: plan.components.values().map(|component| component_document(plan, component)).collect(),
        networks: plan.networks.iter().map(|(name, network)| (name.as_str(), network.members.as_slice())).collect(),
        start_order,
        checks: plan.checks.iter().map(check_document).collect(),
    };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn component_document<'a>(plan: &'a Plan, component: &'a Component) -> ComponentDocument<'a> {
    let deployed = component.is_deployed();
    ComponentDocument {
        name: &component.name,
        role: component.role.name(),
        deployed,
        stage: component.stage,
        replicas: component.replicas,
        image: image(component, &plan.base),
        command: command(component),
        by_hand: by_hand(component),
        identity: identity(component),
        instances: (1..=component.replicas).filter(|_| deployed).map(|n| instance_name(plan, component, n)).collect(),
        nodes: component.places.iter().map(super::Place::node).collect(),
        endpoints: component
            .endpoints
            .iter()
            .map(|e| EndpointDocument { name: &e.name, port: e.port, protocol: e.protocol.to_string() })
            .collect(),
        published: component
            .published
            .iter()
            .map(|p| PublishedDocument { endpoint: &p.endpoint, address: p.host_address(), port: p.port, protocol: p.protocol.to_string() })
            .collect(),
        bindings: component.bindings.iter().map(binding_document).collect(),
        waits_for: component
            .depends_on
            .iter()
            .map(|(name, condition)| (name.as_str(), if *condition == Condition::Healthy { "healthy" } else { "started" }))
            .collect(),
        environment: component
            .env
            .iter()
            .map(|(key, variable)| {
                let origin = match variable.origin {
                    Origin::Binding => "binding",
                    Origin::Setting => "setting",
                    Origin::User => "user",
                };
                (key.as_str(), EnvDocument { value: secret::shown(key, &variable.value), origin })
            })
            .collect(),
        volumes: component
            .volumes
            .iter()
            .map(|v| VolumeDocument { source: &v.source, target: &v.target, read_only: v.read_only })
            .collect(),
        networks: &component.networks,
    }
}

fn check_document(check: &Check) -> CheckDocument<'_> {
    let (component, endpoint, port) = match &check.at {
        At::Endpoint { component, endpoint, port, .. } => (Some(component.as_str()), Some(endpoint.as_str()), *port),
        At::Host { port, .. } => (None, None, *port),
    };
    let (kind, path, expect, contains) = match &check.probe {
        Probe::Tcp => ("tcp", None, None, None),
        Probe::Http { path, expect, contains } => ("http", Some(path.as_str()), Some(*expect), contains.as_deref()),
    };
    CheckDocument {
        about: check.component.as_deref(),
        check: &check.written,
        kind,
        component,
        endpoint,
        port,
        path,
        address: check.at.authority(None),
        url: check.url(None),
        expect,
        contains,
    }
}

fn binding_document(binding: &super::Binding) -> BindingDocument<'_> {
    let (component, endpoint, external) = match &binding.target {
        Target::Component { name, endpoint } => (Some(name.as_str()), Some(endpoint.as_str()), None),
        Target::External { name } => (None, None, Some(name.as_str())),
    };
    BindingDocument { need: &binding.need, component, endpoint, external, host: &binding.host, port: binding.port, url: binding.url() }
}
