//! A broker on free ports of this machine, and sockets that speak to it.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub use crate::free_port::free_port;

/// No test waits longer than this for anything; it is no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).env("RUST_LOG", "info").spawn().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the end; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        until("the process ends", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A broker and how it was started, so that it can be started again.
pub struct Broker {
    pub process: Process,
    pub frontend: u16,
    pub backend: u16,
    status: u16,
    environment: Vec<(&'static str, String)>,
    pub context: zmq::Context,
}

impl Broker {
    /// A broker with a deadline of 500 ms, and more settings.
    pub fn start(settings: &[(&'static str, &str)]) -> Self {
        let [frontend, backend, status] = [free_port(), free_port(), free_port()];
        let mut environment = vec![("DEADLINE", "500ms".to_owned()), ("METRICS_ADDR", format!("127.0.0.1:{status}"))];
        environment.extend(settings.iter().map(|&(name, value)| (name, value.to_owned())));
        let process = Self::spawn(frontend, backend, &environment);
        let broker = Self { process, frontend, backend, status, environment, context: zmq::Context::new() };
        broker.wait_until_it_serves();
        broker
    }

    fn spawn(frontend: u16, backend: u16, environment: &[(&'static str, String)]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
        Process::start(command.args([frontend.to_string(), backend.to_string()]).envs(environment.iter().cloned()))
    }

    /// Dies without a word and starts again on the same ports.
    pub fn crash_and_restart(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        self.process = Self::spawn(self.frontend, self.backend, &self.environment);
        self.wait_until_it_serves();
    }

    fn wait_until_it_serves(&self) {
        until("the broker serves", || self.page("/healthz").filter(|page| page.starts_with("HTTP/1.1 200")));
    }

    fn page(&self, path: &str) -> Option<String> {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.status)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// `/status`.
    pub fn status(&self) -> serde_json::Value {
        let page = until("the broker tells its status", || self.page("/status"));
        serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// A counter of `/status`.
    pub fn counter(&self, name: &str) -> u64 {
        self.status()["counters"][name].as_u64().unwrap()
    }

    /// Waits until so many workers are ready.
    pub fn wait_for_ready(&self, count: u64) {
        until("the workers are ready", || (self.status()["ready"] == count).then_some(()));
    }

    fn socket(&self, kind: zmq::SocketType, id: &str) -> zmq::Socket {
        let socket = self.context.socket(kind).unwrap();
        if !id.is_empty() {
            socket.set_identity(id.as_bytes()).unwrap();
        }
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).unwrap()).unwrap();
        socket
    }

    /// A socket of a client.
    pub fn client(&self, kind: zmq::SocketType, id: &str) -> zmq::Socket {
        let socket = self.socket(kind, id);
        socket.connect(&format!("tcp://127.0.0.1:{}", self.frontend)).unwrap();
        socket
    }

    /// A socket of a worker that has said `registration`.
    pub fn worker(&self, kind: zmq::SocketType, id: &str, registration: &[&[u8]]) -> zmq::Socket {
        let socket = self.socket(kind, id);
        socket.connect(&format!("tcp://127.0.0.1:{}", self.backend)).unwrap();
        socket.send_multipart(registration, 0).unwrap();
        socket
    }

    /// Our own worker as a process.
    pub fn worker_process(&self, id: &str, settings: &[(&str, &str)]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        let port = self.backend.to_string();
        Process::start(command.args([id, "127.0.0.1", &port]).envs(settings.iter().copied()))
    }
}

/// Sends a body of one frame and receives one.
pub fn ask(client: &zmq::Socket, body: &str) -> String {
    client.send(body, 0).unwrap();
    hear(client)
}

/// Receives a body of one frame.
pub fn hear(client: &zmq::Socket) -> String {
    let frames = client.recv_multipart(0).expect("a reply in time");
    assert_eq!(frames.len(), 1, "{frames:?}");
    String::from_utf8(frames[0].clone()).unwrap()
}

/// Receives frames as text.
pub fn frames(socket: &zmq::Socket) -> Vec<String> {
    let frames = socket.recv_multipart(0).expect("a message in time");
    frames.into_iter().map(|frame| String::from_utf8_lossy(&frame).into_owned()).collect()
}

/// Whether nothing comes for a while that is long for a machine and short for a test.
pub fn is_silent(socket: &zmq::Socket) -> bool {
    socket.poll(zmq::POLLIN, 300).unwrap() == 0
}
