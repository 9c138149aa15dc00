//! A stack on a Swarm, seen from a manager. What has to be done in a container is done by the engine of its node: the manager's
//! own, or one of those in `NODES` (`ssh://b ssh://c`), as `make deploy TARGET=swarm` takes them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::docker::{client_in, say, text, timestamp};
use super::stream::{Stream, output};
use super::{Action, Deployment, Error, Instance, State};
use crate::plan::{Component, ImageSource, Plan, Role};

/// The label that Docker gives everything of a stack.
const STACK: &str = "com.docker.stack.namespace";

/// A stack.
#[derive(Debug)]
pub struct Swarm {
    name: String,
    components: Vec<Known>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Known {
    name: String,
    role: &'static str,
    frontend: Option<u16>,
    is_own_client: bool,
}

#[derive(Debug)]
struct Node {
    id: String,
    name: String,
    address: Option<IpAddr>,
    /// How its engine is reached: `Some("")` is the manager's own, `None` not at all.
    engine: Option<String>,
}

/// An instance of the last generation, and where it is.
struct Task {
    instance: Instance,
    container: String,
    node: String,
}

impl Swarm {
    /// The stack of this plan, if this engine is a manager and has one.
    pub fn find(plan: &Plan) -> Result<Self, Error> {
        let services = say(["service", "ls", "-q", "--filter", &format!("label={STACK}={}", plan.name)])
            .map_err(|_| Error::new("this engine manages no Swarm"))?;
        if services.trim().is_empty() {
            return Err(Error::new("the Swarm has no stack of it"));
        }
        let known = |component: &Component| Known {
            name: component.name.clone(),
            role: component.role.name(),
            frontend: match component.role {
                Role::Broker { frontend, .. } => Some(frontend),
                _ => None,
            },
            is_own_client: matches!(component.image, ImageSource::Static { program: "client" } | ImageSource::Source { program: "client" }),
        };
        Ok(Self { name: plan.name.clone(), components: plan.deployed().map(known).collect(), nodes: nodes()? })
    }

