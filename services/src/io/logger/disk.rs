//! The threads that do what the logger's machine wants of the disk: one for fdatasync, one for all else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::logger::{Job, Outcome, Trouble};
use crate::status::wake::Waker;

/// The file as both threads see it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Option<Arc<File>>>>);

impl Shared {
    fn set(&self, file: Option<File>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = file.map(Arc::new);
    }

    fn get(&self) -> io::Result<Arc<File>> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.clone().ok_or_else(|| io::Error::other("the file is not open"))
    }
}

/// The near end of the threads.
pub struct Disk {
    jobs: SyncSender<Job>,
    syncs: SyncSender<Job>,
    outcomes: Receiver<Outcome>,
}

impl Disk {
    /// Starts the threads for the file at `path` and `keep` old ones.
    pub fn new(path: PathBuf, keep: u32, waker: &Waker) -> io::Result<Self> {
        // Each thread has one outcome to tell at a time, and never waits to tell it.
        let (done, outcomes) = sync_channel(2);
        let file = Shared::default();
        let syncs = start("sync", LogFile { path: path.clone(), keep, file: file.clone() }, done.clone(), waker.clone())?;
        let jobs = start("disk", LogFile { path, keep, file }, done, waker.clone())?;
        Ok(Self { jobs, syncs, outcomes })
    }

    /// Gives the disk its next job. There is one `Job::Sync` at a time, and one other.
    pub fn run(&self, job: Job) -> Result<(), String> {
        let thread = if job == Job::Sync { &self.syncs } else { &self.jobs };
        thread.try_send(job).map_err(|_| "the disk's thread is gone".to_owned())
    }

    /// How a job ended, if one has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcomes.try_recv().ok()
    }
}

/// Starts a thread that does its jobs one after the other.
fn start(name: &str, mut log: LogFile, done: SyncSender<Outcome>, waker: Waker) -> io::Result<SyncSender<Job>> {
    let (jobs, todo) = sync_channel(1);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        while let Ok(job) = todo.recv() {
            if done.send(log.run(job)).is_err() {
                return;
            }
            waker.wake();
        }
    })?;
    Ok(jobs)
}

struct LogFile {
    path: PathBuf,
    keep: u32,
    file: Shared,
}

impl LogFile {
    fn run(&mut self, job: Job) -> Outcome {
        let told = |error: io::Error| error.to_string();
        match job {
            Job::Open => {
                self.file.set(None);
                Outcome::Opened(self.open().map_err(|error| format!("`{}`: {error}", self.path.display())))
            }
            Job::Write { batches, from } => {
                let (mut whole, mut to, mut error) = (0, from, None);
                for batch in &batches {
                    (to, error) = self.write(batch, to);
                    if error.is_some() {
                        break;
                    }
                    (whole, to) = (whole + 1, 0);
                }
                let error = error.map(|error| Trouble {
                    full: matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge),
                    why: error.to_string(),
                });
                Outcome::Wrote { batches, whole, to, error }
            }
            Job::Sync => Outcome::Synced(self.sync().map_err(told)),
            Job::Rotate => Outcome::Rotated(self.rotate().map_err(told)),
        }
    }

    /// Opens the file for appending and returns its size.
    fn open(&mut self) -> io::Result<u64> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let new = !self.path.exists();
        let mut file = OpenOptions::new().append(true).create(true).read(true).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        mend(&mut file)?;
        if new {
            sync_folder(&self.path)?;
        }
        let size = file.metadata()?.len();
        self.file.set(Some(file));
        Ok(size)
    }

    fn write(&mut self, bytes: &[u8], from: usize) -> (usize, Option<io::Error>) {
        let mut to = from;
        let file = match self.file.get() {
            Ok(file) => file,
            Err(error) => return (to, Some(error)),
        };
        while let Some(rest) = bytes.get(to..).filter(|rest| !rest.is_empty()) {
            match (&*file).write(rest) {
                Ok(0) => return (to, Some(io::Error::from(ErrorKind::WriteZero))),
                Ok(written) => to += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (to, Some(error)),
            }
        }
        (to, None)
    }

    fn sync(&self) -> io::Result<()> {
        let file = self.file.get()?;
        file.sync_data()?;
        // Removed by somebody: what was written is safe in a file that nobody can ever read.
        if file.metadata()?.nlink() == 0 { Err(io::Error::new(ErrorKind::NotFound, "the file was removed")) } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        // The oldest goes first, so that a stop at any point leaves every other file with a name of its own.
        for number in (1..self.keep).rev() {
            rename_if_there(&numbered(number), &numbered(number + 1))?;
        }
        rename_if_there(&self.path, &numbered(1))?;
        sync_folder(&self.path)?;
        self.open().map(drop)
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Ends a last line that a crash or a full disk has cut off, so that the next record begins its own.
fn mend(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// A new name is safe only when its folder is. Folders that cannot be opened or synced (some volumes) are left alone.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_file(folder: &Path, keep: u32) -> LogFile {
        LogFile { path: folder.join("deep/logs"), keep, file: Shared::default() }
    }

    fn write(log: &mut LogFile, text: &str) {
        assert_eq!(log.write(text.as_bytes(), 0).0, text.len());
    }

    #[test]
    fn a_torn_line_is_ended_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_file(folder.path(), 5);
        assert_eq!(log.open().unwrap(), 0);
        write(&mut log, "whole\ntor");
        assert_eq!(log.open().unwrap(), 10);
        write(&mut log, "next\n");
        assert_eq!(fs::read_to_string(&log.path).unwrap(), "whole\ntor\nnext\n");
    }

    #[test]
    fn rotation_keeps_so_many_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_file(folder.path(), 2);
        log.open().unwrap();
        for text in ["one\n", "two\n", "three\n", "four\n"] {
            write(&mut log, text);
            log.rotate().unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join("deep").join(name)).ok();
        assert_eq!(read("logs").as_deref(), Some(""));
        assert_eq!(read("logs.1").as_deref(), Some("four\n"));
        assert_eq!(read("logs.2").as_deref(), Some("three\n"));
        assert_eq!(read("logs.3"), None);
    }

    #[test]
    fn a_removed_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_file(folder.path(), 5);
        log.open().unwrap();
        write(&mut log, "one\n");
        assert!(log.sync().is_ok());
        fs::remove_file(&log.path).unwrap();
        assert!(log.sync().is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LogFile { path: folder.path().to_owned(), keep: 1, file: Shared::default() }.open().is_err());
        assert!(LogFile { path: "/dev/null".into(), keep: 1, file: Shared::default() }.open().is_err());
    }
}
