//! The plan as processes on loopback.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::plan::{Component, ImageSource, Plan, Role, Target};
use crate::spec::Restart;

/// A process that stands for an instance of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// As in the output: `wor-1`.
    pub name: String,
    /// The component.
    pub component: String,
    /// Its role in a word.
    pub role: &'static str,
    /// Counted from 1.
    pub number: u32,
    /// `broker`, `worker`, `client` or `logger`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, besides the caller's.
    pub env: Vec<(String, String)>,
    /// The identity on the wire, where the role has one.
    pub identity: Option<String>,
    /// Everything of a lower stage is ready before.
    pub stage: usize,
    /// Whether it ends by itself.
    pub one_shot: bool,
    /// When it is started again.
    pub restart: Restart,
    /// How long it may take to end.
    pub stop_grace: Duration,
    /// Where its status server listens; a client has none.
    pub status: Option<String>,
    /// Endpoints and where they listen: `frontend`, `127.0.0.1:9998`.
    pub endpoints: Vec<(String, String)>,
    /// Folders that it writes to.
    pub folders: Vec<PathBuf>,
}

/// Which ports the processes listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ports {
    /// The ports of the plan: the published one where an endpoint is published
    Planned,
    /// Free ones
    Auto,
}

/// Where the processes keep what containers keep in volumes.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The topology's folder: its paths are relative to it.
    pub topology: &'a Path,
    /// For named volumes, and for what is lost at the end.
    pub own: &'a Path,
}

const LOOPBACK: &str = "127.0.0.1";

/// Why components cannot run as processes, one line each; empty when all can.
#[must_use]
pub fn obstacles(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for component in plan.deployed() {
        let name = &component.name;
        let why = match &component.image {
            ImageSource::Ready(image) => format!("`{name}` is the image `{image}`"),
            ImageSource::Program(_) => format!("`{name}` is built as an image"),
            _ if component.command.is_some() => format!("`{name}` has a `command` for its image"),
            _ if component.replicas > 1 && !component.endpoints.is_empty() => {
                format!("`{name}` runs {} times and listens, and one machine has each port once", component.replicas)
            }
            _ => continue,
        };
        lines.push(why);
    }
    lines
}

/// The processes, in the order in which they start. `free_port` gives another free port at each call; `variable` knows the
/// caller's environment for `${NAME}` in values.
pub fn processes(
    plan: &Plan,
    ports: Ports,
    folders: Folders<'_>,
    mut free_port: impl FnMut() -> std::io::Result<u16>,
    variable: impl Fn(&str) -> Option<String>,
) -> std::io::Result<Vec<Process>> {
    let mut listening: HashMap<(&str, &str), u16> = HashMap::new();
    for component in plan.deployed() {
        for endpoint in &component.endpoints {
            let published = component.published.iter().find(|published| published.endpoint == endpoint.name);
            let port = match ports {
                Ports::Planned => published.map_or(endpoint.port, |published| published.host_port),
                Ports::Auto => free_port()?,
            };
            listening.insert((&component.name, &endpoint.name), port);
        }
    }
    let mut processes = Vec::new();
    for component in plan.deployed() {
        for number in 1..=component.replicas {
            processes.push(process(component, number, &listening, folders, &mut free_port, &variable)?);
        }
    }
    Ok(processes)
}

fn process(
    component: &Component,
    number: u32,
    listening: &HashMap<(&str, &str), u16>,
    folders: Folders<'_>,
    free_port: &mut impl FnMut() -> std::io::Result<u16>,
    variable: &impl Fn(&str) -> Option<String>,
) -> std::io::Result<Process> {
    let name = format!("{}-{number}", component.name);
    let port_of = |endpoint: &str| listening.get(&(component.name.as_str(), endpoint)).copied();
    let mut env: Vec<(String, String)> = component.env.iter().map(|(key, value)| (key.clone(), filled(&value.value, variable))).collect();
    let mut set = |key: &str, value: String| match env.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => *old = value,
        None => env.push((key.to_owned(), value)),
    };
    for binding in &component.bindings {
        let Target::Component { name, endpoint } = &binding.target else { continue };
        let Some(port) = listening.get(&(name.as_str(), endpoint.as_str())) else { continue };
        let prefix = binding.need.to_uppercase().replace('-', "_");
        set(&format!("{prefix}_HOST"), LOOPBACK.to_owned());
        set(&format!("{prefix}_PORT"), port.to_string());
        set(&format!("{prefix}_URL"), format!("tcp://{LOOPBACK}:{port}"));
    }
    let mut identity = None;
    match &component.role {
        Role::Broker { .. } => {
            for (endpoint, prefix) in [("frontend", "FRONTEND"), ("backend", "BACKEND")] {
                set(&format!("{prefix}_HOST"), LOOPBACK.to_owned());
                if let Some(port) = port_of(endpoint) {
                    set(&format!("{prefix}_PORT"), port.to_string());
                }
            }
        }
        // All processes have the same host name.
        Role::Worker { .. } => identity = Some(format!("WOR_{name}")),
        Role::Client { .. } => identity = Some(format!("CLI_{name}")),
        Role::Logger { .. } => {
            set("LOGGER_BIND", LOOPBACK.to_owned());
            if let Some(port) = port_of("ingest") {
                set("LOGGER_PORT", port.to_string());
            }
        }
        Role::Service => {}
    }
    if let Some(identity) = &mut identity {
        match component.env.get("ID").map(|variable| variable.value.as_str()).filter(|id| *id != "HN") {
            // Whoever names an identity means it.
            Some(id) => id.clone_into(identity),
            None => set("ID", identity.clone()),
        }
    }
    let mut status = None;
    if component.env.contains_key("METRICS_ADDR") {
        let address = format!("{LOOPBACK}:{}", free_port()?);
        set("METRICS_ADDR", address.clone());
        status = Some(address);
    }
    let mut written = Vec::new();
    if let Some(folder) = component.env.get("LOGGER_DIR").map(|variable| variable.value.clone()) {
        let volume = component.volumes.iter().find(|volume| volume.target == folder);
        let folder = match volume {
            Some(volume) if volume.is_bind() => folders.topology.join(&volume.source).components().collect(),
            Some(volume) => folders.own.join("volumes").join(&volume.source),
            None => folders.own.join("tmp").join(&name),
        };
        set("LOGGER_DIR", folder.display().to_string());
        written.push(folder);
    }
    let program = match &component.image {
        ImageSource::Static { program } | ImageSource::Source { program } => (*program).to_owned(),
        ImageSource::Program(_) | ImageSource::Ready(_) => String::new(),
    };
    Ok(Process {
        component: component.name.clone(),
        role: component.role.name(),
        number,
        program,
        arguments: Vec::new(),
        env,
        identity,
        stage: component.stage,
        one_shot: component.is_one_shot(),
        restart: component.restart,
        stop_grace: Duration::from_millis(component.stop_grace.as_millis()),
        status,
        endpoints: component
            .endpoints
            .iter()
            .filter_map(|endpoint| Some((endpoint.name.clone(), format!("{LOOPBACK}:{}", port_of(&endpoint.name)?))))
            .collect(),
        folders: written,
        name,
    })
}

