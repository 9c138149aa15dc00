//! What a component needs beside its bindings: environment, networks, health check, order of start, image.

use indexmap::IndexMap;

use super::bind::Bound;
use super::{
    Binding, Component, Condition, EnvVar, Healthcheck, ImageSource, LOGGER_DIR, Network, Origin, Plan, Program, Role, Target, USER,
    template,
};
use crate::finding::{Finding, Place, Severity, below};
use crate::rules;
use crate::spec::values::{Command, Duration};
use crate::spec::{self, Build};
use crate::topology::{self, Topology};

/// Up to this many worker tables a client waits for all of them; beyond that the edges would grow with the square.
const MOST_AWAITED_WORKERS: usize = 16;

/// Where our own programs answer their probe, inside the container.
const METRICS_ADDR: &str = "127.0.0.1:9100";

pub(super) fn complete(topology: Topology, bound: Vec<Bound>, findings: &mut Vec<Finding>) -> Plan {
    let mut plan = Plan {
        name: topology.name,
        components: IndexMap::with_capacity(bound.len()),
        images: topology.images,
        compose: topology.compose.0,
        base: topology.base,
        host: topology.host,
        nodes: topology.nodes,
        sla: topology.sla,
        ..Plan::default()
    };
    for (component, bound) in topology.components.into_iter().zip(bound) {
        let name = component.name.to_string();
        // A second component of the same name was told already.
        if !plan.components.contains_key(&name) {
            plan.components.insert(name, complete_one(component, bound, findings));
        }
    }
    outside_clients(&mut plan);
    request_timeouts(&mut plan);
    doors(&mut plan);
    networks(&mut plan);
    dependencies(&mut plan);
    check_images(&plan, findings);
    plan
}

fn complete_one(component: topology::Component, bound: Bound, findings: &mut Vec<Finding>) -> Component {
    let topology::Component { name, pointer, role, replicas, scaled_by, logger: _, build, restart, resources, mut keys } = component;
    let name = name.to_string();
    let (as_is, compose) = (keys.as_is == Some(true), std::mem::take(&mut keys.compose.0));
    let mut fill = |text: &str, place: Place| match template::fill(text, &name, &bound.bindings) {
        Ok(filled) => filled,
        Err(message) => {
            findings.push(wrong_template(message, place));
            text.to_owned()
        }
    };

    let image = match (keys.image.take(), build) {
        (Some(image), _) => ImageSource::Ready(image),
        (None, Build::Static | Build::Source) if ["image", "build", "provider"].iter().any(|key| compose.contains_key(*key)) => {
            ImageSource::Compose
        }
        (None, Build::Program(program)) => {
            let place = below(&pointer, "build");
            ImageSource::Program(Box::new(resolve_program(*program, |text| fill(text, Place::value_of(&place, "command")))))
        }
        (None, Build::Source) if role != Role::Service => ImageSource::Source { program: role.name() },
        (None, _) => ImageSource::Static { program: role.name() },
    };
    let own = matches!(image, ImageSource::Static { .. } | ImageSource::Source { .. });
    let built_here = !as_is && !matches!(image, ImageSource::Ready(_) | ImageSource::Compose);

    let mut volumes = Vec::new();
    let mut tmpfs = std::mem::take(&mut keys.tmpfs);
    let mut settings = if as_is && !own { Vec::new() } else { settings(&role, own) };
    if let Role::Logger { volume, .. } = &role {
        let folder = volume.as_ref().map_or(LOGGER_DIR, |volume| volume.target.as_str());
        if own || !as_is {
            settings.push(("LOGGER_DIR".to_owned(), folder.to_owned()));
        }
        let mounted = keys.volumes.iter().any(|volume| volume.target == folder);
        if volume.is_none() && own && !mounted {
            // Without a volume the log lives as long as the container; its own files cannot be written.
            tmpfs.push(format!("{LOGGER_DIR}:uid={USER},gid={USER},mode=0755"));
        }
        volumes.extend(volume.clone());
    }
    volumes.append(&mut keys.volumes);

    let mut env = IndexMap::new();
    for binding in bound.bindings.iter().filter(|_| !as_is || own) {
        let prefix = binding.need.to_uppercase().replace('-', "_");
        for (suffix, value) in [("HOST", binding.host.clone()), ("PORT", binding.port.to_string()), ("URL", binding.url())] {
            env.insert(format!("{prefix}_{suffix}"), EnvVar { value, origin: Origin::Binding });
        }
    }
    for (key, value) in settings {
        env.insert(key, EnvVar { value, origin: Origin::Setting });
    }
    for (key, value) in &keys.env {
        let value = fill(&value.0, Place::Value(below(&below(&pointer, "env"), &key.0)));
        env.insert(key.0.clone(), EnvVar { value, origin: Origin::User });
    }
    let command = keys.command.take().map(|command| arguments(&command, as_is, |text| fill(text, Place::value_of(&pointer, "command"))));
    let written = keys.healthcheck.take().map(|written| filled(written, |text| fill(text, Place::value_of(&pointer, "healthcheck"))));
    let healthcheck = healthcheck(written, &role, &image, as_is);

    Component {
        replicas,
        scaled_by,
        stage: 0,
        image,
        command,
        endpoints: bound.endpoints,
        bindings: bound.bindings,
        published: bound.published,
        env,
        depends_on: IndexMap::new(),
        networks: Vec::new(),
        alias: None,
        healthcheck,
        volumes,
        tmpfs,
        secrets: keys.secrets.into_iter().map(|(name, secret)| (name.0, secret)).collect(),
        restart,
        resources,
        placement: keys.placement.unwrap_or_default(),
        places: Vec::new(),
        user: keys.user.or_else(|| built_here.then(|| format!("{USER}:{USER}"))),
        read_only: keys.read_only.unwrap_or(own && !as_is),
        drop_capabilities: built_here,
        cap_add: keys.cap_add,
        stop_grace: keys.stop_grace.unwrap_or(Duration::from_millis(10_000)),
        service: keys.service.unwrap_or_else(|| name.clone()),
        as_is,
        compose,
        name,
        pointer,
        role,
    }
}

