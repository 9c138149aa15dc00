//! What templates are written against: the plan in the words of Compose.
//!
//! Texts are ready to be written: `$` is doubled where Compose would replace something, paths are told from the folder of
//! the generated files. A template only has to put `{{ … }}` where a value belongs; quotes come by themselves.

use indexmap::IndexMap;
use serde::Serialize;

use super::passthrough::Extra;
use super::paths::{Folder, with_dot};
use super::text::{interpolated, literal};
use super::{LABEL, Options};
use crate::plan::{Component, Condition, Endpoint, ImageSource, Plan, Published, USER};
use crate::spec::values::{Duration, Protocol, Size, Volume};
use crate::spec::{Restart, Secret};

/// How long the engine gives a container to end, unless it is told otherwise.
const ENGINE_GRACE: Duration = Duration::from_millis(10_000);

/// The value `project` of `docker-compose.yml.j2`.
#[derive(Debug, Serialize)]
pub struct Project {
    /// The Compose project's name.
    pub name: String,
    /// The components that run here, in the order in which they start.
    pub services: Vec<Service>,
    /// The networks' names.
    pub networks: Vec<String>,
    /// The names of volumes that the engine keeps.
    pub volumes: Vec<String>,
    /// Secrets that services use.
    pub secrets: Vec<SecretSource>,
    /// Services that are no components.
    pub services_as_they_are: Vec<Extra>,
    /// Whatever else stands at the top of the file; what is above is merged into it where both have a key.
    pub compose: Vec<Extra>,
}

/// One of `project.services`. What is empty or `none` is not said in the Compose file.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the template")]
pub struct Service {
    /// The component's name.
    pub name: String,
    /// `broker`, `worker`, `client`, `logger` or `service`.
    pub role: &'static str,
    /// The image's name; of one that is built here `PROJECT-COMPONENT`.
    pub image: String,
    /// How it is built here.
    pub build: Option<Build>,
    /// What runs instead of the image's own command.
    pub command: Option<Vec<String>>,
    /// Whether the engine's own small init runs first: it forwards signals to programs that do not expect to be process 1.
    pub init: bool,
    /// Environment variables.
    pub environment: Vec<Pair>,
    /// Labels of the containers.
    pub labels: Vec<Pair>,
    /// What must be up before: a service's name and `service_healthy` or `service_started`.
    pub depends_on: Vec<Pair>,
    /// Networks, each with the names by which this service is known there beside its own.
    pub networks: Vec<Attachment>,
    /// Ports that it listens on for others in the project only.
    pub expose: Vec<String>,
    /// Published ports: `9998:9998`, `127.0.0.1:53:53/udp`.
    pub ports: Vec<String>,
    /// Mounts: `../logs:/var/log/cbw`, `data:/data:ro`.
    pub volumes: Vec<String>,
    /// Folders in memory.
    pub tmpfs: Vec<String>,
    /// Secrets: the name in the container (`/run/secrets/NAME`) and the name in the list of secrets.
    pub secrets: Vec<Pair>,
    /// How the engine asks whether it works.
    pub healthcheck: Option<Healthcheck>,
    /// `no`, `always`, `on-failure` or `unless-stopped`; empty for the engine's own default.
    pub restart: &'static str,
    /// How long it may take to end; empty for the engine's own time.
    pub stop_grace_period: String,
    /// The user in numbers.
    pub user: Option<String>,
    /// Whether the container's own files cannot be changed.
    pub read_only: bool,
    /// Capabilities that it loses: `ALL` or nothing.
    pub cap_drop: Vec<String>,
    /// Capabilities that it keeps.
    pub cap_add: Vec<String>,
    /// `no-new-privileges:true` or nothing.
    pub security_opt: Vec<String>,
    /// Whether the engine keeps the last 30 MB of what it prints.
    pub rotate_logs: bool,
    /// Whether `scale` says the number of instances too: podman-compose obeys it alone.
    pub scale: bool,
    /// How many instances run.
    pub replicas: u32,
    /// The most processors that one instance may use.
    pub cpus: Option<String>,
    /// The most memory that one instance may use.
    pub memory: Option<String>,
    /// Whether nothing is written that the topology does not say.
    pub as_is: bool,
    /// Further keys; what is above is merged into them where both have a key.
    pub compose: Vec<Extra>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "a name and a value")]
