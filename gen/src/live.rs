//! The live deployment, however it was started: local processes, Compose, or a Swarm stack.
//!
//! [`Deployment`] is what `status`, `verify`, `fault` and `update` need of it; each way has a file of its own. What one of them cannot do
//! it says in an [`Error`], which is shown to people.

pub mod compose;
pub mod docker;
pub mod fault;
pub mod local;
pub mod stream;
pub mod swarm;
pub mod table;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use self::stream::Stream;
use crate::plan::{Component, Plan};

/// Why something could not be done to a live deployment, or be learnt of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl Error {
    /// An error of these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What an instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "code")]
pub enum State {
    /// It runs.
    Running,
    /// It was stopped by a signal or paused by the engine.
    Paused,
    /// It is not there yet, or between two runs.
    Starting,
    /// It ended with this exit code.
    Exited(i32),
}

impl State {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Running => "running".to_owned(),
            Self::Paused => "paused".to_owned(),
            Self::Starting => "starting".to_owned(),
            Self::Exited(code) => format!("exited ({code})"),
        }
    }
}

/// An instance of a component, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// As people call it: `wor-1`.
    pub name: String,
    /// The component.
    pub component: String,
    /// The component's role in a word.
    pub role: String,
    /// What whoever runs it calls it: the container's id, the process's number.
    pub id: String,
    /// The identity on the wire, where it can be told.
    pub identity: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub state: State,
    /// `healthy`, `unhealthy`, `starting`; none without a health check.
    pub health: Option<String>,
    /// Its addresses: of a container one a network, of a process where it listens.
    pub addresses: Vec<String>,
    /// Where it is reached from outside: `0.0.0.0:9998 → 9998/tcp`.
    pub published: Vec<String>,
    /// How often it was started again.
    pub restarts: u32,
    /// When it was started last, in ms since 1970.
    pub since: Option<u64>,
    /// The machine, where there are several.
    pub node: Option<String>,
}

impl Instance {
    /// Whether it is there to be asked.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }
}

/// What can be asked of a live deployment, and done to it.
pub trait Deployment {
    /// `local`, `compose` or `swarm`.
    fn kind(&self) -> &'static str;
    /// All instances, in the plan's order, those that ended too.
    fn instances(&self) -> Result<Vec<Instance>, Error>;
    /// What was started from something else than the plan; empty when nothing was.
    fn drift(&self, plan: &Plan) -> Result<Vec<String>, Error>;
    /// A page of an instance's own status server.
    fn ask(&self, instance: &Instance, page: &str) -> Result<String, Error>;
    /// A broker's events, as they happen.
    fn events(&self, broker: &Instance) -> Result<Stream, Error>;
    /// Starts the auditor (`client audit`) against a broker, with these arguments.
    fn audit(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error>;
    /// The auditor against a published address, from outside the deployment.
    fn audit_from_outside(&self, host: &str, port: u16, arguments: &[String]) -> Result<Stream, Error>;
    /// A client that does what it can to get its answers, with these arguments behind the broker's address.
    fn client(&self, broker: &Instance, arguments: &[String]) -> Result<Stream, Error>;
    /// The bytes of a logger's file.
    fn log(&self, logger: &Instance) -> Result<Vec<u8>, Error>;
    /// Does something to an instance.
    fn act(&self, instance: &Instance, action: Action) -> Result<(), Error>;
    /// What deploying the plan now would change, a line each; empty when nothing would. `rendered` is the Compose file that it gives,
    /// which belongs into `out`.
    fn changes(&self, plan: &Plan, rendered: &str, out: &Path) -> Result<Vec<String>, Error>;
    /// Replaces the instances of a component by new ones of what is built or installed now: workers one after the other, so that
    /// service goes on; anything else is stopped first, since there must not be two of it. `tell` hears of each step.
    fn update(&self, component: &Component, tell: &mut dyn FnMut(&str)) -> Result<(), Error>;
    /// Takes everything down and brings it up again as it was; the error says why this cannot be done.
    fn recycle(&self) -> Result<(), Error>;
    /// The address of the machine that an instance runs on, where it is not this one.
    fn address(&self, _: &Instance) -> Option<IpAddr> {
        None
    }
    /// The generated file that it was started from.
    fn file(&self) -> Option<PathBuf> {
        None
    }
    /// Whether instances can be cut off from the network.
    fn can_cut(&self) -> bool;
    /// How long it may take until a restarted instance is up, on a machine that has much else to do.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// What is done to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL.
    Kill,
    /// Start it again, if nobody else does.
    Start,
    /// No processor time.
    Pause,
    /// The end of [`Action::Pause`].
    Resume,
    /// Off the network.
    Cut,
    /// The end of [`Action::Cut`].
    Join,
    /// SIGTERM, and a new start.
    Restart,
}

/// Which kind of deployment is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Local processes (`cbwgen run`)
    Local,
    /// Containers of Docker Compose (`make deploy`)
    Compose,
    /// Containers of the script (`make deploy TARGET=script`)
    Script,
    /// Services of a Swarm (`make deploy TARGET=swarm`)
    Swarm,
}

/// Finds the deployment of a plan whose topology is in `folder`.
pub fn find(plan: &Plan, folder: &Path, kind: Option<Kind>) -> Result<Box<dyn Deployment>, Error> {
    let mut why = Vec::new();
    if kind.is_none_or(|kind| kind == Kind::Local) {
        match local::Local::find(plan, folder) {
            Ok(local) => return Ok(Box::new(local)),
            Err(error) => why.push(error.0),
        }
    }
    if kind.is_none_or(|kind| kind == Kind::Compose) {
        match compose::Compose::find(plan) {
            Ok(compose) => return Ok(Box::new(compose)),
            Err(error) => why.push(error.0),
        }
    }
    // That no engine answers is said once.
    if kind.is_none_or(|kind| kind == Kind::Script) {
        match compose::Compose::find_script(plan) {
            Ok(script) => return Ok(Box::new(script)),
            Err(error) if kind.is_some() => why.push(error.0),
            Err(_) => {}
        }
    }
    if kind.is_none_or(|kind| kind == Kind::Swarm) {
        match swarm::Swarm::find(plan) {
            Ok(swarm) => return Ok(Box::new(swarm)),
            Err(error) if kind.is_some() => why.push(error.0),
            Err(_) => {}
        }
    }
    Err(Error(format!("`{}` is not deployed: {}; `make deploy` or `cbwgen run` starts it", plan.name, why.join(", and "))))
}
