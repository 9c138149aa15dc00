//! The images that are built here, as `docker build` is told.

use serde::Serialize;

use super::paths::Folder;
use super::templates::Engine;
use super::{Error, File, Options, dockerfile, shell, view};
use crate::plan::{Component, ImageSource, Plan};

/// An image to build. Texts are words of a shell.
#[derive(Debug, Serialize)]
pub struct Image {
    /// The component's name.
    pub component: String,
    /// The image's name without a tag: `PROJECT-COMPONENT`.
    pub name: String,
    /// The folder that the build sees, from the folder of the generated files.
    pub context: String,
    /// The Dockerfile, from there too.
    pub dockerfile: String,
    /// Labels that the Dockerfile does not say itself: `NAME=VALUE`.
    pub labels: Vec<String>,
}

/// The value `builds` of `build.sh.j2`.
#[derive(Debug, Serialize)]
pub(super) struct Builds {
    /// The project's name.
    pub name: String,
    /// All images, in the order in which their components start.
    pub images: Vec<Image>,
    /// Whether the builds need our own programs in `bin`.
    pub own_programs: bool,
}

/// The script that builds all images, where there are any.
pub(super) fn build_script(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Option<File>, Error> {
    let builds = builds(plan, options);
    if builds.images.is_empty() {
        return Ok(None);
    }
    Ok(Some(File { path: "build.sh".to_owned(), content: engine.render("build.sh.j2", "builds", &builds)? }))
}

pub(super) fn builds(plan: &Plan, options: &Options) -> Builds {
    let own_programs = plan.deployed().any(|component| matches!(component.image, ImageSource::Static { .. }));
    Builds { name: plan.name.clone(), images: images(plan, options), own_programs }
}

/// All images, in the order in which their components start.
pub(super) fn images(plan: &Plan, options: &Options) -> Vec<Image> {
    plan.deployed().filter_map(|component| image(plan, component, options)).collect()
}

fn image(plan: &Plan, component: &Component, options: &Options) -> Option<Image> {
    let generated = options.out.join(&component.name).join("Dockerfile");
    let (context, dockerfile): (Folder, Folder) = match &component.image {
        ImageSource::Ready(_) | ImageSource::Compose => return None,
        ImageSource::Static { .. } => (options.out.clone(), generated),
        ImageSource::Source { .. } => (options.folder.clone(), generated),
        ImageSource::Program(program) => match &program.dockerfile {
            Some(own) => {
                let context = options.folder.join(&program.context);
                let own = context.join(own);
                (context, own)
            }
            None => (dockerfile::context(plan, program, options), generated),
        },
    };
    let labels = match &component.image {
        ImageSource::Program(program) if program.dockerfile.is_some() => view::labels(plan, component),
        _ => Vec::new(),
    };
    Some(Image {
        component: component.name.clone(),
        name: format!("{}-{}", plan.name, component.name),
        context: shell::literal(&options.out.way_to(&context)),
        dockerfile: shell::literal(&options.out.way_to(&dockerfile)),
        labels: labels.into_iter().map(|(name, value)| format!("{name}={}", shell::literal(&value))).collect(),
    })
}
