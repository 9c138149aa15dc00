//! Real processes on loopback, for the tests of worker, client and logger.
//!
//! Nothing here asserts a time: what must happen is waited for, generously.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use zmq::{Context, Socket, SocketType};

pub use crate::free_port::free_port;

/// Longer than anything takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A service of this project, running. It is killed when the test ends.
pub struct Service {
    child: Child,
    folder: TempDir,
    /// Where its status server listens.
    pub metrics: u16,
}

impl Service {
    /// Starts the program with `arguments` and `variables`, and none of the test's own environment.
    pub fn start<A: AsRef<OsStr>>(program: &str, arguments: &[A], variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let metrics = free_port();
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("METRICS_ADDR", format!("127.0.0.1:{metrics}"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("out")).unwrap())
            .stderr(File::create(folder.path().join("err")).unwrap())
            .spawn()
            .unwrap();
        Self { child, folder, metrics }
    }

    /// What it has written to its standard output.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    /// What it has written to its standard error.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("err")).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit code, none when it was killed.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// SIGTERM, and the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// The status code of a page of its status server, and the page.
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub fn wait_until_ready(&self) {
        wait_until("the service is ready", || matches!(self.page("/readyz"), Some((200, _))));
    }

    pub fn wait_until_unhealthy(&self) {
        wait_until("the service is unhealthy", || matches!(self.page("/healthz"), Some((503, _))));
    }

    /// A figure of `/metrics`.
    pub fn figure(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics").unwrap();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// What `PROGRAM healthcheck` says of this service.
    pub fn healthcheck(&self, program: &str, variables: &[(&str, &str)]) -> i32 {
        let status = Command::new(program)
            .arg("healthcheck")
            .env_clear()
            .env("METRICS_ADDR", format!("127.0.0.1:{}", self.metrics))
            .envs(variables.iter().copied())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        status.code().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A broker's port that does exactly what the test says.
pub struct Router {
    socket: Socket,
    pub port: u16,
}

impl Router {
    pub fn new(context: &Context) -> Self {
        Self::on(context, free_port())
    }

    pub fn on(context: &Context, port: u16) -> Self {
        let socket = context.socket(SocketType::ROUTER).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_router_handover(true).unwrap();
        socket.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).unwrap()).unwrap();
        wait_until("the port is free", || socket.bind(&format!("tcp://127.0.0.1:{port}")).is_ok());
        Self { socket, port }
    }

    /// The next message.
    pub fn hear(&self) -> Vec<String> {
        let frames = self.socket.recv_multipart(0).expect("a message in time");
        frames.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect()
    }

    /// The next message that is no heartbeat.
    pub fn hear_words(&self) -> Vec<String> {
        loop {
            let frames = self.hear();
            if frames.get(1).map(String::as_str) != Some("\u{2}") {
                return frames;
            }
        }
    }

    pub fn say(&self, frames: &[&str]) {
        self.socket.send_multipart(frames, 0).unwrap();
    }
}
