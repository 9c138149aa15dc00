//! `cbwgen init`: a commented topology to begin with, beside whatever is there.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{CLEAN, print};
use crate::finding::did_you_mean;
use crate::presets;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Which one: cbw, cbwl, nodejs, postgres-app, redis, wordpress; without it they are listed
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The file to write, which must not be there; `-` prints it
    #[arg(default_value = "topology.toml")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Init) -> anyhow::Result<u8> {
    let Some(name) = &arguments.preset else {
        return print(&presets::table());
    };
    let Some(text) = presets::by_name(name) else {
        let names = || presets::ALL.iter().map(|(name, _)| *name);
        let hint = did_you_mean(name, names())
            .map_or_else(|| format!("there is {}", crate::rules::list(names())), |near| format!("did you mean `{near}`?"));
        bail!("there is no preset `{name}`; {hint}");
    };
    let file = &arguments.file;
    if file.as_os_str() == "-" {
        return print(text);
    }
    let folder = super::folder_of(file);
    let cannot = || format!("cannot write `{}`", file.display());
    // Whole or not at all, and never over what is there: the name is taken when all is written.
    let mut staged =
        tempfile::Builder::new().prefix(".cbwgen-").suffix(".tmp").permissions(readable()).tempfile_in(&folder).with_context(cannot)?;
    staged.write_all(text.as_bytes()).and_then(|()| staged.as_file().sync_all()).with_context(cannot)?;
    if let Err(error) = staged.persist_noclobber(file) {
        if error.error.kind() == std::io::ErrorKind::AlreadyExists {
            bail!("`{}` is there already and stays as it is: name another file", file.display());
        }
        return Err(error.error).with_context(cannot);
    }
    print(&format!("wrote {}: `cbwgen lint {0}` judges it, `cbwgen plan {0}` shows what it means\n", file.display()))?;
    Ok(CLEAN)
}

/// As any file that a user makes; the process's mask takes from it.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
