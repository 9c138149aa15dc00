//! What the plan says about files beside the topology, held against the disk. With [`live`], the only look at the world that lint takes.

pub mod live;

use std::path::Path;

use crate::finding::{Place, below};
use crate::plan::{ImageSource, Plan};

/// A file that the plan needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFile {
    /// Relative to the topology.
    pub path: String,
    /// What it is for, in words, as in: the secret `x` of `y`.
    pub what_for: String,
    /// Where the topology names it.
    pub place: Place,
}

/// Looks for every file that the plan names. `folder` is the topology's.
#[must_use]
pub fn missing_files(plan: &Plan, folder: &Path) -> Vec<MissingFile> {
    let mut missing = Vec::new();
    let mut look = |path: String, what_for: String, place: Place| {
        if !path.contains(['$', '*', '?', '[']) && !folder.join(&path).exists() {
            missing.push(MissingFile { path, what_for, place });
        }
    };
    for component in plan.deployed() {
        let name = &component.name;
        for (secret, source) in &component.secrets {
            if let Some(file) = &source.file {
                let place = Place::Value(below(&below(&below(&component.pointer, "secrets"), secret), "file"));
                look(file.clone(), format!("the secret `{secret}` of `{name}`"), place);
            }
        }
        let ImageSource::Program(program) = &component.image else { continue };
        let build = below(&component.pointer, "build");
        if let Some(dockerfile) = &program.dockerfile {
            let path = Path::new(&program.context).join(dockerfile).display().to_string();
            look(path, format!("the build of `{name}`"), Place::value_of(&build, "dockerfile"));
        }
        for (index, (source, _)) in program.copy.iter().enumerate() {
            let path = Path::new(&program.context).join(source).display().to_string();
            let place = Place::Value(below(&below(&build, "copy"), &index.to_string()));
            look(path.trim_start_matches("./").to_owned(), format!("the build of `{name}`"), place);
        }
    }
    for (name, image) in &plan.images {
        for (index, entry) in image.copy.iter().enumerate() {
            let source = entry.split(':').next().unwrap_or_default();
            let place = crate::source::pointer(["image", name.as_str(), "copy", &index.to_string()]);
            look(source.to_owned(), format!("the image `{name}`"), Place::Value(place));
        }
    }
    missing
}
