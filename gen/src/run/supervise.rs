//! Starts the processes in the plan's order, keeps them up as the engine would, and stops them in the reverse order.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::output::{Line, Printer, follow};
use super::process::Process;
use super::state::{Entry, Life, Pid, State, now};
use crate::spec::Restart;

/// Between two looks at the processes.
const TICK: Duration = Duration::from_millis(20);
/// How long a stage may take to get ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a process that ended is started again: the first time, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Who runs for so long has recovered.
const RECOVERED: Duration = Duration::from_secs(10);
/// Lines that wait to be printed; then the processes wait.
const LINES: usize = 10_000;

/// What to run, and until when.
#[derive(Debug)]
pub struct Options<'a> {
    /// Where the programs are.
    pub bin: &'a Path,
    /// The program that puts processes on the leash.
    pub leash: PathBuf,
    /// The folder of the state file.
    pub folder: &'a Path,
    /// End when the clients have ended.
    pub until_done: bool,
    /// Run this when all is up, with the processes' own lines left out, and end with it.
    pub then: Option<Command>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether everything that had to end well did.
    pub well: bool,
}

/// Runs the processes until a signal comes or what it was for is done.
pub fn run(processes: Vec<Process>, state: State, printer: &mut Printer, options: Options<'_>) -> anyhow::Result<Ended> {
    let stops = Arc::new(AtomicUsize::new(0));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let stops = Arc::clone(&stops);
        signal_hook_count(signal, stops)?;
    }
    state.write(options.folder)?;
    let (lines, printed) = sync_channel(LINES);
    let crew = processes.into_iter().map(Running::new).collect();
    let Options { bin, leash, folder, until_done, then } = options;
    let mut supervisor = Supervisor { crew, state, bin, leash, folder, lines, printed, printer, stops };
    let outcome = supervisor.until_the_end(until_done, then);
    supervisor.stop_all();
    State::remove(folder);
    outcome
}

fn signal_hook_count(signal: i32, stops: Arc<AtomicUsize>) -> io::Result<()> {
    // A flag each is not enough: the second Ctrl-C means more than the first.
    let mut signals = signal_hook::iterator::Signals::new([signal])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            stops.fetch_add(1, Ordering::Relaxed);
        }
    })?;
    Ok(())
}

struct Running {
    process: Process,
    child: Option<Child>,
    probe: Option<Child>,
    started: Instant,
    again: Option<Instant>,
    pause: Duration,
}

impl Running {
    fn new(process: Process) -> Self {
        Self { process, child: None, probe: None, started: Instant::now(), again: None, pause: AGAIN.0 }
    }
}

struct Supervisor<'a> {
    crew: Vec<Running>,
    state: State,
    bin: &'a Path,
    leash: PathBuf,
    folder: &'a Path,
    lines: SyncSender<Line>,
    printed: Receiver<Line>,
    printer: &'a mut Printer,
    stops: Arc<AtomicUsize>,
}

/// Somebody wants it to end.
struct Stopped;

