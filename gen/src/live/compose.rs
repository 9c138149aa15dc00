//! Containers of one machine: those of Docker Compose, and those of the script (`render --target script`), which bear other labels.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Component as Part, Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::docker::{client_in, docker, inspect, instance, label, networks, say, text, variable};
use super::stream::{Stream, output, output_of};
use super::{Action, Deployment, Error, Instance};
use crate::plan::{Component, ImageSource, Plan, Role};

/// Compose's own labels (Compose specification, "Labels"; docker/compose `pkg/api/labels.go`).
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const HASH: &str = "com.docker.compose.config-hash";
const FILES: &str = "com.docker.compose.project.config_files";

/// A network and the names that a container has on it.
type Attachment = (String, Vec<String>);

/// The script's label for the component.
const COMPONENT: &str = "org.cbwgen.component";

/// Who made the containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Compose,
    /// `deploy.sh`.
    Script,
}

impl Maker {
    /// The label that all containers of a project bear.
    fn label(self, project: &str) -> String {
        match self {
            Self::Compose => format!("{PROJECT}={project}"),
            Self::Script => format!("{}.topology={project}", crate::render::LABEL),
        }
    }

    /// The component of a container; empty when it is nobody's.
    fn component(self, container: &Value) -> &str {
        match self {
            Self::Compose => label(container, SERVICE),
            Self::Script => label(container, COMPONENT),
        }
    }

    /// Which of the component's containers it is.
    fn number(self, container: &Value) -> &str {
        match self {
            Self::Compose => label(container, NUMBER),
            Self::Script => text(container, "/Name").rsplit('-').next().unwrap_or_default(),
        }
    }
}

/// Containers of a project.
#[derive(Debug)]
pub struct Compose {
    maker: Maker,
    project: String,
    /// Components in the plan's order, with their roles.
    components: Vec<(String, &'static str)>,
    /// The frontend's port, by broker.
    frontends: HashMap<String, u16>,
    /// An image that holds our client.
    client: Option<String>,
    /// Where each container that was cut off had been: networks and names there.
    cut: RefCell<HashMap<String, Vec<Attachment>>>,
}

impl Compose {
    /// The Compose project of this plan, if it has containers.
    pub fn find(plan: &Plan) -> Result<Self, Error> {
        Self::of(plan, Maker::Compose)
    }

    /// What `deploy.sh` made of this plan, if it has containers.
    pub fn find_script(plan: &Plan) -> Result<Self, Error> {
        Self::of(plan, Maker::Script)
    }

