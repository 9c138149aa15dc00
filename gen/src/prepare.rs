//! The host's folders that containers write to, made before the engine makes them as root.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::plan::{Plan, USER};

/// Why a folder cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot make the folder `{folder}` for `{component}`: {error}")]
    Make {
        /// As the topology names it, below its own folder.
        folder: String,
        /// Who writes there.
        component: String,
        /// The system's own words.
        error: std::io::Error,
    },
    /// Something else is there.
    #[error("cannot use `{folder}` for `{component}`: it is not a folder; move it away or change the volume")]
    NotAFolder {
        /// As the topology names it, below its own folder.
        folder: String,
        /// Who writes there.
        component: String,
    },
    /// It belongs to somebody else and only root could change that.
    #[error(
        "cannot give `{folder}` to user {user}, as who `{component}` runs: it belongs to user {owner}; run `sudo chown {user} {folder}`"
    )]
    Owner {
        /// As the topology names it, below its own folder.
        folder: String,
        /// Who writes there.
        component: String,
        /// Who should own it.
        user: u32,
        /// Who does.
        owner: u32,
    },
}

/// What happened to a folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The folder.
    pub folder: PathBuf,
    /// Whether it was made now.
    pub made: bool,
}

/// Makes every folder of the host that a program built here writes to, owned by the user that it runs as: the plan's when
/// root prepares, otherwise whoever prepares (the Compose file takes `CBW_UID`).
pub fn prepare(plan: &Plan, topology_folder: &Path) -> Result<Vec<Prepared>, Error> {
    let mut prepared = Vec::new();
    for component in plan.deployed().filter(|component| component.is_built_here()) {
        for volume in component.volumes.iter().filter(|volume| volume.is_bind() && !volume.read_only) {
            let folder = topology_folder.join(&volume.source);
            let shown = || folder.display().to_string();
            let failed = |error| Error::Make { folder: shown(), component: component.name.clone(), error };
            let made = !folder.exists();
            std::fs::create_dir_all(&folder).map_err(|error| {
                if folder.is_dir() || !folder.exists() {
                    failed(error)
                } else {
                    Error::NotAFolder { folder: shown(), component: component.name.clone() }
                }
            })?;
            let owner = std::fs::metadata(&folder).map_err(failed)?.uid();
            let me = effective_user();
            let user = if me == Some(0) { USER } else { me.unwrap_or(USER) };
            if owner != user {
                if me != Some(0) {
                    return Err(Error::Owner { folder: shown(), component: component.name.clone(), user, owner });
                }
                std::os::unix::fs::chown(&folder, Some(user), Some(user)).map_err(failed)?;
            }
            prepared.push(Prepared { folder, made });
        }
    }
    Ok(prepared)
}

/// The user that this process runs as, from the owner of its own entry in `/proc` or of a file that it makes.
fn effective_user() -> Option<u32> {
    if let Ok(metadata) = std::fs::metadata("/proc/self") {
        return Some(metadata.uid());
    }
    tempfile::tempfile().ok()?.metadata().ok().map(|metadata| metadata.uid())
}
