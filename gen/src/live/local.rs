//! A deployment of local processes, found by the state file of `cbwgen run`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::stream::{Stream, output};
use super::{Action, Deployment, Error, Instance, State};
use crate::plan::{Component, Plan};
use crate::run::state::{self, Entry, Life};

/// Local processes.
#[derive(Debug)]
pub struct Local {
    folder: PathBuf,
}

impl Local {
    /// The deployment of a plan whose topology is in `folder`, if its supervisor lives.
    pub fn find(plan: &Plan, folder: &Path) -> Result<Self, Error> {
        let folder = std::path::absolute(folder)?;
        let local = Self { folder: state::folder(&folder, &plan.name) };
        let none = || Error::new("no `cbwgen run` of it lives here");
        let state = local.state().map_err(|_| none())?;
        if state.supervisor.life() == Life::Gone { Err(none()) } else { Ok(local) }
    }

    fn state(&self) -> Result<state::State, Error> {
        state::State::read(&self.folder).ok_or_else(|| Error::new("the local deployment has ended"))
    }

    fn entry(&self, instance: &Instance) -> Result<(Entry, PathBuf), Error> {
        let state = self.state()?;
        let entry = state.instances.into_iter().find(|entry| entry.name == instance.name);
        Ok((entry.ok_or_else(|| Error(format!("there is no `{}`", instance.name)))?, state.bin))
    }

    fn service(&self, instance: &Instance, arguments: &[&str]) -> Result<Command, Error> {
        let (entry, bin) = self.entry(instance)?;
        let address = entry.status.ok_or_else(|| Error(format!("`{}` has no status server", instance.name)))?;
        let mut command = Command::new(bin.join(entry.program));
        command.args(arguments).env("METRICS_ADDR", address);
        Ok(command)
    }

    fn client_program(&self, broker: &Instance) -> Result<(Command, String), Error> {
        let (entry, bin) = self.entry(broker)?;
        let program = bin.join("client");
        if !program.is_file() {
            return Err(Error(format!("`{}` is not there: `cargo build -p cbw-services` makes it", program.display())));
        }
        let frontend = entry.endpoints.into_iter().find(|(name, _)| name == "frontend");
        let (_, address) = frontend.ok_or_else(|| Error(format!("`{}` has no frontend", broker.name)))?;
        Ok((Command::new(program), address))
    }
}

impl Deployment for Local {
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn kind(&self) -> &'static str {
        "local"
    }

    fn instances(&self) -> Result<Vec<Instance>, Error> {
        Ok(self.state()?.instances.into_iter().map(instance).collect())
    }

    fn drift(&self, plan: &Plan) -> Result<Vec<String>, Error> {
        let started = self.state()?.plan;
        let now = state::fingerprint(plan);
        Ok(if started == now {
            Vec::new()
        } else {
            vec!["the topology is not the one that was started: stop it and `cbwgen run` again".to_owned()]
        })
    }

    fn ask(&self, instance: &Instance, page: &str) -> Result<String, Error> {
        output(&mut self.service(instance, &["ask", page])?)
    }

    fn events(&self, broker: &Instance) -> Result<Stream, Error> {
        Stream::start(&mut self.service(broker, &["ask", "/events", "--leash"])?)
    }

    fn audit(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, address) = self.client_program(broker)?;
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        Stream::start(client.args(["audit", host, port]).args(arguments))
    }

    fn audit_from_outside(&self, host: &str, port: u16, arguments: &[String]) -> Result<Stream, Error> {
        let program = self.state()?.bin.join("client");
        Stream::start(Command::new(program).args(["audit", host, &port.to_string()]).args(arguments))
    }

    fn client(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error> {
        let (mut client, address) = self.client_program(broker)?;
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        Stream::start(client.envs([("BROKER_HOST", host), ("BROKER_PORT", port)]).args(arguments))
    }

    fn log(&self, logger: &Instance) -> Result<Vec<u8>, Error> {
        let (entry, _) = self.entry(logger)?;
        let folder = entry.folders.first().ok_or_else(|| Error(format!("`{}` keeps no log", logger.name)))?;
        let file = folder.join("logs");
        std::fs::read(&file).map_err(|error| Error(format!("cannot read `{}`: {error}", file.display())))
    }

    fn act(&self, instance: &Instance, action: Action) -> Result<(), Error> {
        let (entry, _) = self.entry(instance)?;
        let signals: &[Signal] = match action {
            Action::Kill => &[Signal::KILL],
            Action::Pause => &[Signal::STOP],
            Action::Resume => &[Signal::CONT],
            Action::Restart => &[Signal::TERM, Signal::CONT],
            // The supervisor does, as the engine would.
            Action::Start => return Ok(()),
            Action::Cut | Action::Join => {
                return Err(Error::new("a local process has no network of its own to be cut off from: deploy containers"));
            }
        };
        let pid = entry.pid.ok_or_else(|| Error(format!("`{}` does not run", instance.name)))?;
        for signal in signals {
            pid.signal(*signal).map_err(|error| Error(format!("cannot signal `{}`: {error}", instance.name)))?;
        }
        Ok(())
    }

    fn changes(&self, plan: &Plan, _: &str, _: &Path) -> Result<Vec<String>, Error> {
        self.drift(plan)
    }

    fn update(&self, component: &Component, tell: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let is_of = |instance: &Instance| instance.component == component.name;
        for old in self.instances()?.into_iter().filter(|instance| is_of(instance) && instance.is_running()) {
            tell(&format!("{} ends, and is started again", old.name));
            self.act(&old, Action::Restart)?;
            let deadline = Instant::now() + self.patience();
            let is_new =
                |instance: &Instance| instance.name == old.name && instance.id != old.id && instance.health.as_deref() == Some("healthy");
            while !self.instances()?.iter().any(is_new) {
                if Instant::now() >= deadline {
                    return Err(Error(format!(
                        "`{}` is not healthy after {} s; the others were left as they are",
                        old.name,
                        self.patience().as_secs()
                    )));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn recycle(&self) -> Result<(), Error> {
        Err(Error::new("whoever runs `cbwgen run` would have to stop it and start it again"))
    }

    fn can_cut(&self) -> bool {
        false
    }
}

fn instance(entry: Entry) -> Instance {
    let state = match (entry.pid.map(state::Pid::life), entry.exit) {
        (Some(Life::Running), _) => State::Running,
        (Some(Life::Stopped), _) => State::Paused,
        (Some(Life::Gone) | None, Some(code)) => State::Exited(code),
        (Some(Life::Gone) | None, None) => State::Starting,
    };
    let checked = entry.role != "client";
    let health = match state {
        State::Running if checked => Some(if entry.ready { "healthy" } else { "starting" }.to_owned()),
        _ => None,
    };
    Instance {
        id: entry.pid.map_or_else(String::new, |pid| pid.id.to_string()),
        addresses: entry.endpoints.iter().map(|(_, address)| address.clone()).collect(),
        published: Vec::new(),
        name: entry.name,
        component: entry.component,
        role: entry.role,
        identity: entry.identity,
        state,
        health,
        restarts: entry.restarts,
        since: entry.since,
        node: None,
    }
}
