//! What `stack.yml.j2` is written against: the plan in the words of a stack file.

use std::collections::HashMap;
use std::num::NonZeroU32;

use serde::Serialize;

use crate::plan::{Component, ImageSource, Origin, Plan, Role, stays};
use crate::render::view::{self, Healthcheck, Pair, Project};
use crate::render::{Options, text};
use crate::spec::values::Volume;
use crate::spec::{Placement, Restart};

/// The value `stack`.
#[derive(Debug, Serialize)]
pub struct Stack {
    /// The name that the stack is to be deployed under: `docker stack deploy -c stack.yml NAME`.
    pub name: String,
    /// The components that run here, in the order in which they start.
    pub services: Vec<Service>,
    /// The networks' names.
    pub networks: Vec<String>,
    /// The names of volumes that the engine of a node keeps.
    pub volumes: Vec<String>,
    /// Secrets that services use.
    pub secrets: Vec<Secret>,
    /// Files that are handed to every node.
    pub configs: Vec<Pair>,
}

/// One of `stack.services`. What is empty or `none` is not said in the stack file.
#[derive(Debug, Serialize)]
pub struct Service {
    /// The component's name.
    pub name: String,
    /// `broker`, `worker`, `client`, `logger` or `service`.
    pub role: &'static str,
    /// The image's name. One that is built here has a variable as its tag, so that each build can have its own.
    pub image: String,
    /// The host's name in the container, a template of Swarm's, where the instance's identity is made of it.
    pub hostname: Option<String>,
    /// What runs instead of the image's own command.
    pub command: Option<Vec<String>>,
    /// Whether the engine's own small init runs first.
    pub init: bool,
    /// Environment variables.
    pub environment: Vec<Pair>,
    /// Labels of the containers.
    pub labels: Vec<Pair>,
    /// Networks.
    pub networks: Vec<String>,
    /// Published ports, each on the node where the instance runs.
    pub ports: Vec<Port>,
    /// Mounts: `../logs:/var/log/cbw`, `data:/data:ro`.
    pub volumes: Vec<String>,
    /// Configs: the path in the container and the name in the list of configs.
    pub configs: Vec<Pair>,
    /// Folders in memory.
    pub tmpfs: Vec<String>,
    /// Secrets: the name in the container (`/run/secrets/NAME`) and the name in the list of secrets.
    pub secrets: Vec<Pair>,
    /// How the engine asks whether it works.
    pub healthcheck: Option<Healthcheck>,
    /// `none`, `any` or `on-failure`.
    pub restart: &'static str,
    /// How long it may take to end.
    pub stop_grace_period: String,
    /// The user in numbers.
    pub user: Option<String>,
    /// Whether the container's own files cannot be changed.
    pub read_only: bool,
    /// Capabilities that it loses: `ALL` or nothing.
    pub cap_drop: Vec<String>,
    /// Capabilities that it keeps.
    pub cap_add: Vec<String>,
    /// How many instances run.
    pub replicas: u32,
    /// `start-first` where an old and a new instance may run side by side, else `stop-first`.
    pub update_order: &'static str,
    /// The most processors that one instance may use.
    pub cpus: Option<String>,
    /// The most memory that one instance may use.
    pub memory: Option<String>,
    /// On which nodes it may run: `node.hostname == a`.
    pub constraints: Vec<String>,
    /// The most instances on one node.
    pub max_replicas_per_node: Option<u32>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Port {
    /// In the container.
    pub target: u16,
    /// On the node.
    pub published: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Its name in this file.
    pub name: String,
    /// A file; without one the Swarm has the secret already.
    pub file: Option<String>,
    /// What the Swarm calls it, where that is another name.
    pub external_name: Option<String>,
}

/// The plan in the words of a stack file.
pub(in crate::render) fn stack(plan: &Plan, options: &Options) -> Stack {
    // What passes through to Compose is a loss here, and told as one.
    let Project { name, services, networks, volumes, secrets, services_as_they_are: _, compose: _ } = view::project(plan, options);
    let mut configs: Vec<Pair> = Vec::new();
    let services =
        services.into_iter().zip(plan.deployed()).map(|(service, component)| stack_service(service, component, &mut configs)).collect();
    let secrets = secrets.into_iter().map(|secret| Secret {
        external_name: secret.environment.as_ref().map(|_| external_name(plan, &secret.name)),
        name: secret.name,
        file: secret.file,
    });
    Stack { secrets: secrets.collect(), name, services, networks, volumes, configs }
}

fn stack_service(service: view::Service, component: &Component, configs: &mut Vec<Pair>) -> Service {
    let mut volumes = Vec::new();
    let mut own_configs = Vec::new();
    for (volume, mount) in component.volumes.iter().zip(service.volumes) {
        if !is_config(volume) {
            volumes.push(mount);
            continue;
        }
        let file = mount.strip_suffix(&format!(":{}:ro", volume.target)).unwrap_or(&mount).to_owned();
        let known = configs.iter().find(|config| config.value == file).map(|config| config.name.clone());
        let name = known.unwrap_or_else(|| {
            let name = format!("{}-{}", component.name, configs.len() + 1);
            configs.push(Pair { name: name.clone(), value: file });
            name
        });
        own_configs.push(Pair { name: volume.target.clone(), value: name });
    }
    Service {
        image: match component.image {
            ImageSource::Ready(_) => service.image,
            _ => format!("{}:${{{}:-latest}}", service.image, tag_variable(&component.name)),
        },
        hostname: has_identity(component).then(|| hostname(&component.name)),
        environment: component
            .env
            .iter()
            .filter(|(name, variable)| !is_backend_host(component, name, variable.origin))
            .map(|(name, variable)| Pair { name: name.clone(), value: no_template(&text::interpolated(&variable.value)) })
            .collect(),
        networks: service.networks.into_iter().map(|network| network.name).collect(),
        ports: component
            .published
            .iter()
            .filter(|published| published.address.is_none_or(|address| address.is_unspecified()))
            .map(|published| Port { target: published.port, published: published.host_port, protocol: published.protocol.to_string() })
            .collect(),
        volumes,
        configs: own_configs,
        restart: match component.restart {
            Restart::No => "none",
            Restart::OnFailure => "on-failure",
            Restart::Always | Restart::UnlessStopped => "any",
        },
        update_order: if runs_side_by_side(component) { "start-first" } else { "stop-first" },
        constraints: constraints(component),
        max_replicas_per_node: component.placement.max_per_node.map(NonZeroU32::get),
        name: service.name,
        role: service.role,
        command: service.command,
        init: service.init,
        labels: service.labels,
        tmpfs: service.tmpfs,
        secrets: service.secrets,
        healthcheck: service.healthcheck.zip(component.healthcheck.as_ref()).map(|(check, planned)| Healthcheck {
            interval: Some(planned.interval().to_string()),
            timeout: Some(planned.timeout().to_string()),
            retries: Some(planned.retries()),
            start_period: Some(planned.start_period().to_string()),
            ..check
        }),
        stop_grace_period: component.stop_grace.to_string(),
        user: service.user,
        read_only: service.read_only,
        cap_drop: service.cap_drop,
        cap_add: service.cap_add,
        replicas: service.replicas,
        cpus: service.cpus,
        memory: service.memory,
    }
}

/// What the Swarm calls a secret that a stack file cannot make.
pub(super) fn external_name(plan: &Plan, secret: &str) -> String {
    format!("{}_{secret}", plan.name)
}

/// By component and name in the container, the name of a secret in the stack file.
pub(super) type SecretNames<'p> = HashMap<(&'p str, &'p str), String>;

pub(super) fn secret_names(plan: &Plan) -> SecretNames<'_> {
    view::secret_names(plan).into_iter().collect()
}