/// A value with Compose's variables replaced; what Compose would refuse stays as it is.
fn filled(value: &str, variable: &impl Fn(&str) -> Option<String>) -> String {
    crate::compose::template::substitute(value, &mut |name: &str, _| variable(name)).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        crate::lint::load(crate::source::Source::new("topology.toml", text.to_owned()), "demo", &crate::topology::WhatIf::default()).plan
    }

    fn local(text: &str, ports: Ports) -> Vec<Process> {
        let mut next = 40_000;
        let mut free = || {
            next += 1;
            Ok(next)
        };
        let folders = Folders { topology: Path::new("/t"), own: Path::new("/t/.cbwgen/demo") };
        processes(&plan(text), ports, folders, &mut free, |name| (name == "USER").then(|| "me".to_owned())).unwrap()
    }

    fn of<'a>(process: &'a Process, key: &str) -> &'a str {
        process.env.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value)
    }

    const CBWL: &str = "name = \"demo\"\n[broker.bro]\npublish = { frontend = 7000 }\n[worker.wor]\nreplicas = 2\nenv = { WHO = \"${USER}\" }\n[client.cli]\n[logger.log]\nvolume = \"./logs:/var/log/cbw\"\n";

    #[test]
    fn everything_is_on_loopback_and_each_replica_has_an_identity() {
        let processes = local(CBWL, Ports::Planned);
        let names: Vec<&str> = processes.iter().map(|process| process.name.as_str()).collect();
        assert_eq!(names, ["log-1", "bro-1", "wor-1", "wor-2", "cli-1"]);
        let [log, bro, wor, other, cli] = &processes[..] else { panic!() };
        assert_eq!(
            bro.endpoints,
            [("frontend".to_owned(), "127.0.0.1:7000".to_owned()), ("backend".to_owned(), "127.0.0.1:9999".to_owned())]
        );
        assert_eq!((of(bro, "FRONTEND_HOST"), of(bro, "FRONTEND_PORT")), ("127.0.0.1", "7000"));
        assert_eq!((of(cli, "BROKER_HOST"), of(cli, "BROKER_PORT")), ("127.0.0.1", "7000"));
        assert_eq!((of(wor, "ID"), of(other, "ID")), ("WOR_wor-1", "WOR_wor-2"));
        assert_ne!(of(wor, "METRICS_ADDR"), of(other, "METRICS_ADDR"));
        assert_eq!(of(wor, "WHO"), "me");
        assert_eq!((of(log, "LOGGER_DIR"), of(log, "LOGGER_BIND")), ("/t/logs", "127.0.0.1"));
        assert_eq!(of(bro, "LOGGER_PORT"), "9995");
        assert!(cli.one_shot && !bro.one_shot);
    }

    #[test]
    fn free_ports_reach_everybody_who_is_bound() {
        let processes = local(CBWL, Ports::Auto);
        let [log, bro, wor, _, cli] = &processes[..] else { panic!() };
        assert_eq!(format!("127.0.0.1:{}", of(wor, "BROKER_PORT")), bro.endpoints[1].1);
        assert_eq!(format!("127.0.0.1:{}", of(cli, "BROKER_PORT")), bro.endpoints[0].1);
        assert_eq!(format!("127.0.0.1:{}", of(bro, "LOGGER_PORT")), log.endpoints[0].1);
    }

    #[test]
    fn what_only_an_image_can_run_is_named() {
        let text = format!("{CBWL}[service.cache]\nimage = \"redis:7\"\n");
        assert_eq!(obstacles(&plan(&text)), ["`cache` is the image `redis:7`"]);
        assert_eq!(obstacles(&plan(CBWL)), Vec::<String>::new());
    }
}