pub struct Pair {
    pub name: String,
    pub value: String,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The folder that the build sees.
    pub context: String,
    /// The Dockerfile, as seen from `context`.
    pub dockerfile: String,
    /// Labels for an image whose Dockerfile is not generated; the others say them themselves.
    pub labels: Vec<Pair>,
}

/// A network that a service is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// The network.
    pub name: String,
    /// Further names of the service on it.
    pub aliases: Vec<String>,
}

/// A health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: Option<String>,
    /// For one check.
    pub timeout: Option<String>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u16>,
    /// How long failures do not count after the start.
    pub start_period: Option<String>,
}

/// Where a secret comes from; one of `file`, `environment` and `external`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretSource {
    /// Its name in this file.
    pub name: String,
    /// A file.
    pub file: Option<String>,
    /// A variable of whoever deploys.
    pub environment: Option<String>,
    /// Whether the engine has it already.
    pub external: bool,
}

/// The plan in the words of Compose.
pub(super) fn project(plan: &Plan, options: &Options) -> Project {
    let secrets = Secrets::of(plan, options);
    let mut services = Vec::with_capacity(plan.components.len());
    let mut volumes = IndexMap::new();
    for component in plan.deployed() {
        services.push(service(plan, component, &secrets, options));
        volumes.extend(component.volumes.iter().filter(|volume| !volume.is_bind()).map(|volume| (volume.source.clone(), ())));
    }
    Project {
        name: plan.name.clone(),
        services,
        networks: plan.networks.iter().filter(|(_, network)| !network.brought).map(|(name, _)| name.clone()).collect(),
        volumes: volumes.into_keys().collect(),
        secrets: secrets.sources,
        services_as_they_are: Vec::new(),
        compose: Vec::new(),
    }
}

fn service(plan: &Plan, component: &Component, secrets: &Secrets, options: &Options) -> Service {
    let built = component.is_built_here();
    let as_is = component.as_is;
    // Networks that it brings along are told with others only: a list that is not there stands for the default one.
    let joins = component.networks.iter().any(|name| plan.networks.get(name).is_some_and(|network| !network.brought));
    // What was imported has Compose's own variables everywhere.
    let words = |words: &[String]| words.iter().map(|word| if as_is { interpolated(word) } else { literal(word) }).collect::<Vec<_>>();
    Service {
        name: component.service.clone(),
        role: component.role.name(),
        image: match &component.image {
            ImageSource::Ready(image) => interpolated(image),
            _ if as_is => String::new(),
            _ => image_name(plan, component),
        },
        build: build(plan, component, options),
        command: component.command.as_deref().map(words),
        init: !as_is && init(component),
        environment: component
            .env
            .iter()
            .map(|(name, variable)| Pair { name: name.clone(), value: interpolated(&variable.value) })
            .collect(),
        labels: if as_is { Vec::new() } else { literal_pairs(labels(plan, component)) },
        depends_on: component
            .depends_on
            .iter()
            .map(|(name, condition)| {
                let condition = match condition {
                    Condition::Healthy => "service_healthy",
                    Condition::Started => "service_started",
                };
                let name = plan.component(name).map_or(name, |component| &component.service);
                Pair { name: name.clone(), value: condition.to_owned() }
            })
            .collect(),
        networks: component
            .networks
            .iter()
            .filter(|_| !as_is || joins)
            .map(|name| {
                let alias = component.alias.iter().filter(|(network, _)| network == name).map(|(_, alias)| alias.clone());
                Attachment { name: name.clone(), aliases: alias.collect() }
            })
            .collect(),
        expose: if as_is { unpublished(component) } else { Vec::new() },
        ports: component.published.iter().map(port).collect(),
        volumes: component.volumes.iter().map(|volume| mount(volume, options)).collect(),
        tmpfs: component.tmpfs.iter().map(|folder| literal(folder)).collect(),
        secrets: component
            .secrets
            .iter()
            .map(|(name, source)| Pair { name: name.clone(), value: secrets.name_of(&component.name, name, source) })
            .collect(),
        healthcheck: component.healthcheck.as_ref().map(|check| Healthcheck {
            test: words(&check.test),
            interval: check.interval.map(|time| time.to_string()),
            timeout: check.timeout.map(|time| time.to_string()),
            retries: check.retries,
            start_period: check.start_period.map(|time| time.to_string()),
        }),
        restart: if as_is && component.restart == Restart::No { "" } else { component.restart.as_str() },
        stop_grace_period: if as_is && component.stop_grace == ENGINE_GRACE { String::new() } else { component.stop_grace.to_string() },
        user: user(component, built),
        read_only: component.read_only,
        cap_drop: if component.drop_capabilities { vec!["ALL".to_owned()] } else { Vec::new() },
        cap_add: component.cap_add.iter().map(|capability| literal(capability)).collect(),
        security_opt: if as_is { Vec::new() } else { vec!["no-new-privileges:true".to_owned()] },
        rotate_logs: !as_is,
        scale: !as_is,
        replicas: component.replicas,
        cpus: component.resources.cpus.map(|cpus| cpus.0.to_string()),
        memory: component.resources.memory.map(memory),
        as_is,
        compose: Vec::new(),
    }
}

