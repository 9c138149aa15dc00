//! Our programs as child processes on loopback.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A port of 127.0.0.1.
#[must_use]
pub fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A port that nobody listens on now. It is below the range that outgoing connections take theirs from, so that it is still
/// free when a service that was killed is started again on it.
pub fn free_port() -> Result<u16> {
    // What was found once is not found again: its listener may not be there yet.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 5000)? * 2;
    for port in first.max(NEXT.load(Ordering::Relaxed))..32_000 {
        if TcpListener::bind(local(port)).is_ok() {
            NEXT.store(port + 1, Ordering::Relaxed);
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000")
}

/// Whether somebody listens there.
#[must_use]
pub fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&local(port), Duration::from_millis(200)).is_ok()
}

/// Polls until the condition holds.
pub fn until(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let give_up = Instant::now() + patience;
    while !condition() {
        if Instant::now() > give_up {
            bail!("still not so after {patience:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One child; it is killed when it is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    program: PathBuf,
}

impl Service {
    /// Starts a program; what it prints is thrown away.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>, environment: &[(&str, &str)]) -> Result<Self> {
        let child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting `{}`", program.display()))?;
        Ok(Self { child, program: program.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("signalling `{}`", self.program.display()))
    }

    /// SIGKILL, and the end of it.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and its exit status; an error when it does not end in time.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let mut status = None;
        until(&format!("`{}` has ended after SIGTERM", self.program.display()), patience, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })?;
        status.context("an exit status")
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
