//! For a machine with Docker and no Compose, and for whoever wants to see what Compose does: a script of `docker` commands.

use serde::Serialize;

use super::images::{Builds, builds};
use super::templates::Engine;
use super::{Error, File, Loss, Options, dockerfile, shell, view};
use crate::finding::below;
use crate::plan::{Component, Healthcheck, ImageSource, Plan, USER};
use crate::spec::values::Volume;

/// The script, then what the builds need.
pub(super) fn files(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
    let content = engine.render("deploy.sh.j2", "script", &script(plan, options))?;
    let mut files = vec![File { path: "deploy.sh".to_owned(), content }];
    files.extend(dockerfile::dockerfiles(plan, options, engine)?);
    Ok(files)
}

/// What docker alone cannot do of a plan. It has one machine, as Compose has.
#[must_use]
pub fn losses(plan: &Plan) -> Vec<Loss> {
    let mut losses = Vec::new();
    for component in plan.deployed().filter(|component| component.replicas > 0) {
        for (name, secret) in &component.secrets {
            let pointer = below(&below(&component.pointer, "secrets"), name);
            if secret.external {
                losses.push(Loss {
                    pointer,
                    what: format!("docker keeps no secrets, so there is no `{name}` that it could have already"),
                    effect: "the script says so and starts nothing".to_owned(),
                    remedy: format!("use `{name} = {{ file = \"…\" }}`, or `{{ env = \"…\" }}`"),
                });
            } else if secret.env.is_some() && component.read_only {
                losses.push(Loss {
                    pointer,
                    what: format!(
                        "the secret `{name}` comes from a variable, and nothing can be copied into the read-only `{}`",
                        component.name
                    ),
                    effect: format!("docker refuses to copy it, and `{}` does not start", component.name),
                    remedy: format!("use `{name} = {{ file = \"…\" }}`, which is mounted, or `read_only = false`"),
                });
            }
        }
    }
    losses
}

