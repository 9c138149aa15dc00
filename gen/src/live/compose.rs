//! A deployment of Docker Compose.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use serde_json::Value;

use super::docker::{docker, inspect, instance, label, networks, say, text, variable};
use super::stream::{Stream, output};
use super::{Action, Deployment, Error, Instance};
use crate::plan::{ImageSource, Plan, Role};

/// Compose's own labels (Compose specification, "Labels"; docker/compose `pkg/api/labels.go`).
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const HASH: &str = "com.docker.compose.config-hash";
const FILES: &str = "com.docker.compose.project.config_files";

/// Containers of a Compose project.
#[derive(Debug)]
pub struct Compose {
    project: String,
    /// Components in the plan's order, with their roles.
    components: Vec<(String, &'static str)>,
    /// The frontend's port, by broker.
    frontends: HashMap<String, u16>,
    /// An image that holds our client.
    client: Option<String>,
    /// Where each container that was cut off had been: networks and names there.
    cut: RefCell<HashMap<String, Vec<(String, Vec<String>)>>>,
}

impl Compose {
    /// The project of this plan, if it has containers.
    pub fn find(plan: &Plan) -> Result<Self, Error> {
        let of_project = format!("label={PROJECT}={}", plan.name);
        let found = match say(["ps", "-aq", "--filter", &of_project]) {
            Ok(found) => found,
            Err(Error(why)) => return Err(Error(format!("no engine answers ({})", why.lines().next().unwrap_or_default()))),
        };
        if found.trim().is_empty() {
            return Err(Error::new("the engine has no container of it"));
        }
        let own_client = |component: &&crate::plan::Component| {
            matches!(component.image, ImageSource::Static { program: "client" } | ImageSource::Source { program: "client" })
        };
        Ok(Self {
            project: plan.name.clone(),
            components: plan.deployed().map(|component| (component.name.clone(), component.role.name())).collect(),
            frontends: plan
                .deployed()
                .filter_map(|component| match component.role {
                    Role::Broker { frontend, .. } => Some((component.name.clone(), frontend)),
                    _ => None,
                })
                .collect(),
            client: plan.deployed().find(own_client).map(|client| format!("{}-{}", plan.name, client.name)),
            cut: RefCell::default(),
        })
    }

    fn containers(&self) -> Result<Vec<Value>, Error> {
        let mut containers = inspect(&format!("{PROJECT}={}", self.project))?;
        // One-off containers (`docker compose run`) are nobody's instances.
        containers.retain(|container| label(container, "com.docker.compose.oneoff") != "True");
        let place = |container: &Value| {
            let service = label(container, SERVICE);
            let at = self.components.iter().position(|(name, _)| name == service).unwrap_or(usize::MAX);
            (at, service.to_owned(), label(container, NUMBER).parse::<u32>().unwrap_or(0))
        };
        containers.sort_by_key(place);
        Ok(containers)
    }

    fn container(&self, instance: &Instance) -> Result<Value, Error> {
        let text = say(["inspect", "--type", "container", &instance.id])?;
        let mut found: Vec<Value> = serde_json::from_str(&text).map_err(|error| Error(error.to_string()))?;
        found.pop().ok_or_else(|| Error(format!("there is no `{}`", instance.name)))
    }

    /// Our client as a container beside the broker, or as a process of this machine when the deployment has none.
    fn client_beside(&self, broker: &Instance) -> Result<(Command, String, u16), Error> {
        let port = *self.frontends.get(&broker.component).ok_or_else(|| Error(format!("`{}` is no broker", broker.component)))?;
        let all = networks(&self.container(broker)?);
        let frontend = format!("{}_{}-frontend", self.project, broker.component);
        let network = all.iter().find(|(name, ..)| *name == frontend).or(all.first());
        let (network, address, _) = network.ok_or_else(|| Error(format!("`{}` is on no network", broker.name)))?;
        if let Some(image) = &self.client {
            let mine = format!("{}.verify={}", crate::render::LABEL, self.project);
            let mut command = docker(["run", "--rm", "-i", "--network", network, "--label", &mine]);
            command.args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"]);
            command.args(["--env", &format!("BROKER_HOST={}", broker.component), "--env", &format!("BROKER_PORT={port}")]);
            command.args(["--entrypoint", "/client", image]);
            return Ok((command, broker.component.clone(), port));
        }
        let mut command = own_client()?;
        command.envs([("BROKER_HOST", address.clone()), ("BROKER_PORT", port.to_string())]);
        Ok((command, address.clone(), port))
    }

