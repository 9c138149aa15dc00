//! Work done by any program: a command per request, the body on its standard input, the reply from its standard output.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::work::Request;

/// Bytes of a command's output at most; a command that writes more has failed.
pub const OUTPUT: u64 = 16 << 20;
/// Bytes of its error output that are kept for the message.
const ERRORS: u64 = 4 << 10;

/// A command to run for each request. It is split into words as a shell would, but no shell runs: a container without one is
/// fine, and no request can smuggle in a command. Who wants pipes writes `sh -c '…'`.
#[derive(Debug, Clone)]
pub struct Exec {
    words: Vec<String>,
    limit: Duration,
    running: Arc<Mutex<Option<Pid>>>,
}

impl Exec {
    /// Reads the command; it may run for `limit`.
    pub fn new(command: &str, limit: Duration) -> Result<Self, String> {
        match shlex::split(command) {
            Some(words) if !words.is_empty() => Ok(Self { words, limit, running: Arc::default() }),
            _ => Err(format!("`{command}` is not a command: empty, or a quote is not closed")),
        }
    }

    /// Runs the command for `request`. The client's identity is in `CBW_CLIENT`.
    pub fn run(&self, request: &Request) -> Result<Vec<u8>, String> {
        let (program, arguments) = self.words.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("CBW_CLIENT", String::from_utf8_lossy(&request.client).replace('\0', ""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what it started ends with it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot run `{program}`: {error}"))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        self.remember(group);
        let result = self.converse(&mut child, request, group);
        kill(group);
        let _ = child.wait();
        self.remember(None);
        result
    }

    /// Ends the command that runs now, if there is one.
    pub fn kill(&self) {
        kill(*self.running.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn remember(&self, group: Option<Pid>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = group;
    }

    fn converse(&self, child: &mut Child, request: &Request, group: Option<Pid>) -> Result<Vec<u8>, String> {
        let failed = |error: io::Error| error.to_string();
        // Three pipes, three threads: a command may write before it has read everything.
        let mut input = child.stdin.take().ok_or("no input")?;
        let body = request.body();
        let writer = thread::Builder::new().spawn(move || input.write_all(&body)).map_err(failed)?;
        let reader = collect(child.stdout.take().ok_or("no output")?, OUTPUT, group).map_err(failed)?;
        let errors = collect(child.stderr.take().ok_or("no error output")?, ERRORS, None).map_err(failed)?;
        let ended = wait(child, self.limit).map_err(failed)?;
        // What the command left running would keep the pipes open.
        kill(group);
        let output = reader.join().map_err(|_| "cannot read the output")?;
        let errors = errors.join().unwrap_or_default();
        // A command need not read its input.
        let _ = writer.join();
        let Some(status) = ended else {
            return Err(format!("the command took longer than {}", humantime::format_duration(self.limit)));
        };
        if output.len() as u64 > OUTPUT {
            return Err(format!("the command wrote more than {} MiB", OUTPUT >> 20));
        }
        if status.success() { Ok(output) } else { Err(describe(status, &errors)) }
    }
}

/// Reads up to one byte more than `limit`, so that too much can be told; then ends the group, which might write for ever.
fn collect(pipe: impl Read + Send + 'static, limit: u64, group: Option<Pid>) -> io::Result<thread::JoinHandle<Vec<u8>>> {
    thread::Builder::new().spawn(move || {
        let (mut bytes, mut pipe) = (Vec::new(), pipe);
        let _ = pipe.by_ref().take(limit + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > limit {
            kill(group);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        bytes
    })
}

/// Waits for the end; none when the limit comes first. `std` has no wait with a limit, so this looks, ever less often.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// `exit code 3: the last line of its error output`
fn describe(status: ExitStatus, errors: &[u8]) -> String {
    let how = status.code().map_or_else(|| "the command was killed".to_owned(), |code| format!("exit code {code}"));
    let text = String::from_utf8_lossy(errors);
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{how}: {}", line.trim()),
        None => how,
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    fn run(command: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let request = Request { client: b"cli".to_vec(), frames: smallvec![body.to_vec()] };
        Exec::new(command, Duration::from_secs(20)).unwrap().run(&request)
    }

    #[test]
    fn the_body_goes_in_and_the_reply_comes_out() {
        assert_eq!(run("tr a-z A-Z", b"hello"), Ok(b"HELLO".to_vec()));
        assert_eq!(run("sh -c 'printf %s \"$CBW_CLIENT\"'", b""), Ok(b"cli".to_vec()));
    }

    #[test]
    fn a_large_body_passes_through_small_pipes() {
        let body = vec![b'x'; 8 << 20];
        assert_eq!(run("cat", &body), Ok(body));
    }

    #[test]
    fn an_exit_code_fails_the_request_with_the_last_words() {
        assert_eq!(run("sh -c 'echo first >&2; echo no paper >&2; exit 3'", b""), Err("exit code 3: no paper".to_owned()));
        assert_eq!(run("false", &vec![0; 1 << 20]), Err("exit code 1".to_owned()));
        assert!(run("/no/such/program", b"").unwrap_err().starts_with("cannot run `/no/such/program`"));
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_its_children() {
        let request = Request { client: vec![], frames: smallvec![vec![]] };
        let exec = Exec::new("sh -c 'sleep 1000 & sleep 1000'", Duration::from_millis(50)).unwrap();
        assert_eq!(exec.run(&request), Err("the command took longer than 50ms".to_owned()));
    }

    #[test]
    fn endless_output_is_a_failure() {
        assert_eq!(run("yes", b""), Err("the command wrote more than 16 MiB".to_owned()));
    }

    #[test]
    fn a_command_must_have_words_and_closed_quotes() {
        assert!(Exec::new("", Duration::ZERO).is_err());
        assert!(Exec::new("sh -c 'x", Duration::ZERO).is_err());
    }
}
