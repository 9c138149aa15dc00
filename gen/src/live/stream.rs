//! A program that talks while it runs: its lines with the time at which they came.

use std::io::{BufRead, BufReader, Seek as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Error;

/// Lines that wait for us at most; then the program waits.
const LINES: usize = 100_000;

/// A program that runs, and ends when this is dropped.
#[derive(Debug)]
pub struct Stream {
    child: Child,
    lines: Receiver<(Instant, String)>,
    complaint: Option<thread::JoinHandle<String>>,
}

impl Stream {
    /// Starts a program. It is on a leash: when we are gone, its standard input is at its end.
    pub fn start(command: &mut Command) -> Result<Self, Error> {
        let shown = command.get_program().display().to_string();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for us: whoever is being measured ends in order.
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.spawn().map_err(|error| Error(format!("cannot run `{shown}`: {error}")))?;
        let (sender, lines) = sync_channel(LINES);
        let stdout = child.stdout.take().ok_or_else(|| Error::new("no standard output"))?;
        let stderr = child.stderr.take().ok_or_else(|| Error::new("no standard error"))?;
        thread::Builder::new().name("stream".to_owned()).spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        })?;
        let complaint = thread::Builder::new().name("complaint".to_owned()).spawn(move || {
            let lines: Vec<String> = BufReader::new(stderr).lines().map_while(Result::ok).collect();
            lines.join("; ")
        })?;
        Ok(Self { child, lines, complaint: Some(complaint) })
    }

    /// The next line, if one comes in time.
    #[must_use]
    pub fn next(&self, wait: Duration) -> Option<(Instant, String)> {
        self.lines.recv_timeout(wait).ok()
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// The lines that have come.
    pub fn ready(&self) -> impl Iterator<Item = (Instant, String)> + '_ {
        self.lines.try_iter()
    }

    /// Tells the program to end, by the end of its input.
    pub fn finish(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The remaining lines and the exit status, of a program that ends by itself; it is killed when it takes longer.
    pub fn rest(&mut self, wait: Duration) -> Result<(Vec<(Instant, String)>, ExitStatus), Error> {
        let deadline = Instant::now() + wait;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    drop(self.child.kill());
                    return Err(Error(format!("a program did not end within {} s", wait.as_secs())));
                }
            }
        }
        Ok((lines, self.child.wait()?))
    }

    /// What it said on standard error; only after its end.
    pub fn complaint(&mut self) -> String {
        self.complaint.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.finish();
        // It has a moment to go by itself, as `docker exec` needs.
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// As [`output`], for a program that reads `input`.
pub fn output_of(command: &mut Command, input: &[u8]) -> Result<String, Error> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    finished(command.stdin(file))
}

/// Runs a program to its end and gives what it printed; what it said on standard error is the error.
pub fn output(command: &mut Command) -> Result<String, Error> {
    finished(command.stdin(Stdio::null()))
}

fn finished(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().display().to_string();
    let done = command.output().map_err(|error| Error(format!("cannot run `{program}`: {error}")))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(Error(if said.is_empty() { format!("`{program}` failed") } else { said }))
}
