//! Stand-in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Project;
use super::files::Files;
use crate::finding::Finding;
use crate::source::ReadError;

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files; empty: the default names.
    pub files: Vec<PathBuf>,
    /// Project name.
    pub name: Option<String>,
    /// Active profiles.
    pub profiles: Vec<String>,
    /// Env files.
    pub env_files: Vec<PathBuf>,
    /// Project directory.
    pub directory: Option<PathBuf>,
    /// Environment.
    pub environment: BTreeMap<String, String>,
    /// Where the user is.
    pub current: PathBuf,
}

/// Loads.
pub fn load(options: &Options, files: &dyn Files) -> Result<(Project, Vec<Finding>), ReadError> {
    let mut project = Project { complete: true, directory: options.current.clone(), ..Project::default() };
    for file in &options.files {
        project.sources.push(files.read(&options.current.join(file))?);
    }
    Ok((project, Vec::new()))
}
