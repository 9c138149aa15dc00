//! A Dockerfile a component. The classic builder is enough for all of them: no here-documents, no `RUN --mount`.

use std::collections::HashMap;

use serde::Serialize;

use super::paths::Folder;
use super::{Error, File, Options, templates::Engine, view};
use crate::plan::{Component, ImageSource, Plan, Program};
use crate::spec::Image;
use crate::spec::values::Protocol;

/// The value `image` of `Dockerfile.*.j2`.
#[derive(Debug, Serialize)]
pub struct View {
    /// The component's name.
    pub component: String,
    /// Our program's name: `broker`, `worker`, `client` or `logger`; empty for somebody else's.
    pub program: String,
    /// The image that ours stands on.
    pub base: String,
    /// Base images to build first, each standing on the one before; the last stage is the component's own.
    pub stages: Vec<Stage>,
    /// Folders where volumes are mounted: their owner is who writes into them.
    pub volumes: Vec<String>,
    /// The user in numbers, or nothing.
    pub user: Option<String>,
    /// The ports that it listens on: `9998`, `53/udp`.
    pub ports: Vec<String>,
    /// Labels: name and value.
    pub labels: Vec<view::Pair>,
    /// What runs, as arguments.
    pub command: Option<Vec<String>>,
}

/// What one image adds to the one that it stands on.
#[derive(Debug, Serialize)]
pub struct Stage {
    /// The stage's name; empty for the component's own.
    pub name: String,
    /// A public image or an earlier stage.
    pub from: String,
    /// Debian packages.
    pub apt: Vec<String>,
    /// Environment of the image.
    pub env: Vec<view::Pair>,
    /// The folder in which commands run.
    pub workdir: String,
    /// Source (as seen from the build's context) and destination.
    pub copy: Vec<(String, String)>,
    /// Commands.
    pub run: Vec<String>,
}

/// The Dockerfiles of all components that are built here, and what the builds of our own programs may see.
pub(super) fn dockerfiles(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    if plan.deployed().any(|component| matches!(component.image, ImageSource::Static { .. })) {
        files.push(File { path: ".dockerignore".to_owned(), content: engine.render("dockerignore.j2", "plan", &plan.name)? });
    }
    let mut compiled = HashMap::new();
    for component in plan.deployed() {
        let template = match &component.image {
            ImageSource::Ready(_) | ImageSource::Compose => continue,
            ImageSource::Static { .. } => "Dockerfile.static.j2",
            ImageSource::Source { .. } => "Dockerfile.source.j2",
            ImageSource::Program(program) if program.dockerfile.is_some() => continue,
            ImageSource::Program(_) => "Dockerfile.program.j2",
        };
        let image = view(plan, component, options)?;
        if !compiled.contains_key(template) {
            compiled.insert(template, engine.template(template)?);
        }
        let content = compiled[template].render("image", &image)?;
        files.push(File { path: format!("{}/Dockerfile", component.name), content });
    }
    Ok(files)
}

fn view(plan: &Plan, component: &Component, options: &Options) -> Result<View, Error> {
    let checker = Checker { component: &component.name };
    let mut ports: Vec<String> = Vec::new();
    for endpoint in &component.endpoints {
        let port = match endpoint.protocol {
            Protocol::Tcp => endpoint.port.to_string(),
            Protocol::Udp => format!("{}/udp", endpoint.port),
        };
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    let program = match &component.image {
        ImageSource::Static { program } | ImageSource::Source { program } => (*program).to_owned(),
        _ => String::new(),
    };
    let (stages, command) = match &component.image {
        ImageSource::Program(program) => (stages(plan, program, options, &checker)?, program.command.clone()),
        _ => (Vec::new(), None),
    };
    let volumes = component.volumes.iter().filter(|volume| !volume.is_bind() && !volume.read_only);
    Ok(View {
        component: component.name.clone(),
        program,
        base: checker.image(&plan.base)?.to_owned(),
        stages,
        volumes: match component.user {
            Some(_) => volumes.map(|volume| volume.target.clone()).collect(),
            None => Vec::new(),
        },
        user: component.user.clone(),
        ports,
        labels: view::labels(plan, component).into_iter().map(|(name, value)| view::Pair { name, value }).collect(),
        command,
    })
}

/// The base images that a program stands on, the deepest first.
fn chain<'a>(plan: &'a Plan, from: &str) -> Vec<(&'a str, &'a Image)> {
    let mut chain = Vec::new();
    let mut next = plan.images.get_key_value(from);
    while let Some((name, image)) = next {
        chain.push((name.as_str(), image));
        // A circle of images was told already; it must only end here.
        next = plan.images.get_key_value(image.from.as_str()).filter(|_| chain.len() <= plan.images.len());
    }
    chain.reverse();
    chain
}

