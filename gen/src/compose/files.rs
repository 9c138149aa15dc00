//! The files that a project names. Everything else on this road is pure: a test or an editor gives its own.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use crate::source::{ReadError, Source};

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or nothing that we may see.
    Missing,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A pipe, a device, a socket.
    Other,
}

/// A place to read files from.
pub trait Files: Debug {
    /// Reads a text.
    fn read(&self, path: &Path) -> Result<Source, ReadError>;

    /// What lies there; symbolic links are followed.
    fn kind(&self, path: &Path) -> Kind;

    /// The names in a directory, sorted; none when it cannot be read.
    fn list(&self, directory: &Path) -> Vec<String>;
}

/// The files of this machine. Names in messages are relative to where the user is, if they can be.
#[derive(Debug, Default)]
pub struct Disk {
    /// Where the user is: names are told relative to it.
    pub current: PathBuf,
}

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<Source, ReadError> {
        let shown = path.strip_prefix(&self.current).unwrap_or(path);
        let mut source = Source::read(path).map_err(|error| error.named(shown))?;
        source.name = shown.display().to_string();
        Ok(source)
    }

    fn kind(&self, path: &Path) -> Kind {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Kind::Directory,
            Ok(found) if found.is_file() => Kind::File,
            Ok(_) => Kind::Other,
            Err(_) => Kind::Missing,
        }
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        /// The most names that are looked at: "did you mean" and `COPY` need no more.
        const MAX: usize = 10_000;
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().take(MAX);
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }
}

/// Files in memory, by absolute path, before those of another place: what an editor has not saved yet, and tests.
#[derive(Debug)]
pub struct Memory<F> {
    /// The texts.
    pub texts: BTreeMap<PathBuf, String>,
    /// Where all others are.
    pub rest: F,
}

impl<F: Files> Files for Memory<F> {
    fn read(&self, path: &Path) -> Result<Source, ReadError> {
        match self.texts.get(path) {
            Some(text) => Ok(Source::new(path.display().to_string(), text.as_str())),
            None => self.rest.read(path),
        }
    }

    fn kind(&self, path: &Path) -> Kind {
        if self.texts.contains_key(path) { Kind::File } else { self.rest.kind(path) }
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        let mut names = self.rest.list(directory);
        let own = self.texts.keys().filter(|path| path.parent() == Some(directory));
        names.extend(own.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())));
        names.sort_unstable();
        names.dedup();
        names
    }
}