    fn service(&self, instance: &Instance, arguments: &[&str]) -> Command {
        let _ = self;
        let program = format!("/{}", instance.role);
        docker(["exec", "-i", &instance.id, &program].into_iter().chain(arguments.iter().copied()))
    }
}

/// Our client on this machine.
fn own_client() -> Result<Command, Error> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("client")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = beside.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("client")));
    let program = candidates.find(|program| program.is_file());
    program.map(Command::new).ok_or_else(|| Error::new("needs our `client` beside cbwgen: `cargo build -p cbw-services` makes it"))
}

impl Deployment for Compose {
    fn kind(&self) -> &'static str {
        "compose"
    }

    fn instances(&self) -> Result<Vec<Instance>, Error> {
        let made = |container: &Value| {
            let service = label(container, SERVICE).to_owned();
            let role = self.components.iter().find(|(name, _)| *name == service).map_or("service", |(_, role)| role);
            instance(container, format!("{service}-{}", label(container, NUMBER)), service, role)
        };
        Ok(self.containers()?.iter().map(made).collect())
    }

    fn drift(&self, plan: &Plan, _: &[Instance]) -> Result<Vec<String>, Error> {
        let containers = self.containers()?;
        let mut lines = Vec::new();
        let files = containers.first().map_or("", |container| label(container, FILES));
        let mut hashes = docker(["compose", "-p", &self.project]);
        for file in files.split(',').filter(|file| !file.is_empty()) {
            hashes.args(["-f", file]);
        }
        match output(hashes.args(["config", "--hash", "*"])) {
            Ok(hashes) => {
                let hashes: HashMap<&str, &str> = hashes.lines().filter_map(|line| line.split_once(' ')).collect();
                for container in &containers {
                    let (service, number) = (label(container, SERVICE), label(container, NUMBER));
                    match hashes.get(service) {
                        None => lines.push(format!("`{service}-{number}` runs, and the Compose file has no `{service}`")),
                        Some(hash) if *hash != label(container, HASH) => {
                            lines.push(format!("`{service}-{number}` was started from another version of the Compose file"));
                        }
                        Some(_) => {}
                    }
                }
            }
            Err(Error(why)) => lines.push(format!("Compose cannot read its files any more: {why}")),
        }
        let mut images: HashMap<String, String> = HashMap::new();
        for container in &containers {
            let name = text(container, "/Config/Image").to_owned();
            let current =
                images.entry(name.clone()).or_insert_with(|| say(["image", "inspect", "-f", "{{.Id}}", &name]).unwrap_or_default());
            if current.trim() != text(container, "/Image") {
                let (service, number) = (label(container, SERVICE), label(container, NUMBER));
                lines
                    .push(format!("`{service}-{number}` runs an older build of the image `{name}`: `cbwgen update {service}` replaces it"));
            }
        }
        let _ = plan;
        Ok(lines)
    }

    fn ask(&self, instance: &Instance, page: &str) -> Result<String, Error> {
        output(&mut self.service(instance, &["ask", page]))
    }

    fn events(&self, broker: &Instance) -> Result<Stream, Error> {
        Stream::start(&mut self.service(broker, &["ask", "/events", "--leash"]))
    }

    fn audit(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, host, port) = self.client_beside(broker)?;
        Stream::start(client.args(["audit", &host, &port.to_string()]).args(arguments))
    }

    fn audit_from_outside(&self, host: &str, port: u16, arguments: &[String]) -> Result<Stream, Error> {
        let mut client = match &self.client {
            Some(image) => docker(["run", "--rm", "-i", "--network", "host", "--entrypoint", "/client", image]),
            None => own_client()?,
        };
        Stream::start(client.args(["audit", host, &port.to_string()]).args(arguments))
    }

    fn client(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, ..) = self.client_beside(broker)?;
        Stream::start(client.args(arguments))
    }

    fn log(&self, logger: &Instance) -> Result<Vec<u8>, Error> {
        let container = self.container(logger)?;
        let mounts = container["Mounts"].as_array().cloned().unwrap_or_default();
        let folder = match variable(&container, "LOGGER_DIR") {
            Some(folder) => folder.to_owned(),
            None => {
                mounts.first().map(|mount| text(mount, "/Destination").to_owned()).ok_or_else(|| Error::new("the logger has no volume"))?
            }
        };
        let mount = mounts.iter().find(|mount| text(mount, "/Destination") == folder && text(mount, "/Type") == "bind");
        if let Some(mount) = mount
            && let Ok(bytes) = std::fs::read(std::path::Path::new(text(mount, "/Source")).join("logs"))
        {
            return Ok(bytes);
        }
        let copy = tempfile::tempdir()?;
        let file = copy.path().join("logs");
        say(["cp", &format!("{}:{folder}/logs", logger.id), &file.display().to_string()])?;
        Ok(std::fs::read(file)?)
    }

    fn act(&self, instance: &Instance, action: Action) -> Result<(), Error> {
        let id = instance.id.as_str();
        match action {
            Action::Kill => say(["kill", id]).map(drop),
            Action::Start => say(["start", id]).map(drop),
            Action::Pause => say(["pause", id]).map(drop),
            Action::Resume => say(["unpause", id]).map(drop),
            Action::Restart => say(["restart", id]).map(drop),
            Action::Cut => {
                let mut gone = Vec::new();
                for (network, _, aliases) in networks(&self.container(instance)?) {
                    say(["network", "disconnect", &network, id])?;
                    gone.push((network, aliases));
                    // Remembered one by one: what fails in the middle can be undone.
                    self.cut.borrow_mut().insert(id.to_owned(), gone.clone());
                }
                Ok(())
            }
            Action::Join => {
                for (network, aliases) in self.cut.borrow_mut().remove(id).unwrap_or_default() {
                    let mut connect = docker(["network", "connect"]);
                    for alias in aliases.iter().filter(|alias| !id.starts_with(alias.as_str())) {
                        connect.args(["--alias", alias]);
                    }
                    output(connect.args([&network, id]))?;
                }
                Ok(())
            }
        }
    }

    fn recycle(&self) -> Result<(), Error> {
        let containers = self.containers()?;
        let compose = || {
            let mut command = docker(["compose", "-p", &self.project]);
            let files = containers.first().map_or("", |container| label(container, FILES));
            for file in files.split(',').filter(|file| !file.is_empty()) {
                command.args(["-f", file]);
            }
            command
        };
        output(compose().arg("down"))?;
        let is_client = |service: &str| self.components.iter().any(|(name, role)| name == service && *role == "client");
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for container in &containers {
            *numbers.entry(label(container, SERVICE)).or_default() += 1;
        }
        for clients in [false, true] {
            let services = || numbers.iter().filter(|(service, _)| is_client(service) == clients);
            if services().next().is_none() {
                continue;
            }
            let mut up = compose();
            // A client that has ended is no failure, as `--wait` would say.
            up.args(if clients { ["up", "-d", "--no-deps"].as_slice() } else { &["up", "-d", "--wait"] });
            for (service, number) in services() {
                up.args(["--scale", &format!("{service}={number}")]);
            }
            output(up.args(services().map(|(service, _)| service)))?;
        }
        Ok(())
    }

    fn can_cut(&self) -> bool {
        true
    }
}
