//! Generated files onto the disk: all or nothing of each file, and never over what a person wrote.
//!
//! A file is replaced or removed only when its header says that cbwgen wrote it and its hash that nobody changed it since
//! (see [`crate::render::Seal`]). Everything is staged beside its place and synced before the first file is renamed, so
//! that a full disk or a kill leaves whole files: the old ones or the new ones.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use similar::TextDiff;
use tempfile::{NamedTempFile, TempPath};

use crate::render::{File, SHEBANG, Seal};

/// What the names of temporary files begin and end with; between them is the number of the process.
const STAGED: (&str, &str) = (".cbwgen-", ".tmp");

/// What stands behind the name of a file that could not take its place.
const BESIDE: &str = ".new";

/// The name that Kubernetes' kustomizations have, each in a folder of its own.
const KUSTOMIZATION: &str = "kustomization.yaml";

/// The largest file that is looked at, in bytes. None that cbwgen wrote is as large.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// From this number of files on, the whole file system is synced at once: that is sooner done than file by file.
const MANY: usize = 64;

/// How long finding a short difference may take; after that a longer one is good enough.
const DIFF_TIME: std::time::Duration = std::time::Duration::from_secs(2);

/// What became of the files. Paths are relative to the folder, in the order of the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// New or replaced.
    pub written: Vec<String>,
    /// As they should be already.
    pub unchanged: Vec<String>,
    /// No longer needed.
    pub removed: Vec<String>,
    /// Left alone, since a person wrote in them.
    pub kept: Vec<Kept>,
}

/// A file that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: String,
    /// Why.
    pub why: Why,
    /// Where the new text is instead; `None` when no new text is needed or a file of a person's is there too.
    pub beside: Option<String>,
}

/// Why a file was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// cbwgen wrote it and somebody edited it. `force` overwrites it.
    Edited,
    /// cbwgen did not write it. Nothing overwrites it.
    Foreign,
    /// cbwgen wrote it, somebody edited it, and it is no longer needed. `force` removes it.
    EditedAndStale,
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, why, beside } = self;
        match why {
            Why::Edited => write!(f, "`{path}` was edited by hand and is left alone")?,
            Why::Foreign => write!(f, "`{path}` was not written by cbwgen and is left alone, even with `--force`")?,
            Why::EditedAndStale => write!(f, "`{path}` is no longer needed, but it was edited by hand and is left alone")?,
        }
        match (beside, why) {
            (Some(beside), _) => write!(f, "; what it should be is in `{beside}`"),
            (None, Why::EditedAndStale) => Ok(()),
            (None, _) => write!(f, "; so is `{path}{BESIDE}`"),
        }
    }
}

impl Outcome {
    /// Whether every file is what it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.kept.is_empty()
    }
}

/// Why the files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder is where a file should be.
    #[error("cannot write `{path}`: a folder of this name is in the way")]
    Folder {
        /// The file.
        path: String,
    },
    /// A link is where a file or folder should be: writing would change something elsewhere.
    #[error("cannot write `{path}`: it is a symbolic link, and what it points to may be somebody else's; remove the link")]
    Link {
        /// The file or folder.
        path: String,
    },
    /// A pipe, a device, a socket, or a file where a folder should be.
    #[error("cannot write `{path}`: something that is no {wanted} is in the way")]
    InTheWay {
        /// The file or folder.
        path: String,
        /// `file` or `folder`.
        wanted: &'static str,
    },
    /// Everything else that the operating system says.
    #[error("cannot {action} `{path}`: {error}")]
    Io {
        /// `read`, `write` or `remove`.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The system's own words.
        error: io::Error,
    },
}

/// Brings a folder up to date. With `force`, edited files are overwritten too; files of others never are.
pub fn apply(out: &Path, files: &[File], force: bool) -> Result<Outcome, Error> {
    let mut folder = Folder { out, made: Vec::new(), many: false };
    let result = folder.apply(files, force);
    if result.is_err() {
        // Only empty folders can be removed, and these were made here.
        folder.made.iter().rev().for_each(|made| drop(fs::remove_dir(made)));
    }
    result
}

/// Writes one file that is no generated one, whole or not at all. Without `replace`, a file that is there stays, and that is an
/// error.
pub fn one(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(STAGED.0).suffix(STAGED.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file: the user's umask decides.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    let persisted = if replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    persisted.map(drop).map_err(|error| error.error)
}

/// What [`apply`] would change, as a unified diff; empty when everything is up to date.
pub fn diff(out: &Path, files: &[File]) -> Result<String, Error> {
    let folder = Folder { out, made: Vec::new(), many: false };
    let mut text = String::new();
    for file in files {
        let old = match folder.state(&file.path)? {
            State::Missing => String::new(),
            State::There { text, .. } => String::from_utf8_lossy(&text).into_owned(),
        };
        text.push_str(&unified(&folder.shown(&file.path), &old, &file.content));
    }
    for (path, seal) in folder.stale(files)? {
        if seal == Seal::Intact
            && let State::There { text: old, .. } = folder.state(&path)?
        {
            text.push_str(&unified(&folder.shown(&path), &String::from_utf8_lossy(&old), ""));
        }
    }
    Ok(text)
}

/// The change of one file as a unified diff; empty when there is none.
pub(crate) fn unified(path: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let name = |text: &str| if text.is_empty() { "/dev/null".to_owned() } else { path.to_owned() };
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, new);
    diff.unified_diff().context_radius(3).header(&name(old), &name(new)).to_string()
}