impl Supervisor<'_> {
    fn until_the_end(&mut self, until_done: bool, then: Option<Command>) -> anyhow::Result<Ended> {
        let last = self.crew.iter().map(|running| running.process.stage).max().unwrap_or(0);
        for stage in 0..=last {
            if let Err(Stopped) = self.start_stage(stage)? {
                return Ok(Ended { well: true });
            }
        }
        self.state.up = true;
        self.save();
        self.welcome();
        let Some(mut then) = then else {
            while !self.stopped() {
                self.tick()?;
                if until_done && self.clients_ended() {
                    return Ok(self.account());
                }
            }
            return Ok(Ended { well: true });
        };
        while !self.clients_ended() && !self.stopped() {
            self.tick()?;
        }
        let account = self.account();
        self.printer.quiet = true;
        let mut child = then.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Ended { well: account.well && status.success() });
            }
            if self.stopped() {
                // It undoes its faults when it is asked to end.
                drop(Pid::of(child.id()).signal(Signal::TERM));
                child.wait()?;
                return Ok(Ended { well: false });
            }
            self.tick()?;
        }
    }

    fn stopped(&self) -> bool {
        self.stops.load(Ordering::Relaxed) > 0
    }

    fn clients_ended(&self) -> bool {
        self.crew.iter().zip(&self.state.instances).all(|(running, entry)| !running.process.one_shot || entry.exit.is_some())
    }

    /// How the clients ended.
    fn account(&self) -> Ended {
        let mut clients = self.crew.iter().zip(&self.state.instances).filter(|(running, _)| running.process.one_shot);
        Ended { well: clients.all(|(_, entry)| entry.exit == Some(0)) }
    }

    fn welcome(&self) {
        let count = self.crew.len();
        let frontends = self.crew.iter().flat_map(|running| &running.process.endpoints).filter(|(name, _)| name == "frontend");
        let ways: Vec<String> = frontends.map(|(_, address)| format!("tcp://{address}")).collect();
        let ways = if ways.is_empty() { String::new() } else { format!("; clients use {}", ways.join(", ")) };
        self.printer
            .say(&format!("all {count} processes started{ways}; `cbwgen status` and `cbwgen verify` look at them, Ctrl-C stops them"));
    }

    fn start_stage(&mut self, stage: usize) -> anyhow::Result<Result<(), Stopped>> {
        let members: Vec<usize> = (0..self.crew.len()).filter(|&number| self.crew[number].process.stage == stage).collect();
        for &number in &members {
            self.start(number)?;
            let process = &self.crew[number].process;
            let listens: Vec<&str> = process.endpoints.iter().map(|(_, address)| address.as_str()).collect();
            let listens = if listens.is_empty() { String::new() } else { format!(", listens on {}", listens.join(" and ")) };
            self.printer.say(&format!("started {}{listens}", process.name));
        }
        let deadline = Instant::now() + PATIENCE;
        while let Some(&late) = members.iter().find(|&&number| !self.crew[number].process.one_shot && !self.state.instances[number].ready) {
            if self.stopped() {
                return Ok(Err(Stopped));
            }
            if Instant::now() >= deadline {
                anyhow::bail!(
                    "`{}` is not ready after {} s; what it printed above may say why",
                    self.crew[late].process.name,
                    PATIENCE.as_secs()
                );
            }
            self.tick()?;
        }
        Ok(Ok(()))
    }

    fn start(&mut self, number: usize) -> anyhow::Result<()> {
        let running = &mut self.crew[number];
        let process = &running.process;
        for folder in &process.folders {
            std::fs::create_dir_all(folder).map_err(|error| anyhow::anyhow!("cannot make the folder `{}`: {error}", folder.display()))?;
        }
        let mut command = Command::new(&self.leash);
        command.args(["leash", &std::process::id().to_string()]).arg(self.bin.join(&process.program)).args(&process.arguments);
        // A group of its own: Ctrl-C is for us, and we stop them in their order.
        command.envs(process.env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| anyhow::anyhow!("cannot start `{}`: {error}", process.name))?;
        if let Some(stdout) = child.stdout.take() {
            follow(number, stdout, self.lines.clone())?;
        }
        if let Some(stderr) = child.stderr.take() {
            follow(number, stderr, self.lines.clone())?;
        }
        let entry = &mut self.state.instances[number];
        (entry.pid, entry.since, entry.exit, entry.ready) = (Some(Pid::of(child.id())), Some(now()), None, false);
        running.child = Some(child);
        running.started = Instant::now();
        self.save();
        Ok(())
    }

    /// Passes lines on, and looks after who ended, who is ready, and who is to be started again.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.print();
        for number in 0..self.crew.len() {
            if let Some(status) = self.ended(number)? {
                self.note_end(number, status);
            }
            if self.crew[number].again.is_some_and(|again| Instant::now() >= again) {
                self.crew[number].again = None;
                self.state.instances[number].restarts += 1;
                self.start(number)?;
            }
            self.ask_health(number)?;
        }
        Ok(())
    }

    /// Waits a tick for lines and prints those that have come.
    fn print(&self) {
        if let Ok(first) = self.printed.recv_timeout(TICK) {
            self.printer.line(&first);
            for line in self.printed.try_iter().take(LINES) {
                self.printer.line(&line);
            }
        }
    }

    fn ended(&mut self, number: usize) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.crew[number].child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.crew[number].child = None;
        }
        Ok(status)
    }

    fn note_end(&mut self, number: usize, status: ExitStatus) {
        let code = code_of(status);
        let entry = &mut self.state.instances[number];
        (entry.pid, entry.exit, entry.ready) = (None, Some(code), false);
        let running = &mut self.crew[number];
        let again = match running.process.restart {
            Restart::No => false,
            Restart::OnFailure => code != 0,
            Restart::Always | Restart::UnlessStopped => true,
        };
        if again {
            running.pause = if running.started.elapsed() > RECOVERED { AGAIN.0 } else { (running.pause * 2).min(AGAIN.1) };
            running.again = Some(Instant::now() + running.pause);
        }
        let name = &running.process.name;
        let then = if again { ", and is started again" } else { "" };
        self.printer.say(&format!("{name} ended with exit code {code}{then}"));
        self.save();
    }

    /// Asks as the container's health check does, one question at a time.
    fn ask_health(&mut self, number: usize) -> io::Result<()> {
        let running = &mut self.crew[number];
        if running.process.one_shot || running.child.is_none() || self.state.instances[number].ready {
            running.probe = None;
            return Ok(());
        }
        let Some(probe) = &mut running.probe else {
            let mut probe = Command::new(self.bin.join(&running.process.program));
            probe.arg("healthcheck").envs(running.process.env.iter().cloned());
            probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
            running.probe = Some(probe.spawn()?);
            return Ok(());
        };
        if let Some(status) = probe.try_wait()? {
            running.probe = None;
            if status.success() {
                self.state.instances[number].ready = true;
                self.save();
            }
        }
        Ok(())
    }

    fn save(&self) {
        if let Err(error) = self.state.write(self.folder) {
            self.printer.say(&format!("cannot write the state of the deployment, so `cbwgen status` will not find it: {error}"));
        }
    }

    /// Stops everybody, the last stage first; each stage has its grace, and a second signal ends it.
    fn stop_all(&mut self) {
        let impatient = self.stops.load(Ordering::Relaxed) + 1;
        let last = self.crew.iter().map(|running| running.process.stage).max().unwrap_or(0);
        for stage in (0..=last).rev() {
            let members: Vec<usize> = (0..self.crew.len()).filter(|&number| self.crew[number].process.stage == stage).collect();
            for &number in &members {
                self.crew[number].again = None;
                drop(self.crew[number].probe.take().map(|mut probe| probe.kill().and_then(|()| probe.wait())));
                if let Some(pid) = self.pid(number) {
                    // A process that was stopped by a fault must hear it.
                    drop(pid.signal(Signal::TERM).and_then(|()| pid.signal(Signal::CONT)));
                }
            }
            let grace = members.iter().map(|&number| self.crew[number].process.stop_grace).max().unwrap_or_default();
            let deadline = Instant::now() + grace;
            while members.iter().any(|&number| self.crew[number].child.is_some()) {
                self.print();
                for &number in &members {
                    if let Ok(Some(status)) = self.ended(number) {
                        let name = &self.crew[number].process.name;
                        self.printer.say(&format!(
                            "stopped {name}{}",
                            if status.success() { String::new() } else { format!(", exit code {}", code_of(status)) }
                        ));
                    }
                }
                if Instant::now() >= deadline || self.stops.load(Ordering::Relaxed) > impatient {
                    for &number in &members {
                        if let Some(mut child) = self.crew[number].child.take() {
                            drop(child.kill().and_then(|()| child.wait()));
                            self.printer.say(&format!("killed {}, which did not end in time", self.crew[number].process.name));
                        }
                    }
                }
            }
        }
        // What they printed last.
        for line in self.printed.try_iter() {
            self.printer.line(&line);
        }
    }

    fn pid(&self, number: usize) -> Option<Pid> {
        self.crew[number].child.as_ref().map(|child| Pid::of(child.id()))
    }
}

/// As a shell tells it: 128 + the signal when one ended it.
fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Entries for the state file, none started.
#[must_use]
pub fn entries(processes: &[Process]) -> Vec<Entry> {
    let entry = |process: &Process| Entry {
        name: process.name.clone(),
        component: process.component.clone(),
        role: process.role.to_owned(),
        number: process.number,
        program: process.program.clone(),
        identity: process.identity.clone(),
        status: process.status.clone(),
        endpoints: process.endpoints.clone(),
        folders: process.folders.clone(),
        pid: None,
        since: None,
        restarts: 0,
        exit: None,
        ready: false,
    };
    processes.iter().map(entry).collect()
}

/// Ends what an earlier run left behind; their names.
#[must_use]
pub fn sweep(state: &State) -> Vec<String> {
    let mut ended = Vec::new();
    for entry in &state.instances {
        let Some(pid) = entry.pid.filter(|pid| pid.life() != Life::Gone) else { continue };
        drop(pid.signal(Signal::KILL));
        ended.push(format!("{} (process {})", entry.name, pid.id));
    }
    ended
}