    fn of(plan: &Plan, maker: Maker) -> Result<Self, Error> {
        let found = match inspect(&maker.label(&plan.name)) {
            Ok(found) => found,
            Err(Error(why)) => return Err(Error(format!("no engine answers ({})", why.lines().next().unwrap_or_default()))),
        };
        if !found.iter().any(|container| !maker.component(container).is_empty()) {
            return Err(Error::new("the engine has no container of it"));
        }
        let own_client = |component: &&crate::plan::Component| {
            matches!(component.image, ImageSource::Static { program: "client" } | ImageSource::Source { program: "client" })
        };
        Ok(Self {
            maker,
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
        let mut containers = inspect(&self.maker.label(&self.project))?;
        // One-off containers (`docker compose run`) are nobody's instances.
        let is_one_off = |container: &Value| label(container, "com.docker.compose.oneoff") == "True";
        containers.retain(|container| !self.maker.component(container).is_empty() && !is_one_off(container));
        let place = |container: &Value| {
            let component = self.maker.component(container);
            let at = self.components.iter().position(|(name, _)| name == component).unwrap_or(usize::MAX);
            (at, component.to_owned(), self.maker.number(container).parse::<u32>().unwrap_or(0))
        };
        containers.sort_by_key(place);
        Ok(containers)
    }

    /// Our client as a container beside the broker, or as a process of this machine when the deployment has none.
    fn client_beside(&self, broker: &Instance) -> Result<(Command, String, u16), Error> {
        let port = *self.frontends.get(&broker.component).ok_or_else(|| Error(format!("`{}` is no broker", broker.component)))?;
        let all = networks(&container(broker)?);
        // Compose and the script join the project's name differently.
        let frontend = format!("{}-frontend", broker.component);
        let is_frontend = |name: &str| name.strip_prefix(&self.project).and_then(|rest| rest.get(1..)) == Some(&frontend);
        let network = all.iter().find(|(name, ..)| is_frontend(name)).or(all.first());
        let (network, address, _) = network.ok_or_else(|| Error(format!("`{}` is on no network", broker.name)))?;
        if let Some(image) = &self.client {
            let command = client_in(network, image, &self.project, &broker.component, port);
            return Ok((command, broker.component.clone(), port));
        }
        let mut command = own_client()?;
        command.envs([("BROKER_HOST", address.clone()), ("BROKER_PORT", port.to_string())]);
        Ok((command, address.clone(), port))
    }

    /// Containers that were started from other files than those that are there now, by Compose's own hashes.
    fn other_versions(&self, containers: &[Value]) -> Vec<String> {
        let hashes = match output(self.compose(containers).args(["config", "--hash", "*"])) {
            Ok(hashes) => hashes,
            Err(Error(why)) => return vec![format!("Compose cannot read its files any more: {why}")],
        };
        let hashes: HashMap<&str, &str> = hashes.lines().filter_map(|line| line.split_once(' ')).collect();
        let line = |container: &Value| {
            let (service, number) = (label(container, SERVICE), label(container, NUMBER));
            match hashes.get(service) {
                None => Some(format!("`{service}-{number}` runs, and the Compose file has no `{service}`")),
                Some(hash) if *hash != label(container, HASH) => {
                    Some(format!("`{service}-{number}` was started from another version of the Compose file"))
                }
                Some(_) => None,
            }
        };
        containers.iter().filter_map(line).collect()
    }

    /// `docker compose` with the files that these containers come from.
    fn compose(&self, containers: &[Value]) -> Command {
        let mut command = docker(["compose", "-p", &self.project]);
        let files = containers.first().map_or("", |container| label(container, FILES));
        for file in files.split(',').filter(|file| !file.is_empty()) {
            command.args(["-f", file]);
        }
        // As the Makefile does: containers write bind-mounted folders as whoever deploys.
        let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        if user != 0 {
            for (name, number) in [("CBW_UID", user), ("CBW_GID", group)] {
                if std::env::var_os(name).is_none() {
                    command.env(name, number.to_string());
                }
            }
        }
        command
    }
}

/// Where a logger's file was, if the plan has it elsewhere now.
fn moved_log(component: &Component, container: &Value) -> Option<String> {
    let Role::Logger { volume: Some(volume), .. } = &component.role else { return None };
    let mounts = container["Mounts"].as_array()?;
    let folder = variable(container, "LOGGER_DIR")?;
    let mount = mounts.iter().find(|mount| text(mount, "/Destination") == folder)?;
    let is_bind = text(mount, "/Type") == "bind";
    let was = if is_bind { text(mount, "/Source") } else { text(mount, "/Name") };
    let is = if volume.is_bind() {
        // The topology is one folder above what is generated, or where `out` says; only the end of the path is certain.
        let wanted: PathBuf = Path::new(&volume.source).components().filter(|part| !matches!(part, Part::CurDir)).collect();
        is_bind && Path::new(was).ends_with(&wanted)
    } else {
        !is_bind && was.ends_with(&volume.source)
    };
    (!is).then(|| format!("`{}`: the log moves to `{}`; the old one stays in `{was}`", component.name, volume.source))
}

/// An instance's own program, in its container.
fn service(instance: &Instance, arguments: &[&str]) -> Command {
    let program = format!("/{}", instance.role);
    docker(["exec", "-i", &instance.id, &program].into_iter().chain(arguments.iter().copied()))
}

/// What the engine says of an instance's container.
fn container(instance: &Instance) -> Result<Value, Error> {
    let text = say(["inspect", "--type", "container", &instance.id])?;
    let mut found: Vec<Value> = serde_json::from_str(&text).map_err(|error| Error(error.to_string()))?;
    found.pop().ok_or_else(|| Error(format!("there is no `{}`", instance.name)))
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
        match self.maker {
            Maker::Compose => "compose",
            Maker::Script => "script",
        }
    }

    fn instances(&self) -> Result<Vec<Instance>, Error> {
        let made = |container: &Value| {
            let component = self.maker.component(container).to_owned();
            let role = self.components.iter().find(|(name, _)| *name == component).map_or("service", |(_, role)| role);
            instance(container, format!("{component}-{}", self.maker.number(container)), component, role)
        };
        Ok(self.containers()?.iter().map(made).collect())
    }

    fn drift(&self, _: &Plan) -> Result<Vec<String>, Error> {
        let containers = self.containers()?;
        let mut lines = if self.maker == Maker::Compose { self.other_versions(&containers) } else { Vec::new() };
        let mut images: HashMap<String, String> = HashMap::new();
        for container in &containers {
            let name = text(container, "/Config/Image").to_owned();
            let current =
                images.entry(name.clone()).or_insert_with(|| say(["image", "inspect", "-f", "{{.Id}}", &name]).unwrap_or_default());
            if current.trim() != text(container, "/Image") {
                let (component, number) = (self.maker.component(container), self.maker.number(container));
                lines.push(format!(
                    "`{component}-{number}` runs an older build of the image `{name}`: deploy again, or `cbwgen update {component}`"
                ));
            }
        }
        Ok(lines)
    }

    fn ask(&self, instance: &Instance, page: &str) -> Result<String, Error> {
        output(&mut service(instance, &["ask", page]))
    }

    fn events(&self, broker: &Instance) -> Result<Stream, Error> {
        Stream::start(&mut service(broker, &["ask", "/events", "--leash"]))
    }

    fn audit(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, host, port) = self.client_beside(broker)?;
        Stream::start(client.args(["audit", &host, &port.to_string()]).args(arguments))
    }

