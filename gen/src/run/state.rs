//! The file by which other commands find a local deployment, and the processes of one that was killed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Raised when the file means something else.
const VERSION: u32 = 1;

/// A process that cannot be mistaken for another one that got its number later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pid {
    /// Its number.
    pub id: u32,
    /// When it started, in the kernel's ticks since the machine did (proc(5), `/proc/PID/stat`, field 22).
    pub start: u64,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs, or could.
    Running,
    /// It was stopped by a signal.
    Stopped,
    /// It is gone.
    Gone,
}

impl Pid {
    /// The process that has this number now.
    #[must_use]
    pub fn of(id: u32) -> Self {
        Self { id, start: stat(id).map_or(0, |(_, start)| start) }
    }

    /// Whether it lives.
    #[must_use]
    pub fn life(self) -> Life {
        match stat(self.id) {
            Some((_, start)) if start != self.start => Life::Gone,
            Some(('Z' | 'X', _)) | None => Life::Gone,
            Some(('T' | 't', _)) => Life::Stopped,
            Some(_) => Life::Running,
        }
    }

    /// Sends it a signal, if it still is the same process.
    pub fn signal(self, signal: rustix::process::Signal) -> std::io::Result<()> {
        let gone = || std::io::Error::new(std::io::ErrorKind::NotFound, "the process is gone");
        if self.life() == Life::Gone {
            return Err(gone());
        }
        let pid = i32::try_from(self.id).ok().and_then(rustix::process::Pid::from_raw).ok_or_else(gone)?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }
}

/// State and start of a process. The name between them may hold anything, so what counts is what follows its last bracket.
fn stat(id: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// A local deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The project's name.
    pub project: String,
    /// What tells plans apart, see [`fingerprint`].
    pub plan: String,
    /// Who looks after the instances.
    pub supervisor: Pid,
    /// Where the programs are.
    pub bin: PathBuf,
    /// Whether all have started.
    pub up: bool,
    /// The instances.
    pub instances: Vec<Entry>,
}

/// One process of a local deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// As in the output: `wor-1`.
    pub name: String,
    /// The component.
    pub component: String,
    /// Its role in a word.
    pub role: String,
    /// Counted from 1.
    pub number: u32,
    /// The program.
    pub program: String,
    /// The identity on the wire.
    pub identity: Option<String>,
    /// Where its status server listens.
    pub status: Option<String>,
    /// Endpoints and where they listen.
    pub endpoints: Vec<(String, String)>,
    /// Folders that it writes to.
    pub folders: Vec<PathBuf>,
    /// The process; none while it is not started.
    pub pid: Option<Pid>,
    /// When it was started last, in ms since 1970.
    pub since: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended; 128 + the signal when one ended it.
    pub exit: Option<i32>,
    /// Whether its health check has passed.
    pub ready: bool,
}

impl State {
    /// A deployment of which nothing is started yet.
    #[must_use]
    pub fn new(plan: &Plan, bin: &Path, instances: Vec<Entry>) -> Self {
        let supervisor = Pid::of(std::process::id());
        Self {
            version: VERSION,
            project: plan.name.clone(),
            plan: fingerprint(plan),
            supervisor,
            bin: bin.to_owned(),
            up: false,
            instances,
        }
    }

    /// The deployment that this folder tells of; none when there is none, or nobody can make sense of it.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice::<Self>(&text).ok().filter(|state| state.version == VERSION)
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.persist(folder.join(FILE)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets the deployment; what it kept in volumes stays.
    pub fn remove(folder: &Path) {
        drop(std::fs::remove_file(folder.join(FILE)));
        drop(std::fs::remove_dir_all(folder.join("tmp")));
        // Only when nothing else is in them.
        drop(std::fs::remove_dir(folder));
        drop(folder.parent().map(std::fs::remove_dir));
    }
}

const FILE: &str = "state.json";

/// Where a local deployment of a topology in `folder` keeps what it has.
#[must_use]
pub fn folder(folder: &Path, project: &str) -> PathBuf {
    folder.join(".cbwgen").join(project)
}

/// Ms since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What tells plans apart: two plans with the same fingerprint deploy the same.
#[must_use]
pub fn fingerprint(plan: &Plan) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(crate::plan::show::json(plan).as_bytes());
    digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_one_that_has_its_number() {
        let me = Pid::of(std::process::id());
        assert_eq!(me.life(), Life::Running);
        assert_eq!(Pid { start: me.start + 1, ..me }.life(), Life::Gone);
        assert_eq!(Pid { id: u32::MAX, start: 1 }.life(), Life::Gone);
    }

    #[test]
    fn a_state_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()), None);
        let state = State::new(&Plan::default(), Path::new("/bin"), Vec::new());
        state.write(folder.path()).unwrap();
        assert_eq!(State::read(folder.path()), Some(state));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(State::read(folder.path()), None);
    }
}