/// The value `script` of `deploy.sh.j2`. Texts are words of a shell.
#[derive(Debug, Serialize)]
struct Script {
    /// The project's name.
    name: String,
    /// Images to build.
    builds: Builds,
    /// Networks, with the project's name in front.
    networks: Vec<String>,
    /// Volumes that the engine keeps, with the project's name in front.
    volumes: Vec<String>,
    /// Secrets that nobody can provide, and why.
    no_secrets: Vec<(String, &'static str)>,
    /// The user that our own programs run as.
    user: u32,
    /// Components, in the order in which they start.
    components: Vec<Step>,
}

/// One of `script.components`.
#[derive(Debug, Serialize)]
struct Step {
    /// The component's name.
    name: String,
    /// The same as part of a function's name.
    function: String,
    /// `broker`, `worker`, `client`, `logger` or `service`.
    role: &'static str,
    /// When it starts, counted from 1.
    stage: usize,
    /// How many instances run.
    replicas: u32,
    /// The image that runs.
    image: String,
    /// The image that the one that runs is made of, by adding a health check to it.
    checked: Option<Checked>,
    /// Folders of the host that it writes to, each with the user that should own it or nothing.
    folders: Vec<(String, String)>,
    /// Files that must be there.
    files: Vec<String>,
    /// Options of `docker run`.
    options: Vec<String>,
    /// What runs instead of the image's own command.
    command: Vec<String>,
    /// Further networks, each with the options of `docker network connect`.
    connects: Vec<String>,
    /// Secrets from variables: name and variable.
    secrets: Vec<(String, String)>,
    /// The most seconds until it is healthy or known not to be; nothing where nobody asks.
    healthy_within: Option<u64>,
    /// Whether it ends by itself.
    one_shot: bool,
}

/// `docker run` knows health checks for a shell only, so one in exec form goes into the image.
#[derive(Debug, Serialize)]
struct Checked {
    /// The image without it.
    from: String,
    /// The instruction.
    instruction: String,
}

fn script(plan: &Plan, options: &Options) -> Script {
    let project = &plan.name;
    let mut volumes: Vec<String> = Vec::new();
    let mut no_secrets = Vec::new();
    for component in plan.deployed() {
        for volume in component.volumes.iter().filter(|volume| !volume.is_bind()) {
            let name = format!("{project}-{}", volume.source);
            if !volumes.contains(&name) {
                volumes.push(name);
            }
        }
        for (name, secret) in component.secrets.iter().filter(|_| component.replicas > 0) {
            let why = match &secret.env {
                Some(variable) if !is_variable(variable) => "its variable has a name that no shell knows",
                _ if secret.external => "somebody else keeps it, and docker keeps none",
                _ => continue,
            };
            no_secrets.push((name.clone(), why));
        }
    }
    Script {
        builds: builds(plan, options),
        user: USER,
        networks: plan.networks.keys().map(|network| format!("{project}-{network}")).collect(),
        volumes,
        no_secrets,
        components: plan.deployed().map(|component| step(plan, component, options)).collect(),
        name: project.clone(),
    }
}

fn step(plan: &Plan, component: &Component, options: &Options) -> Step {
    let name = &component.name;
    let plain = match &component.image {
        ImageSource::Ready(image) => shell::expanded(image),
        _ => format!("{}-{name}:script", plan.name),
    };
    let checked = component.healthcheck.as_ref().and_then(instruction).map(|instruction| Checked { from: plain.clone(), instruction });
    let image = if checked.is_some() { format!("{}-{name}:script", plan.name) } else { plain };
    let mut networks = component.networks.iter().map(|network| {
        let alias = component.alias.iter().filter(|(of, _)| of == network).map(|(_, alias)| alias.as_str());
        (format!("{}-{network}", plan.name), std::iter::once(name.as_str()).chain(alias).collect::<Vec<_>>())
    });
    let first = networks.next();
    let connects = networks.map(|(network, aliases)| {
        let aliases: Vec<String> = aliases.iter().map(|alias| format!("--alias {alias} ")).collect();
        format!("{}{network}", aliases.concat())
    });
    let connects: Vec<String> = connects.collect();
    let binds = component.volumes.iter().filter(|volume| volume.is_bind());
    let folders = binds.clone().map(|volume| {
        let owner = if component.is_built_here() && !volume.read_only { user(component) } else { None };
        (quoted(&path(&volume.source, options)), owner.unwrap_or_else(|| "\"\"".to_owned()))
    });
    Step {
        function: name.replace('-', "_"),
        role: component.role.name(),
        stage: component.stage + 1,
        replicas: component.replicas,
        checked,
        image,
        folders: folders.collect(),
        files: component.secrets.values().filter_map(|secret| secret.file.as_ref()).map(|file| quoted(&path(file, options))).collect(),
        options: run_options(plan, component, first.as_ref(), &connects, options),
        command: component.command.iter().flatten().map(|word| shell::literal(word)).collect(),
        secrets: component
            .secrets
            .iter()
            .filter_map(|(name, secret)| Some((name.clone(), secret.env.clone().filter(|variable| is_variable(variable))?)))
            .collect(),
        healthy_within: component.healthcheck.as_ref().map(longest),
        one_shot: component.is_one_shot(),
        connects,
        name: name.clone(),
    }
}

/// Whether a shell can have a variable of that name.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Everything that stands between `docker run` and the image.
fn run_options(
    plan: &Plan,
    component: &Component,
    network: Option<&(String, Vec<&str>)>,
    connects: &[String],
    options: &Options,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |option: &str, value: String| all.push(if value.is_empty() { option.to_owned() } else { format!("{option} {value}") });
    if let Some((network, aliases)) = network {
        add("--network", network.clone());
        for alias in aliases {
            add("--network-alias", (*alias).to_owned());
        }
    }
    if !connects.is_empty() {
        // So that another list of networks is another configuration.
        add("--label", format!("org.cbwgen.networks={}", shell::literal(&connects.join(", "))));
    }
    for (name, variable) in &component.env {
        add("--env", format!("{name}={}", shell::expanded(&variable.value)));
    }
    for published in &component.published {
        add("--publish", shell::literal(&view::port(published)));
    }
    for volume in &component.volumes {
        add("--volume", mount(plan, volume, options));
    }
    for folder in &component.tmpfs {
        add("--tmpfs", shell::literal(folder));
    }
    for (name, secret) in &component.secrets {
        if let Some(file) = &secret.file {
            add("--volume", quoted(&format!("{}:/run/secrets/{name}:ro", path(file, options))));
        }
    }
    if let Some(check) = component.healthcheck.as_ref().filter(|check| instruction(check).is_none()) {
        add("--health-cmd", shell::literal(check.test.get(1).map_or("", String::as_str)));
        add("--health-interval", check.interval().to_string());
        add("--health-timeout", check.timeout().to_string());
        add("--health-retries", check.retries().to_string());
        add("--health-start-period", check.start_period().to_string());
    }
    add("--restart", component.restart.as_str().to_owned());
    // Whole seconds, cut off as Compose does it.
    add("--stop-timeout", (component.stop_grace.as_millis() / 1000).to_string());
    if let Some(user) = user(component) {
        add("--user", user);
    }
    if view::init(component) {
        add("--init", String::new());
    }
    if component.read_only {
        add("--read-only", String::new());
    }
    if component.drop_capabilities {
        add("--cap-drop", "ALL".to_owned());
    }
    for capability in &component.cap_add {
        add("--cap-add", shell::literal(capability));
    }
    add("--security-opt", "no-new-privileges:true".to_owned());
    if let Some(cpus) = component.resources.cpus {
        add("--cpus", cpus.0.to_string());
    }
    if let Some(memory) = component.resources.memory {
        add("--memory", memory.bytes().to_string());
    }
    add("--log-driver", "json-file".to_owned());
    add("--log-opt", "max-size=10m".to_owned());
    add("--log-opt", "max-file=3".to_owned());
    for (name, value) in view::labels(plan, component) {
        add("--label", format!("{name}={}", shell::literal(&value)));
    }
    all
}

/// A path of the host for the inside of double quotes, absolute: docker takes no other.
fn path(path: &str, options: &Options) -> String {
    if let Some(rest) = path.strip_prefix('~') {
        return format!("$HOME{}", shell::inside(rest));
    }
    if path.starts_with('/') {
        return shell::inside(path);
    }
    format!("$here/{}", shell::inside(&options.out.way_to(&options.folder.join(path))))
}

fn quoted(inside: &str) -> String {
    format!("\"{inside}\"")
}

fn mount(plan: &Plan, volume: &Volume, options: &Options) -> String {
    let source = if volume.is_bind() { path(&volume.source, options) } else { format!("{}-{}", plan.name, volume.source) };
    let mode = if volume.read_only { ":ro" } else { "" };
    quoted(&format!("{source}:{}{mode}", shell::inside(&volume.target)))
}

/// As in the Compose file: what a container writes into a folder of the host belongs to whoever deploys.
fn user(component: &Component) -> Option<String> {
    let user = component.user.as_ref()?;
    let writes_to_host = component.volumes.iter().any(|volume| volume.is_bind() && !volume.read_only);
    if component.is_built_here() && writes_to_host && *user == format!("{USER}:{USER}") {
        return Some("\"$CBW_UID:$CBW_GID\"".to_owned());
    }
    Some(shell::literal(user))
}

/// A health check in exec form as a Dockerfile's instruction; one for a shell is an option of `docker run`.
fn instruction(check: &Healthcheck) -> Option<String> {
    if check.test.first().map(String::as_str) != Some("CMD") {
        return None;
    }
    let (interval, timeout, retries, start_period) = (check.interval(), check.timeout(), check.retries(), check.start_period());
    let test = super::text::list(&check.test[1..]);
    Some(format!("HEALTHCHECK --interval={interval} --timeout={timeout} --retries={retries} --start-period={start_period} CMD {test}"))
}

/// After so many seconds a check has passed or failed as often as it may, with half a minute for the start itself.
fn longest(check: &Healthcheck) -> u64 {
    let one = check.interval().as_millis().saturating_add(check.timeout().as_millis());
    let all = one.saturating_mul(u64::from(check.retries()) + 1).saturating_add(check.start_period().as_millis());
    all.div_ceil(1000).saturating_add(30)
}