    fn audit_from_outside(&self, host: &str, port: u16, arguments: &[String]) -> Result<Stream, Error> {
        let mut client = match &self.client {
            Some(image) => client_in("host", image, &self.project, host, port),
            None => own_client()?,
        };
        Stream::start(client.args(["audit", host, &port.to_string()]).args(arguments))
    }

    fn client(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, ..) = self.client_beside(broker)?;
        Stream::start(client.args(arguments))
    }

    fn log(&self, logger: &Instance) -> Result<Vec<u8>, Error> {
        let container = container(logger)?;
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
                for (network, _, aliases) in networks(&container(instance)?) {
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

    fn changes(&self, plan: &Plan, rendered: &str, out: &Path) -> Result<Vec<String>, Error> {
        if self.maker == Maker::Script {
            return Err(Error::new("`deploy.sh up` replaces what has changed and leaves the rest, and does not say so before"));
        }
        let containers = self.containers()?;
        let mut compose = self.compose(&[]);
        compose.arg("--project-directory").arg(out).args(["-f", "-", "config", "--hash", "*"]);
        let hashes = output_of(&mut compose, rendered.as_bytes())?;
        let hashes: BTreeMap<&str, &str> = hashes.lines().filter_map(|line| line.split_once(' ')).collect();
        let mut lines = Vec::new();
        for component in plan.deployed() {
            let name = component.name.as_str();
            let own: Vec<&Value> = containers.iter().filter(|container| label(container, SERVICE) == name).collect();
            let (now, planned) = (own.len() as u64, u64::from(component.replicas));
            let count = |number: u64| crate::rules::count(number, "instance");
            let old = own.iter().filter(|container| hashes.get(name).is_none_or(|hash| *hash != label(container, HASH))).count() as u64;
            match (now, old) {
                (0, _) if planned > 0 => lines.push(format!("`{name}`: {} started", count(planned))),
                (_, 1..) => lines.push(format!("`{name}`: {} recreated, since its settings changed", count(old.min(planned)))),
                _ => {}
            }
            if now > planned {
                lines.push(format!("`{name}`: {} removed", count(now - planned)));
            } else if now > 0 && now < planned {
                lines.push(format!("`{name}`: {} added", count(planned - now)));
            }
            lines.extend(own.first().and_then(|container| moved_log(component, container)));
        }
        let mut orphans: Vec<&str> = containers.iter().map(|container| label(container, SERVICE)).collect();
        orphans.retain(|service| plan.component(service).is_none());
        orphans.dedup();
        lines.extend(orphans.iter().map(|service| format!("`{service}`: removed, since the topology does not have it any more")));
        Ok(lines)
    }

    fn update(&self, component: &Component, tell: &mut dyn FnMut(&str)) -> Result<(), Error> {
        if self.maker == Maker::Script {
            return Err(Error::new("`make deploy TARGET=script` builds the images and replaces what has changed"));
        }
        let containers = self.containers()?;
        let name = component.name.as_str();
        if component.is_built_here() {
            tell(&format!("{name}: its image is built"));
            output(self.compose(&containers).args(["build", "-q", name]))?;
        }
        let old: Vec<&str> =
            containers.iter().filter(|container| label(container, SERVICE) == name).map(|container| text(container, "/Id")).collect();
        if !matches!(component.role, Role::Worker { .. }) {
            tell(&format!("{name}: stopped and started anew"));
            let wait: &[&str] = if component.is_one_shot() { &[] } else { &["--wait"] };
            let scale = format!("{name}={}", old.len().max(1));
            let mut up = self.compose(&containers);
            output(up.args(["up", "-d", "--no-deps", "--force-recreate"]).args(wait).args(["--scale", &scale, name]))?;
            return Ok(());
        }
        let more = format!("{name}={}", old.len() + 1);
        for (number, id) in old.iter().enumerate() {
            tell(&format!("{name}: {} of {}: a new one is started, and the old one ends when it is healthy", number + 1, old.len()));
            output(self.compose(&containers).args(["up", "-d", "--no-deps", "--no-recreate", "--wait", "--scale", &more, name]))?;
            say(["stop", id])?;
            say(["rm", id])?;
        }
        Ok(())
    }

    fn recycle(&self) -> Result<(), Error> {
        if self.maker == Maker::Script {
            return Err(Error::new("`deploy.sh down` and `deploy.sh up` do it by hand"));
        }
        let containers = self.containers()?;
        let compose = || self.compose(&containers);
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

    fn file(&self) -> Option<PathBuf> {
        let containers = self.containers().ok()?;
        label(containers.first()?, FILES).split(',').next().map(PathBuf::from)
    }

    fn can_cut(&self) -> bool {
        true
    }
}