/// What is at a file's place.
enum State {
    Missing,
    There { text: Vec<u8>, seal: Seal },
}

/// A file that waits beside its place.
struct Staged {
    path: String,
    temporary: TempPath,
}

struct Folder<'a> {
    out: &'a Path,
    made: Vec<PathBuf>,
    many: bool,
}

impl Folder<'_> {
    fn apply(&mut self, files: &[File], force: bool) -> Result<Outcome, Error> {
        self.make(self.out)?;
        self.sweep();
        let mut outcome = Outcome::default();
        let mut staged = Vec::new();
        self.many = files.len() >= MANY;
        let mut beside = HashSet::new();
        for file in files {
            let seal = match self.state(&file.path)? {
                State::There { text, .. } if text == file.content.as_bytes() => {
                    outcome.unchanged.push(file.path.clone());
                    continue;
                }
                State::There { seal: Seal::Edited, .. } if force => Seal::Intact,
                State::There { seal, .. } => seal,
                State::Missing => Seal::Intact,
            };
            let why = match seal {
                Seal::Intact => {
                    staged.push(self.stage(&file.path, &file.content)?);
                    outcome.written.push(file.path.clone());
                    continue;
                }
                Seal::Edited => Why::Edited,
                Seal::Foreign => Why::Foreign,
            };
            let path = format!("{}{BESIDE}", file.path);
            let place = match self.state(&path)? {
                State::There { text, .. } if text == file.content.as_bytes() => Some(path),
                State::There { seal: Seal::Edited | Seal::Foreign, .. } if !force => None,
                State::There { seal: Seal::Foreign, .. } => None,
                _ => {
                    staged.push(self.stage(&path, &file.content)?);
                    Some(path)
                }
            };
            beside.extend(place.clone());
            outcome.kept.push(Kept { path: file.path.clone(), why, beside: place });
        }
        let stale = self.stale(files)?;
        if self.many && !staged.is_empty() {
            self.sync_all()?;
        }

        // What the target runs comes last: what it names is there before.
        staged.sort_by_key(|staged| files.first().is_some_and(|first| first.path == staged.path));
        for Staged { path, temporary } in staged {
            let place = self.out.join(&path);
            temporary.persist(place).map_err(|error| self.io("write", &path, error.error))?;
        }
        for (path, seal) in stale {
            if beside.contains(&path) {
                continue;
            }
            if seal == Seal::Edited && !force {
                outcome.kept.push(Kept { path, why: Why::EditedAndStale, beside: None });
                continue;
            }
            fs::remove_file(self.out.join(&path)).map_err(|error| self.io("remove", &path, error))?;
            if let Some((folder, _)) = path.rsplit_once('/') {
                // It stays when something else is in it.
                drop(fs::remove_dir(self.out.join(folder)));
            }
            outcome.removed.push(path);
        }
        // A rename is on the disk when its folder is.
        if outcome.written.len() + outcome.removed.len() + outcome.kept.len() > 0 {
            if self.many {
                self.sync_all()?;
            } else {
                for folder in self.folders(files) {
                    drop(fs::File::open(folder).and_then(|folder| folder.sync_all()));
                }
            }
        }
        Ok(outcome)
    }

    /// Files that cbwgen wrote and that are not among these: under the names that it gives, here and one folder deeper. What
    /// another target runs is none of this one's business.
    fn stale(&self, files: &[File]) -> Result<Vec<(String, Seal)>, Error> {
        let wanted: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let mut candidates = Vec::new();
        for name in files.iter().map(|file| file.path.as_str()).filter(|path| !path.contains('/')).chain([".dockerignore"]) {
            candidates.extend([name.to_owned(), format!("{name}{BESIDE}")]);
        }
        let entries = match fs::read_dir(self.out) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("read", "", error)),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.io("read", "", error))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.extend(entry.file_name().into_string());
            }
        }
        folders.sort_unstable();
        for folder in folders {
            // A kustomization may have others below it.
            let kustomization = wanted.contains(KUSTOMIZATION).then_some(KUSTOMIZATION);
            for name in ["Dockerfile"].into_iter().chain(kustomization) {
                candidates.extend([format!("{folder}/{name}"), format!("{folder}/{name}{BESIDE}")]);
            }
        }
        let mut stale = Vec::new();
        for path in candidates {
            let is_file = || fs::symlink_metadata(self.out.join(&path)).is_ok_and(|metadata| metadata.is_file());
            if !wanted.contains(path.as_str())
                && is_file()
                && let State::There { seal: seal @ (Seal::Intact | Seal::Edited), .. } = self.state(&path)?
            {
                stale.push((path, seal));
            }
        }
        Ok(stale)
    }

    fn state(&self, path: &str) -> Result<State, Error> {
        let place = self.out.join(path);
        if let Some((folder, _)) = path.rsplit_once('/')
            && fs::symlink_metadata(self.out.join(folder)).is_ok_and(|metadata| metadata.is_symlink())
        {
            return Err(Error::Link { path: self.shown(folder) });
        }
        let metadata = match fs::symlink_metadata(&place) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(State::Missing);
            }
            other => other.map_err(|error| self.io("read", path, error))?,
        };
        if metadata.is_symlink() {
            return Err(Error::Link { path: self.shown(path) });
        }
        if metadata.is_dir() {
            return Err(Error::Folder { path: self.shown(path) });
        }
        if !metadata.is_file() {
            return Err(Error::InTheWay { path: self.shown(path), wanted: "file" });
        }
        let mut text = Vec::new();
        let file = fs::File::open(&place).map_err(|error| self.io("read", path, error))?;
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(|error| self.io("read", path, error))?;
        let seal = if text.len() as u64 == MAX_BYTES { Seal::Foreign } else { Seal::of(&text) };
        Ok(State::There { text, seal })
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self) -> Result<(), Error> {
        let synced = fs::File::open(self.out).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|error| self.io("write", "", error))
    }

    /// Elsewhere the system has no call for it, and takes its time.
    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes a file beside its place, down to the disk (or, with many files, with [`Self::sync_all`] after the last one).
    fn stage(&mut self, path: &str, content: &str) -> Result<Staged, Error> {
        let folder = match path.rsplit_once('/') {
            Some((folder, _)) => self.out.join(folder),
            None => self.out.to_owned(),
        };
        self.make(&folder)?;
        let prefix = format!("{}{}-", STAGED.0, std::process::id());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(STAGED.1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As for any new file: the user's umask decides. A script can be run.
            let mode = if content.starts_with(SHEBANG) { 0o777 } else { 0o666 };
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        let write = |mut temporary: NamedTempFile| {
            temporary.write_all(content.as_bytes())?;
            if !self.many {
                temporary.as_file().sync_all()?;
            }
            Ok(temporary.into_temp_path())
        };
        let temporary = builder.tempfile_in(folder).and_then(write).map_err(|error| self.io("write", path, error))?;
        Ok(Staged { path: path.to_owned(), temporary })
    }

    /// Makes a folder with all above it, and remembers which were made.
    fn make(&mut self, folder: &Path) -> Result<(), Error> {
        let missing: Vec<PathBuf> = folder
            .ancestors()
            .take_while(|above| !above.as_os_str().is_empty() && fs::symlink_metadata(above).is_err())
            .map(Path::to_owned)
            .collect();
        if missing.is_empty() && !folder.is_dir() {
            return Err(Error::InTheWay { path: folder.display().to_string(), wanted: "folder" });
        }
        for folder in missing.into_iter().rev() {
            match fs::create_dir(&folder) {
                Ok(()) => self.made.push(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::Io { action: "make", path: folder.display().to_string(), error }),
            }
        }
        Ok(())
    }

    /// Removes temporary files of processes that were killed.
    fn sweep(&self) {
        let below = fs::read_dir(self.out).into_iter().flatten().flatten();
        let folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
        for folder in std::iter::once(self.out.to_owned()).chain(folders) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(is_abandoned) {
                    drop(fs::remove_file(entry.path()));
                }
            }
        }
    }

    fn folders(&self, files: &[File]) -> HashSet<PathBuf> {
        files.iter().filter_map(|file| self.out.join(&file.path).parent().map(Path::to_owned)).collect()
    }

    fn shown(&self, path: &str) -> String {
        if path.is_empty() { self.out.display().to_string() } else { self.out.join(path).display().to_string() }
    }

    fn io(&self, action: &'static str, path: &str, error: io::Error) -> Error {
        // tempfile adds the name of the temporary file, which tells nobody anything.
        let error = match error.raw_os_error().or_else(|| error.get_ref()?.downcast_ref::<io::Error>()?.raw_os_error()) {
            Some(code) => io::Error::from_raw_os_error(code),
            None => error,
        };
        Error::Io { action, path: self.shown(path), error }
    }
}

/// Whether a name is that of a temporary file whose process is gone.
fn is_abandoned(name: &str) -> bool {
    let inner = name.strip_prefix(STAGED.0).and_then(|rest| rest.strip_suffix(STAGED.1));
    let Some(process) = inner.and_then(|inner| inner.split('-').next()) else { return false };
    process.bytes().all(|c| c.is_ascii_digit())
        && process != std::process::id().to_string()
        && Path::new("/proc/self").exists()
        && !Path::new("/proc").join(process).exists()
}