fn wrong_template(message: String, place: Place) -> Finding {
    Finding::new(
        rules::wrong_value::RULE.name,
        Severity::Error,
        place,
        message,
        "the component would be started with the template's text instead of an address".to_owned(),
        "use `{{ NEED.host }}`, `{{ NEED.port }}` or `{{ NEED.url }}` of a need that this component has".to_owned(),
    )
}

/// What the keys of a role say to its program.
fn settings(role: &Role, own: bool) -> Vec<(String, String)> {
    let mut settings: Vec<(&str, String)> = match role {
        Role::Broker { frontend, backend, deadline, retries, queue } => vec![
            ("FRONTEND_PORT", frontend.to_string()),
            ("BACKEND_PORT", backend.to_string()),
            ("DEADLINE", deadline.to_string()),
            ("RETRIES", retries.to_string()),
            ("QUEUE", queue.to_string()),
        ],
        Role::Worker { service_time, .. } => {
            let id = ("ID", "HN".to_owned());
            std::iter::once(id).chain(service_time.map(|time| ("SERVICE_TIME", time.to_string()))).collect()
        }
        Role::Client { requests, .. } => vec![("ID", "HN".to_owned()), ("REQUESTS", requests.to_string())],
        Role::Logger { port, .. } => vec![("LOGGER_PORT", port.to_string())],
        Role::Service => Vec::new(),
    };
    if own && !matches!(role, Role::Client { .. }) {
        settings.push(("METRICS_ADDR", METRICS_ADDR.to_owned()));
    }
    settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A client on another machine comes in through the published port, not through the name that the deployment knows.
fn outside_clients(plan: &mut Plan) {
    let mut ways: Vec<(String, String, u16)> = Vec::new();
    for peers in plan.brokers().values() {
        let Some(published) = peers.broker.published.iter().find(|published| published.endpoint == "frontend") else { continue };
        let address = plan.host.address.clone().or_else(|| published.address.map(|address| address.to_string()));
        let host = address.unwrap_or_else(|| "HOST".to_owned());
        let outside = peers.clients.iter().filter(|client| !client.is_deployed());
        ways.extend(outside.map(|client| (client.name.clone(), host.clone(), published.host_port)));
    }
    for (name, host, port) in ways {
        let Some(client) = plan.components.get_mut(&name) else { continue };
        for binding in client.bindings.iter_mut().filter(|binding| binding.need == "broker") {
            binding.host.clone_from(&host);
            binding.port = port;
            let values = [("BROKER_HOST", host.clone()), ("BROKER_PORT", port.to_string()), ("BROKER_URL", binding.url())];
            for (key, value) in values {
                if let Some(variable) = client.env.get_mut(key).filter(|variable| variable.origin == Origin::Binding) {
                    variable.value = value;
                }
            }
        }
    }
}

/// A client gives a request up after the longest time in which its broker may still answer it: all workers' turns,
/// the wait behind the other clients, and half a second for the way.
fn request_timeouts(plan: &mut Plan) {
    let mut timeouts: Vec<(String, u64)> = Vec::new();
    for peers in plan.brokers().values() {
        let Role::Broker { deadline, retries, .. } = peers.broker.role else { continue };
        let turns = deadline.as_millis().saturating_mul(u64::from(retries) + 1);
        let waiting = peers.client_instances().div_ceil(peers.worker_instances().max(1));
        let timeout = turns.saturating_add(peers.service_time().saturating_mul(waiting)).saturating_add(500);
        timeouts.extend(peers.clients.iter().map(|client| (client.name.clone(), timeout)));
    }
    for (name, timeout) in timeouts {
        if let Some(client) = plan.components.get_mut(&name) {
            let value = Duration::from_millis(timeout).to_string();
            client.env.entry("REQUEST_TIMEOUT".to_owned()).or_insert(EnvVar { value, origin: Origin::Setting });
        }
    }
}

/// A REQ worker of somebody else's says nothing when it connects again, so a broker that was restarted must see it knock before it
/// opens (docs/protocol.md, "After a restart"). Between containers that takes libzmq seconds: while the broker is gone nobody
/// answers for its address. Our own workers need no such door.
const DOOR: Duration = Duration::from_millis(5000);

fn doors(plan: &mut Plan) {
    let has_foreign = |peers: &super::Peers<'_>| peers.broker.is_own() && peers.workers.iter().any(|worker| !worker.is_own());
    let names: Vec<String> = plan.brokers().into_iter().filter(|(_, peers)| has_foreign(peers)).map(|(name, _)| name.to_owned()).collect();
    for name in names {
        if let Some(broker) = plan.components.get_mut(&name) {
            broker.env.entry("DOOR".to_owned()).or_insert(EnvVar { value: DOOR.to_string(), origin: Origin::Setting });
        }
    }
}

/// One network for every endpoint that somebody is bound to: only who needs it is on it.
fn networks(plan: &mut Plan) {
    let mut networks: IndexMap<String, Network> = IndexMap::new();
    let mut owners: IndexMap<String, (String, String)> = IndexMap::new();
    for component in plan.deployed().filter(|component| !component.as_is) {
        for binding in &component.bindings {
            let Target::Component { name, endpoint } = &binding.target else { continue };
            let network = networks.entry(format!("{name}-{endpoint}")).or_default();
            if network.members.is_empty() {
                network.members.push(name.clone());
                owners.insert(format!("{name}-{endpoint}"), (name.clone(), endpoint.clone()));
            }
            // Two needs of one component may be bound to the same endpoint.
            if network.members.last() != Some(&component.name) {
                network.members.push(component.name.clone());
            }
        }
    }
    for (network, Network { members, .. }) in &networks {
        for member in members {
            if let Some(component) = plan.components.get_mut(member)
                && !component.networks.contains(network)
            {
                component.networks.push(network.clone());
            }
        }
    }
    for (network, (owner, endpoint)) in owners {
        let Some(broker) = plan.components.get_mut(&owner) else { continue };
        let published = broker.published.iter().any(|published| published.endpoint == endpoint);
        if endpoint == "backend" && broker.is_own() && matches!(broker.role, Role::Broker { .. }) && !published {
            // Our broker listens for workers on the address that this name has: the one in the workers' network. On its
            // other networks the port is closed, so a client cannot register as a worker.
            broker.env.entry("BACKEND_HOST".to_owned()).or_insert(EnvVar { value: network.clone(), origin: Origin::Setting });
            broker.alias = Some((network.clone(), network));
        }
    }
    let alone: Vec<String> = plan
        .deployed()
        .filter(|component| component.networks.is_empty() && !component.as_is)
        .map(|component| component.name.clone())
        .collect();
    if !alone.is_empty() {
        for name in &alone {
            if let Some(component) = plan.components.get_mut(name) {
                component.networks.push("default".to_owned());
            }
        }
        networks.insert("default".to_owned(), Network { members: alone, brought: false });
    }
    brought_networks(plan, &mut networks);
    networks.sort_keys();
    plan.networks = networks;
}

/// The networks that components bring along, in Compose's own words.
fn brought_networks(plan: &mut Plan, networks: &mut IndexMap<String, Network>) {
    let is_as_is = |plan: &Plan, name: &str| plan.component(name).is_some_and(|component| component.as_is);
    let mut joining: Vec<(String, Vec<String>)> = Vec::new();
    for component in plan.components.values().filter(|component| component.as_is && component.is_deployed()) {
        let names: Vec<String> = match component.compose.get("networks") {
            Some(serde_json::Value::Array(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            Some(serde_json::Value::Object(names)) => names.keys().cloned().collect(),
            _ if component.compose.contains_key("network_mode") => Vec::new(),
            _ => vec!["default".to_owned()],
        };
        // What it needs must be where it is, if that has other networks by itself.
        for binding in &component.bindings {
            if let Target::Component { name, .. } = &binding.target
                && !is_as_is(plan, name)
            {
                joining.push((name.clone(), names.clone()));
            }
        }
        joining.push((component.name.clone(), names));
    }
    for (member, names) in joining {
        let Some(component) = plan.components.get_mut(&member) else { continue };
        for name in names {
            let network = networks.entry(name.clone()).or_insert_with(|| Network { members: Vec::new(), brought: true });
            if !network.members.contains(&member) {
                network.members.push(member.clone());
            }
            if !component.networks.contains(&name) {
                component.networks.push(name);
            }
        }
    }
}

/// Who waits for whom: everybody for what it is bound to, and clients for the workers of their broker.
fn dependencies(plan: &mut Plan) {
    let condition = |component: &Component| {
        if component.healthcheck.is_some() { Condition::Healthy } else { Condition::Started }
    };
    let mut edges: Vec<(String, String, Condition)> = Vec::new();
    for component in plan.deployed() {
        for Binding { target, .. } in &component.bindings {
            if let Target::Component { name, .. } = target
                && let Some(target) = plan.component(name).filter(|target| target.is_deployed())
            {
                edges.push((component.name.clone(), name.clone(), condition(target)));
            }
        }
    }
    for peers in plan.brokers().values() {
        let workers: Vec<&&Component> = peers.workers.iter().filter(|worker| worker.replicas > 0).collect();
        if workers.len() > MOST_AWAITED_WORKERS {
            continue;
        }
        for client in peers.clients.iter().filter(|client| client.is_deployed()) {
            edges.extend(workers.iter().map(|worker| (client.name.clone(), worker.name.clone(), condition(worker))));
        }
    }
    for (from, to, condition) in edges {
        if let Some(component) = plan.components.get_mut(&from) {
            component.depends_on.insert(to, condition);
        }
    }
}

/// A health check with what is bound put in.
fn filled(written: spec::Healthcheck, mut fill: impl FnMut(&str) -> String) -> spec::Healthcheck {
    match written {
        spec::Healthcheck::Check(mut check) => {
            check.command = match &check.command {
                Command::Line(line) => Command::Line(fill(line)),
                Command::Arguments(arguments) => Command::Arguments(arguments.iter().map(|argument| fill(argument)).collect()),
            };
            spec::Healthcheck::Check(check)
        }
        none @ spec::Healthcheck::None => none,
    }
}

fn healthcheck(written: Option<spec::Healthcheck>, role: &Role, image: &ImageSource, as_is: bool) -> Option<Healthcheck> {
    let seconds = |count: u64| Some(Duration::from_millis(count * 1000)).filter(|_| !as_is);
    match (written, image) {
        (Some(spec::Healthcheck::Check(check)), _) => Some(Healthcheck {
            test: match &check.command {
                Command::Arguments(arguments) => std::iter::once("CMD".to_owned()).chain(arguments.iter().cloned()).collect(),
                Command::Line(line) if as_is || needs_shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
                Command::Line(line) => std::iter::once("CMD".to_owned()).chain(shlex::split(line).unwrap_or_default()).collect(),
            },
            interval: check.interval.or(seconds(5)),
            timeout: check.timeout.or(seconds(3)),
            retries: check.retries.or(Some(3).filter(|_| !as_is)),
            start_period: check.start_period.or(seconds(30)),
        }),
        (None, ImageSource::Static { program } | ImageSource::Source { program }) if !matches!(role, Role::Client { .. }) => {
            Some(Healthcheck {
                test: vec!["CMD".to_owned(), format!("/{program}"), "healthcheck".to_owned()],
                interval: seconds(2),
                timeout: seconds(3),
                retries: Some(5),
                start_period: seconds(10),
            })
        }
        (Some(spec::Healthcheck::None) | None, _) => None,
    }
}

/// Whether a line uses what only a shell does.
fn needs_shell(line: &str) -> bool {
    line.contains(['$', '|', '&', ';', '<', '>', '`', '*', '~', '(', ')'])
}

/// A command as arguments. A line for a shell is run by one that makes way for the program, so that the program
/// receives the signals.
fn arguments(command: &Command, as_is: bool, mut fill: impl FnMut(&str) -> String) -> Vec<String> {
    match command {
        Command::Arguments(arguments) => arguments.iter().map(|argument| fill(argument)).collect(),
        Command::Line(line) => {
            let line = fill(line);
            if as_is || !needs_shell(&line) {
                return shlex::split(&line).unwrap_or_default();
            }
            let one_program = !line.contains(['|', '&', ';', '(', '`']);
            let line = if one_program && !line.starts_with("exec ") { format!("exec {line}") } else { line };
            ["sh", "-c", &line].map(str::to_owned).to_vec()
        }
    }
}

fn resolve_program(program: spec::Program, fill: impl FnMut(&str) -> String) -> Program {
    let copies: Vec<(String, Option<String>)> = program
        .copy
        .iter()
        .map(|entry| match entry.split_once(':') {
            Some((source, destination)) => (clean(source), Some(destination.to_owned())),
            None => (clean(entry), None),
        })
        .collect();
    let context = program.context.as_deref().map_or_else(|| common_folder(&copies), clean);
    let copy = copies
        .into_iter()
        .map(|(source, destination)| {
            let inside = match (context.as_str(), program.context.is_some()) {
                (_, true) | (".", false) => source.clone(),
                (folder, false) => source.strip_prefix(folder).map_or(source.clone(), |rest| rest.trim_start_matches('/').to_owned()),
            };
            let last = source.rsplit('/').next().unwrap_or_default();
            let destination = destination.unwrap_or_else(|| format!("./{last}"));
            (if inside.is_empty() { ".".to_owned() } else { inside }, destination)
        })
        .collect();
    Program {
        from: program.from,
        context,
        dockerfile: program.dockerfile,
        apt: program.apt,
        run: program.run,
        copy,
        env: program.env.into_iter().map(|(key, value)| (key.0, value.0)).collect(),
        workdir: program.workdir.unwrap_or_else(|| "/app".to_owned()),
        command: program.command.as_ref().map(|command| arguments(command, false, fill)),
    }
}

/// A relative path without `./` in front and `/` behind.
fn clean(path: &str) -> String {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

/// The deepest folder that holds all that is copied: the build is sent no more than it needs.
fn common_folder(copies: &[(String, Option<String>)]) -> String {
    let mut folders = copies.iter().map(|(source, _)| source.rsplit_once('/').map_or("", |(folder, _)| folder));
    let Some(first) = folders.next() else { return ".".to_owned() };
    let mut common: Vec<&str> = first.split('/').filter(|part| !part.is_empty()).collect();
    if first.starts_with('/') {
        common.insert(0, "");
    }
    for folder in folders {
        let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        let same = common.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        common.truncate(same);
    }
    if common.is_empty() { ".".to_owned() } else { common.join("/") }
}

/// Base images stand on each other; a circle has no first.
fn check_images(plan: &Plan, findings: &mut Vec<Finding>) {
    let stands_on = |image: &spec::Image| plan.images.get_index_of(image.from.as_str()).into_iter().collect::<Vec<_>>();
    let needs: Vec<Vec<usize>> = plan.images.values().map(stands_on).collect();
    let open: Vec<usize> = needs.iter().map(Vec::len).collect();
    for circle in super::order::circles(&needs, &open) {
        let names: Vec<&str> = circle.iter().filter_map(|index| plan.images.get_index(*index)).map(|(name, _)| name.as_str()).collect();
        findings.push(rules::dependency_cycle::images(&names));
    }
}