/// Whether the engine's small init runs first. Our own programs handle signals as process 1, and so do ready images with their
/// own command.
pub(super) fn init(component: &Component) -> bool {
    match &component.image {
        ImageSource::Program(_) => true,
        ImageSource::Ready(_) => component.command.is_some(),
        ImageSource::Static { .. } | ImageSource::Source { .. } | ImageSource::Compose => false,
    }
}

/// The ports that only others in the project are to use.
fn unpublished(component: &Component) -> Vec<String> {
    let published = |endpoint: &Endpoint| component.published.iter().any(|published| published.endpoint == endpoint.name);
    let name = |endpoint: &Endpoint| match endpoint.protocol {
        Protocol::Tcp => endpoint.port.to_string(),
        Protocol::Udp => format!("{}/udp", endpoint.port),
    };
    component.endpoints.iter().filter(|endpoint| !published(endpoint)).map(name).collect()
}

/// `PROJECT-COMPONENT`.
fn image_name(plan: &Plan, component: &Component) -> String {
    format!("{}-{}", plan.name, component.name)
}

/// What an image and its containers say about where they come from.
pub(super) fn labels(plan: &Plan, component: &Component) -> Vec<(String, String)> {
    vec![
        ("org.opencontainers.image.title".to_owned(), image_name(plan, component)),
        (format!("{LABEL}.topology"), plan.name.clone()),
        (format!("{LABEL}.role"), component.role.name().to_owned()),
        (format!("{LABEL}.version"), super::VERSION.to_owned()),
    ]
}

fn build(plan: &Plan, component: &Component, options: &Options) -> Option<Build> {
    let generated = |context: &Folder| Build {
        context: literal(&options.out.way_to(context)),
        dockerfile: literal(&context.way_to(&options.out.join(&component.name).join("Dockerfile"))),
        labels: Vec::new(),
    };
    match &component.image {
        ImageSource::Ready(_) | ImageSource::Compose => None,
        ImageSource::Static { .. } => Some(generated(&options.out)),
        ImageSource::Source { .. } => Some(generated(&options.folder)),
        ImageSource::Program(program) => Some(match &program.dockerfile {
            Some(dockerfile) => Build {
                context: literal(&options.out.way_to(&options.folder.join(&program.context))),
                dockerfile: literal(dockerfile),
                labels: if component.as_is { Vec::new() } else { literal_pairs(labels(plan, component)) },
            },
            None => generated(&super::dockerfile::context(plan, program, options)),
        }),
    }
}