    /// `docker inspect` of all tasks, those that ended too.
    fn all_tasks(&self) -> Result<Vec<Value>, Error> {
        let mut tries = 3;
        loop {
            let ids = say(["stack", "ps", "-q", "--no-trunc", &self.name])?;
            if ids.trim().is_empty() {
                return Ok(Vec::new());
            }
            tries -= 1;
            match say(["inspect", "--type", "task"].into_iter().chain(ids.split_whitespace())) {
                Ok(all) => {
                    return serde_json::from_str(&all).map_err(|error| Error(format!("cannot understand `docker inspect`: {error}")));
                }
                // The Swarm keeps five tasks of a slot, and may have forgotten one since it told of it.
                Err(_) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The last task of each slot, in the plan's order.
    fn tasks(&self) -> Result<Vec<Task>, Error> {
        let services = say(["service", "ls", "--filter", &format!("label={STACK}={}", self.name), "--format", "{{.ID}} {{.Name}}"])?;
        let services: Vec<(&str, &str)> = services.lines().filter_map(|line| line.split_once(' ')).collect();
        let all = self.all_tasks()?;
        let mut last: BTreeMap<(usize, u64), &Value> = BTreeMap::new();
        for task in &all {
            let service = services.iter().find(|(id, _)| text(task, "/ServiceID").starts_with(id)).map_or("", |(_, name)| *name);
            let component = service.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('_')).unwrap_or(service);
            let Some(at) = self.components.iter().position(|known| known.name == component) else { continue };
            let slot = task["Slot"].as_u64().unwrap_or(0);
            let newest = last.entry((at, slot)).or_insert(task);
            if text(task, "/CreatedAt") > text(newest, "/CreatedAt") {
                *newest = task;
            }
        }
        // A slot that was scaled away has only tasks that are to be down; one that has done its work is complete.
        let is_meant = |task: &&Value| {
            text(task, "/DesiredState") != "remove"
                && (text(task, "/DesiredState") == "running" || text(task, "/Status/State") == "complete")
        };
        Ok(last
            .into_iter()
            .filter(|(_, task)| is_meant(task))
            .map(|((at, slot), task)| self.task(&self.components[at], slot, task))
            .collect())
    }

    fn task(&self, known: &Known, slot: u64, task: &Value) -> Task {
        let container = text(task, "/Status/ContainerStatus/ContainerID").to_owned();
        let node = self.nodes.iter().find(|node| node.id == text(task, "/NodeID"));
        let exit = task.pointer("/Status/ContainerStatus/ExitCode").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
        let mut state = match text(task, "/Status/State") {
            "running" => State::Running,
            "complete" | "shutdown" => State::Exited(exit.unwrap_or(0)),
            "failed" | "rejected" | "orphaned" => State::Exited(exit.filter(|code| *code != 0).unwrap_or(1)),
            _ => State::Starting,
        };
        let mut identity = None;
        if let Some(engine) = node.and_then(|node| node.engine.as_deref())
            && !container.is_empty()
            && let Ok(said) =
                output(on(engine).args(["inspect", "--type", "container", "-f", "{{.Config.Hostname}} {{.State.Paused}}", &container]))
        {
            let (host, paused) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
            if paused == "true" {
                state = State::Paused;
            }
            identity = match known.role {
                "worker" => Some(format!("WOR_{host}")),
                "client" => Some(format!("CLI_{host}")),
                _ => None,
            };
        }
        let addresses = task["NetworksAttachments"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let addresses = addresses.filter_map(|network| network["Addresses"][0].as_str()).filter_map(|address| address.split('/').next());
        let ports = task.pointer("/Status/PortStatus/Ports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter();
        let host = node.and_then(|node| node.address).map_or_else(|| "0.0.0.0".to_owned(), |address| address.to_string());
        let published = ports.map(|port| format!("{host}:{} → {}/{}", port["PublishedPort"], port["TargetPort"], text(port, "/Protocol")));
        let instance = Instance {
            name: format!("{}-{slot}", known.name),
            component: known.name.clone(),
            role: known.role.to_owned(),
            id: container.chars().take(12).collect(),
            identity,
            // Swarm calls a task running when its health check has passed.
            health: (state == State::Running && known.role != "client").then(|| "healthy".to_owned()),
            state,
            addresses: addresses.map(str::to_owned).collect(),
            published: published.collect(),
            restarts: 0,
            since: timestamp(text(task, "/Status/Timestamp")),
            node: node.map(|node| node.name.clone()),
        };
        Task { instance, container, node: text(task, "/NodeID").to_owned() }
    }

    /// The engine and the container of an instance.
    fn place(&self, instance: &Instance) -> Result<(String, String), Error> {
        let task = self.tasks()?.into_iter().find(|task| task.instance.name == instance.name);
        let task = task.ok_or_else(|| Error(format!("there is no `{}`", instance.name)))?;
        let node = self.nodes.iter().find(|node| node.id == task.node);
        let engine = node.and_then(|node| node.engine.clone());
        let name = node.map_or("a node", |node| node.name.as_str());
        let engine = engine
            .ok_or_else(|| Error(format!("`{}` is on `{name}`, whose engine is not known: NODES=\"ssh://{name}\"", instance.name)))?;
        Ok((engine, task.container))
    }

    fn service(&self, instance: &Instance, arguments: &[&str]) -> Result<Command, Error> {
        let (engine, container) = self.place(instance)?;
        let mut command = on(&engine);
        command.args(["exec", "-i", &container, &format!("/{}", instance.role)]).args(arguments);
        Ok(command)
    }

    /// Our client in a container of the manager's, on the network of the broker's frontend.
    fn client_beside(&self, broker: &Instance, network: &str) -> Result<(Command, u16), Error> {
        let port = self.components.iter().find(|known| known.name == broker.component).and_then(|known| known.frontend);
        let port = port.ok_or_else(|| Error(format!("`{}` is no broker", broker.component)))?;
        let client = self.components.iter().find(|known| known.is_own_client);
        let client = client.ok_or_else(|| Error::new("the deployment has no client of ours, whose image could be used"))?;
        let service = format!("{}_{}", self.name, client.name);
        let image = say(["service", "inspect", "-f", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", &service])?;
        let command = client_in(network, image.trim(), &self.name, &broker.component, port);
        Ok((command, port))
    }

    fn frontend(&self, broker: &Instance) -> String {
        format!("{}_{}-frontend", self.name, broker.component)
    }
}

/// `docker` for an engine; an empty text is the one that it takes by itself.
fn on(engine: &str) -> Command {
    let mut command = Command::new("docker");
    if !engine.is_empty() {
        command.args(["--host", engine]);
    }
    command
}

/// The nodes, with the engines that `NODES` tells.
fn nodes() -> Result<Vec<Node>, Error> {
    let own = say(["info", "-f", "{{.Swarm.NodeID}}"])?;
    let mut engines = vec![(own.trim().to_owned(), String::new())];
    for engine in std::env::var("NODES").unwrap_or_default().split_whitespace() {
        let id = output(on(engine).args(["info", "-f", "{{.Swarm.NodeID}}"]))?;
        engines.push((id.trim().to_owned(), engine.to_owned()));
    }
    let ids = say(["node", "ls", "-q"])?;
    let all = say(["node", "inspect"].into_iter().chain(ids.split_whitespace()))?;
    let all: Vec<Value> = serde_json::from_str(&all).map_err(|error| Error(format!("cannot understand `docker node inspect`: {error}")))?;
    let node = |node: &Value| {
        let id = text(node, "/ID").to_owned();
        Node {
            name: text(node, "/Description/Hostname").to_owned(),
            address: text(node, "/Status/Addr").parse().ok(),
            engine: engines.iter().find(|(known, _)| *known == id).map(|(_, engine)| engine.clone()),
            id,
        }
    };
    Ok(all.iter().map(node).collect())
}

impl Deployment for Swarm {
    fn kind(&self) -> &'static str {
        "swarm"
    }

    fn instances(&self) -> Result<Vec<Instance>, Error> {
        Ok(self.tasks()?.into_iter().map(|task| task.instance).collect())
    }

    fn drift(&self, _: &Plan) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        for known in &self.components {
            let service = format!("{}_{}", self.name, known.name);
            let state = "{{if .UpdateStatus}}{{.UpdateStatus.State}}: {{.UpdateStatus.Message}}{{end}}";
            match say(["service", "inspect", "-f", state, &service]) {
                Ok(state) if state.starts_with("rollback") || state.starts_with("paused") => {
                    lines.push(format!("the last update of `{}` did not work: {}", known.name, state.trim()));
                }
                Ok(_) => {}
                Err(_) => lines.push(format!("there is no service for `{}`", known.name)),
            }
        }
        Ok(lines)
    }

    fn ask(&self, instance: &Instance, page: &str) -> Result<String, Error> {
        output(&mut self.service(instance, &["ask", page])?)
    }

    fn events(&self, broker: &Instance) -> Result<Stream, Error> {
        Stream::start(&mut self.service(broker, &["ask", "/events", "--leash"])?)
    }

    fn audit(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, port) = self.client_beside(broker, &self.frontend(broker))?;
        Stream::start(client.args(["audit", &broker.component, &port.to_string()]).args(arguments))
    }

    fn audit_from_outside(&self, host: &str, port: u16, arguments: &[String]) -> Result<Stream, Error> {
        let brokers = self.instances()?;
        let broker = brokers.iter().find(|instance| instance.role == "broker").ok_or_else(|| Error::new("no broker runs"))?;
        let (mut client, _) = self.client_beside(broker, "host")?;
        Stream::start(client.args(["audit", host, &port.to_string()]).args(arguments))
    }

    fn client(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, _) = self.client_beside(broker, &self.frontend(broker))?;
        Stream::start(client.args(arguments))
    }

    fn log(&self, logger: &Instance) -> Result<Vec<u8>, Error> {
        let (engine, container) = self.place(logger)?;
        let folder =
            output(on(&engine).args(["inspect", "--type", "container", "-f", "{{range .Config.Env}}{{println .}}{{end}}", &container]))?;
        let folder = folder.lines().find_map(|line| line.strip_prefix("LOGGER_DIR=")).unwrap_or(crate::plan::LOGGER_DIR);
        let copy = tempfile::tempdir()?;
        let file = copy.path().join("logs");
        output(on(&engine).arg("cp").arg(format!("{container}:{folder}/logs")).arg(&file))?;
        Ok(std::fs::read(file)?)
    }

    fn act(&self, instance: &Instance, action: Action) -> Result<(), Error> {
        let verb = match action {
            Action::Kill => "kill",
            Action::Pause => "pause",
            Action::Resume => "unpause",
            // The Swarm does.
            Action::Start => return Ok(()),
            Action::Restart => {
                let service = format!("{}_{}", self.name, instance.component);
                return say(["service", "update", "-q", "--force", "--detach=false", &service]).map(drop);
            }
            Action::Cut | Action::Join => return Err(Error::new("in a Swarm it is nodes that are cut off, by their cable")),
        };
        let (engine, container) = self.place(instance)?;
        // The Swarm may have replaced what we stopped: its successor never was.
        if action == Action::Resume && !container.starts_with(&instance.id) {
            return Ok(());
        }
        output(on(&engine).args([verb, &container])).map(drop)
    }

    fn changes(&self, _: &Plan, _: &str, _: &Path) -> Result<Vec<String>, Error> {
        Err(Error::new("a Swarm does not say beforehand what `docker stack deploy` would change"))
    }

    fn update(&self, component: &Component, tell: &mut dyn FnMut(&str)) -> Result<(), Error> {
        tell(&format!("{}: the Swarm replaces its instances, as its update order says", component.name));
        say(["service", "update", "-q", "--force", "--detach=false", &format!("{}_{}", self.name, component.name)]).map(drop)
    }

    fn recycle(&self) -> Result<(), Error> {
        Err(Error::new("`make down` and `make deploy` with TARGET=swarm do it by hand"))
    }

    fn address(&self, instance: &Instance) -> Option<IpAddr> {
        self.nodes.iter().find(|node| Some(&node.name) == instance.node.as_ref())?.address
    }

    fn can_cut(&self) -> bool {
        false
    }

    /// The Swarm finds a node for the new task, connects it to its networks, and calls it running only when it is healthy.
    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
}
