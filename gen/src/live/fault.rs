//! One fault at an instance, undone at its end.

use std::time::{Duration, Instant};

use super::stream::Stream;
use super::{Action, Deployment, Error, Instance};

/// What can happen to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Fault {
    /// It is killed (SIGKILL) and started again
    Kill,
    /// It gets no processor time
    Pause,
    /// It is cut off from its networks (containers only)
    Cut,
    /// It gets a fifth of its time, in turns
    Slow,
}

impl Fault {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Cut => "cut",
            Self::Slow => "slow",
        }
    }
}

/// A fault that is there, and gone when this is dropped.
pub struct Standing<'a> {
    deployment: &'a dyn Deployment,
    instance: Instance,
    undo: Option<Action>,
}

impl<'a> Standing<'a> {
    /// Lets `fault` happen to `instance`.
    pub fn begin(deployment: &'a dyn Deployment, instance: &Instance, fault: Fault) -> Result<Self, Error> {
        let (action, undo) = match fault {
            Fault::Kill => (Action::Kill, Action::Start),
            Fault::Pause | Fault::Slow => (Action::Pause, Action::Resume),
            Fault::Cut => (Action::Cut, Action::Join),
        };
        // Set before it happens: half a cut is undone too.
        let standing = Self { deployment, instance: instance.clone(), undo: Some(undo) };
        deployment.act(instance, action)?;
        Ok(standing)
    }

    /// There is nothing left to undo.
    pub fn forget(mut self) {
        self.undo = None;
    }

    /// Ends the fault.
    pub fn end(mut self) -> Result<(), Error> {
        match self.undo.take() {
            Some(undo) => self.deployment.act(&self.instance, undo),
            None => Ok(()),
        }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take() {
            drop(self.deployment.act(&self.instance, undo));
        }
    }
}

/// Stops a worker; it is then given a request, which stays in its hands, however fast it is. None when it is given nothing, each
/// time within `wait`: the broker may have believed it late or gone when it was stopped, so between two tries it can come back.
pub fn stop_it_busy<'a>(
    deployment: &'a dyn Deployment,
    worker: &Instance,
    identity: &str,
    events: &Stream,
    tries: u32,
    wait: Duration,
) -> Result<Option<Standing<'a>>, Error> {
    for left in (0..tries).rev() {
        let pause = Standing::begin(deployment, worker, Fault::Pause)?;
        if wait_until_busy(events, identity, wait) {
            return Ok(Some(pause));
        }
        pause.end()?;
        if left > 0 {
            std::thread::sleep(COMES_BACK);
        }
    }
    Ok(None)
}

/// What a worker takes to be known to the broker again.
const COMES_BACK: Duration = Duration::from_secs(2);

/// A reply that was on its way when a worker was stopped is there after this.
const SETTLED: Duration = Duration::from_millis(200);

/// Waits until `worker` (an identity), which has been stopped, has a request in its hands; false when it is given none in time. Events
/// from before it was stopped may still come.
fn wait_until_busy(events: &Stream, worker: &str, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    let mut given: Option<Instant> = None;
    loop {
        let now = Instant::now();
        if given.is_some_and(|given| now >= given + SETTLED) {
            return true;
        }
        let next = given.map_or(until, |given| until.min(given + SETTLED));
        let Some(left) = next.checked_duration_since(now) else { return false };
        let Some((_, line)) = events.next(left) else {
            // (a stream that has ended says so at once)
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        if event["worker"] == worker {
            match event["event"].as_str() {
                Some("dispatch") => given = Some(Instant::now()),
                Some("reply" | "worker_down") => given = None,
                _ => {}
            }
        }
    }
}