fn literal_pairs(pairs: Vec<(String, String)>) -> Vec<Pair> {
    pairs.into_iter().map(|(name, value)| Pair { name, value: literal(&value) }).collect()
}

/// `[ADDRESS:]HOST:CONTAINER[/udp]` (Compose specification, "ports", short syntax).
pub(super) fn port(published: &Published) -> String {
    let Published { host_port, port, .. } = published;
    let protocol = match published.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => "/udp",
    };
    match published.address {
        None => format!("{host_port}:{port}{protocol}"),
        Some(address) => format!("{}:{port}{protocol}", std::net::SocketAddr::new(address, *host_port)),
    }
}

fn mount(volume: &Volume, options: &Options) -> String {
    let source = if volume.source.starts_with('.') {
        with_dot(options.out.way_to(&options.folder.join(&volume.source)))
    } else {
        volume.source.clone()
    };
    let mode = if volume.read_only { ":ro" } else { "" };
    interpolated(&format!("{source}:{}{mode}", volume.target))
}

/// What a container writes into a folder of the host belongs to whoever deploys, if they say who they are. Everything
/// else keeps the user that the plan gives.
fn user(component: &Component, built: bool) -> Option<String> {
    let user = component.user.as_ref()?;
    let writes_to_host = component.volumes.iter().any(|volume| volume.is_bind() && !volume.read_only);
    if built && writes_to_host && *user == format!("{USER}:{USER}") {
        return Some(format!("${{CBW_UID:-{USER}}}:${{CBW_GID:-{USER}}}"));
    }
    Some(literal(user))
}

/// Compose reads `64MiB` as people do, but `1GB` as 2^30 bytes: such a size is told in bytes.
fn memory(size: Size) -> String {
    let text = size.to_string();
    if text.ends_with("iB") { text } else { format!("{}B", size.bytes()) }
}

/// Component and name in the container of every secret, with its name in the list of secrets.
pub(super) fn secret_names(plan: &Plan) -> Vec<((&str, &str), String)> {
    let mut first: IndexMap<&str, &Secret> = IndexMap::new();
    let mut names = Vec::new();
    for component in plan.deployed() {
        for (name, source) in &component.secrets {
            let own = first.get(name.as_str()).is_none_or(|first| is_same(first, source));
            let listed = if own { name.clone() } else { format!("{}.{name}", component.name) };
            if own {
                first.entry(name).or_insert(source);
            }
            names.push(((component.name.as_str(), name.as_str()), listed));
        }
    }
    names
}

/// Whether two secrets come from the same place.
fn is_same(one: &Secret, other: &Secret) -> bool {
    (&one.file, &one.env, one.external) == (&other.file, &other.env, other.external)
}

/// Secrets of all services. One name may mean several things, and Compose has one list.
struct Secrets {
    sources: Vec<SecretSource>,
    by_name: IndexMap<String, Secret>,
}

impl Secrets {
    fn of(plan: &Plan, options: &Options) -> Self {
        let mut secrets = Self { sources: Vec::new(), by_name: IndexMap::new() };
        for component in plan.deployed() {
            for (name, source) in &component.secrets {
                let name = secrets.name_of(&component.name, name, source);
                if secrets.by_name.insert(name.clone(), source.clone()).is_none() {
                    secrets.sources.push(SecretSource {
                        name,
                        file: source.file.as_ref().map(|file| {
                            interpolated(&if file.starts_with(['/', '~']) {
                                file.clone()
                            } else {
                                with_dot(options.out.way_to(&options.folder.join(file)))
                            })
                        }),
                        environment: source.env.as_ref().map(|variable| literal(variable)),
                        external: source.external,
                    });
                }
            }
        }
        secrets
    }

    /// The secret's own name, with the component's in front where another component means something else by it.
    fn name_of(&self, component: &str, name: &str, source: &Secret) -> String {
        match self.by_name.get(name) {
            Some(first) if !is_same(first, source) => format!("{component}.{name}"),
            _ => name.to_owned(),
        }
    }
}