/// The folder that a program's build sees: that of the program, and what its base images copy.
pub(super) fn context(plan: &Plan, program: &Program, options: &Options) -> Folder {
    let own = options.folder.join(&program.context);
    let chain = chain(plan, program.from.as_deref().unwrap_or_default());
    let copies = chain.iter().flat_map(|(_, image)| &image.copy);
    copies.fold(own, |context, entry| context.common(&folder_of(source(entry), options)))
}

/// The folder in which a path lies that may hold wildcards.
fn folder_of(path: &str, options: &Options) -> Folder {
    let certain = path.find(['*', '?', '[']).map_or(path, |at| &path[..at]);
    if certain.len() == path.len() {
        options.folder.join(path).parent()
    } else {
        options.folder.join(certain.rsplit_once('/').map_or(".", |(folder, _)| folder))
    }
}

fn source(entry: &str) -> &str {
    entry.split_once(':').map_or(entry, |(source, _)| source)
}

fn stages(plan: &Plan, program: &Program, options: &Options, checker: &Checker<'_>) -> Result<Vec<Stage>, Error> {
    let context = context(plan, program, options);
    let from = program.from.as_deref().unwrap_or_default();
    // A stage's name begins with a letter, which an image's name need not.
    let stage_name = |name: &str| format!("base-{name}");
    let mut stages = Vec::new();
    let mut below: Option<String> = None;
    for (name, image) in chain(plan, from) {
        let copy = image.copy.iter().map(|entry| {
            let path = source(entry);
            let file = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let destination = entry.split_once(':').map_or_else(|| format!("./{file}"), |(_, to)| to.to_owned());
            (context.way_to(&options.folder.join(path)), destination)
        });
        stages.push(Stage {
            name: stage_name(name),
            from: match below.take() {
                Some(stage) => stage,
                None => checker.image(&image.from)?.to_owned(),
            },
            apt: checker.packages(&image.apt)?,
            env: checker.env(image.env.iter().map(|(name, value)| (&name.0, &value.0)))?,
            workdir: checker.line("workdir", image.workdir.as_deref().unwrap_or("/app"))?,
            copy: copy.collect(),
            run: image.run.clone(),
        });
        below = Some(stage_name(name));
    }
    let own = options.folder.join(&program.context);
    stages.push(Stage {
        name: String::new(),
        from: match below {
            Some(stage) => stage,
            None => checker.image(from)?.to_owned(),
        },
        apt: checker.packages(&program.apt)?,
        env: checker.env(program.env.iter())?,
        workdir: checker.line("workdir", &program.workdir)?,
        copy: program.copy.iter().map(|(from, to)| (context.way_to(&own.join(from)), to.clone())).collect(),
        run: program.run.clone(),
    });
    Ok(stages)
}

/// Says no to what a Dockerfile cannot hold.
struct Checker<'a> {
    component: &'a str,
}

impl Checker<'_> {
    fn error(&self, key: &'static str, text: &str, reason: &'static str) -> Error {
        Error::Text { component: self.component.to_owned(), key, text: crate::source::decode::shorten(text), reason }
    }

    /// An image's name: `FROM` takes further words for something else.
    fn image<'t>(&self, name: &'t str) -> Result<&'t str, Error> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
        if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal) {
            return Ok(name);
        }
        Err(self.error("from", name, "is not the name of an image, as in `debian:12-slim`"))
    }

    /// Debian packages: `libzmq5`, with `=VERSION` or `/RELEASE`.
    fn packages(&self, names: &[String]) -> Result<Vec<String>, Error> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':' | '=' | '~' | '/');
        for name in names {
            if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(legal) {
                return Err(self.error("apt", name, "is not the name of a Debian package"));
            }
        }
        Ok(names.to_vec())
    }

    fn env<'e>(&self, pairs: impl Iterator<Item = (&'e String, &'e String)>) -> Result<Vec<view::Pair>, Error> {
        let checked = pairs.map(|(name, value)| Ok(view::Pair { name: name.clone(), value: self.line("env", value)? }));
        checked.collect()
    }

    fn line(&self, key: &'static str, text: &str) -> Result<String, Error> {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(self.error(key, text, "holds a line break or another control character, which no Dockerfile can"));
        }
        Ok(text.to_owned())
    }
}