/// The variable that says which build of a component's image runs: `CBW_TAG_MY_WORKER`.
pub(in crate::render) fn tag_variable(component: &str) -> String {
    format!("CBW_TAG_{}", component.to_uppercase().replace('-', "_"))
}

/// Whether an instance's identity on the wire is made of its host's name.
fn has_identity(component: &Component) -> bool {
    matches!(component.role, Role::Worker { .. } | Role::Client { .. })
}

/// A name that no other instance has on any node, not even its own successor during an update: component, slot, node, task.
/// A host name has at most 64 bytes (Linux, `sethostname`), so the parts are cut.
fn hostname(component: &str) -> String {
    let component: String = component.chars().take(20).collect();
    format!("{component}-{{{{.Task.Slot}}}}-{{{{printf \"%.20s\" .Node.Hostname}}}}-{{{{printf \"%.8s\" .Task.ID}}}}")
}

/// Swarm takes `{{` in an environment for a template of its own; here it is what the user wrote.
fn no_template(value: &str) -> String {
    value.replace("{{", "{{\"{{\"}}")
}

/// The name of the workers' network, on which our broker listens for workers elsewhere. Swarm makes a task's names known only
/// when it is healthy, and the broker is not before it listens: it would wait for itself.
pub(super) fn is_backend_host(component: &Component, name: &str, origin: Origin) -> bool {
    component.alias.is_some() && name == "BACKEND_HOST" && origin == Origin::Setting
}

/// Whether an old instance and a new one may run at the same time: they do so anyway where there are several, and workers
/// are made for it. What holds a folder or a port of its node alone must make way first.
fn runs_side_by_side(component: &Component) -> bool {
    let many = matches!(component.role, Role::Worker { .. }) || (component.role == Role::Service && component.replicas > 1);
    many && component.published.is_empty() && component.volumes.iter().all(|volume| volume.read_only)
}

/// The nodes that it may run on. What is kept on a node keeps its user there: where no node is named, on a manager, the
/// machine that stacks are deployed from.
fn constraints(component: &Component) -> Vec<String> {
    let Placement { node, labels, .. } = &component.placement;
    let mut constraints: Vec<String> = labels.iter().map(|(name, value)| format!("node.labels.{name} == {value}")).collect();
    match node {
        Some(node) => constraints.push(format!("node.hostname == {node}")),
        None if needs_a_node(component) => constraints.push("node.role == manager".to_owned()),
        None => {}
    }
    constraints
}

/// Whether something of it is on one node only: a folder, or a volume of that node's engine. Folders with an absolute path
/// that are only read (`/etc/ssl/certs`) may be on each.
pub(super) fn needs_a_node(component: &Component) -> bool {
    component.volumes.iter().any(is_kept)
}

/// Whether a volume is on one node only.
pub(super) fn is_kept(volume: &Volume) -> bool {
    !is_config(volume) && (stays(volume) || !volume.source.starts_with('/'))
}

/// A file that is only read can be handed to every node (Swarm calls it a config, of at most 500 KB). Its name must tell that
/// it is a file, as rendering does not look at the disk.
fn is_config(volume: &Volume) -> bool {
    const TEXTS: [&str; 18] = [
        "cfg",
        "cnf",
        "conf",
        "config",
        "crt",
        "env",
        "htm",
        "html",
        "ini",
        "json",
        "lua",
        "pem",
        "properties",
        "sql",
        "toml",
        "xml",
        "yaml",
        "yml",
    ];
    let extension = volume.source.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map(|(_, extension)| extension);
    volume.is_bind() && volume.read_only && extension.is_some_and(|extension| TEXTS.contains(&extension))
}
