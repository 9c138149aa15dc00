//! The proof that a live deployment does the right thing: load, faults, and what became of every request.
//!
//! [`Check`]s come one by one: [`checks`] puts them in order, each has a file of its own under `verify/`. What is measured comes
//! from the auditor ([`load`]) and from the broker's own events ([`events`], pure); [`report`] shows the outcome.

pub mod broker_restart;
pub mod events;
pub mod faults;
pub mod load;
pub mod log;
pub mod outside;
pub mod own_answers;
pub mod plan;
pub mod recycle;
pub mod report;
pub mod sla;
pub mod stated;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::live::stream::Stream;
use crate::live::{Deployment, Error, Instance};
use crate::plan::{Component, Peers, Plan, Role};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What was seen is what should be.
    Pass,
    /// It is not.
    Fail,
    /// It could not be looked at here; `seen` says why.
    Skip,
}

/// One line of the proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// A word: `own-answers`.
    pub name: &'static str,
    /// What it is about: a broker or another component; empty = the whole deployment.
    pub subject: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was done.
    pub done: String,
    /// What was seen.
    pub seen: String,
    /// What to do when it failed.
    pub advice: Option<String>,
    /// How long it took, in ms.
    pub took: u64,
}

impl Check {
    /// A check that passed.
    #[must_use]
    pub fn pass(name: &'static str, subject: &str, done: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { name, subject: subject.to_owned(), outcome: Outcome::Pass, done: done.into(), seen: seen.into(), advice: None, took: 0 }
    }

    /// A check that failed.
    #[must_use]
    pub fn fail(name: &'static str, subject: &str, done: impl Into<String>, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, advice: Some(advice.into()), ..Self::pass(name, subject, done, seen) }
    }

    /// A check that cannot be made here.
    #[must_use]
    pub fn skip(name: &'static str, subject: &str, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skip, ..Self::pass(name, subject, "", why) }
    }

    /// Passed when `trouble` is empty, otherwise failed with it.
    #[must_use]
    pub fn judged(
        name: &'static str,
        subject: &str,
        done: impl Into<String>,
        well: impl Into<String>,
        trouble: &[String],
        advice: impl Into<String>,
    ) -> Self {
        if trouble.is_empty() { Self::pass(name, subject, done, well) } else { Self::fail(name, subject, done, trouble.join("; "), advice) }
    }
}

/// What may be done to the deployment while it is under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Trial {
    /// Kill a busy worker
    Kill,
    /// Pause a busy worker past its deadline
    Pause,
    /// Cut a busy worker off from the network (containers only)
    Cut,
    /// Restart the broker, then the logger
    Restart,
    /// Take all down and bring it up again: the containers are new then
    Down,
    /// Nothing
    None,
}

/// What a check works with.
pub struct Bench<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The deployment.
    pub deployment: &'a dyn Deployment,
    /// What is wrong with the generated file that it was started from.
    pub stale: Option<String>,
    /// What may be done.
    pub trials: &'a [Trial],
    /// What tells people how far it is.
    pub progress: &'a dyn Fn(&str),
    /// Set when somebody wants it to end.
    pub interrupted: Arc<AtomicBool>,
}

impl Bench<'_> {
    /// Whether this may be done.
    #[must_use]
    pub fn may(&self, trial: Trial) -> bool {
        self.trials.contains(&trial)
    }

    /// Sleeps, unless somebody wants it to end.
    pub fn sleep(&self, time: Duration) -> Result<(), Error> {
        self.until(time, || Ok(false)).map(drop)
    }

    /// Asks until it is so, or the time is over; which of both.
    pub fn until(&self, time: Duration, mut is_so: impl FnMut() -> Result<bool, Error>) -> Result<bool, Error> {
        let deadline = Instant::now() + time;
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::new("interrupted: what was done is undone"));
            }
            if is_so()? {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// A broker's events from now on; an error when it tells none, as brokers of others.
    pub fn listen(&self, broker: &Instance) -> Result<Stream, Error> {
        if self.plan.component(&broker.component).is_none_or(|component| !component.is_own()) {
            return Err(Error::new("it is no broker of ours, and tells none"));
        }
        let mut stream = self.deployment.events(broker)?;
        // One question and one answer: whoever asked before is served by now.
        drop(self.deployment.ask(broker, "/healthz"));
        self.sleep(Duration::from_millis(150))?;
        if stream.has_ended() {
            let why = stream.complaint();
            return Err(Error(if why.is_empty() { "it tells none".to_owned() } else { why }));
        }
        Ok(stream)
    }

    /// The running instance of a component that runs once.
    pub fn running(&self, component: &str) -> Result<Instance, Error> {
        let mut instances = self.deployment.instances()?.into_iter().filter(|instance| instance.component == component);
        instances.find(Instance::is_running).ok_or_else(|| Error(format!("no instance of `{component}` runs")))
    }

    /// Waits until an instance runs and, if it has a health check, is healthy.
    pub fn is_up_again(&self, name: &str) -> Result<bool, Error> {
        self.until(self.deployment.patience(), || {
            let instances = self.deployment.instances()?;
            Ok(instances.iter().any(|instance| {
                instance.name == name && instance.is_running() && instance.health.as_deref().is_none_or(|health| health == "healthy")
            }))
        })
    }
}

/// A broker with its times, all of the plan.
pub struct BrokerUnderTest<'a> {
    /// The broker and its peers.
    pub peers: Peers<'a>,
    /// How long a worker may take.
    pub deadline: Duration,
    /// How often a request is given again.
    pub retries: u32,
    /// How long one request takes a worker.
    pub service: Duration,
}

impl<'a> BrokerUnderTest<'a> {
    /// The brokers of a plan that have workers here.
    #[must_use]
    pub fn of(plan: &'a Plan) -> Vec<Self> {
        let of = |peers: Peers<'a>| {
            let Role::Broker { deadline, retries, .. } = &peers.broker.role else { return None };
            let (deadline, retries) = (Duration::from_millis(deadline.as_millis()), u32::from(*retries));
            let service = Duration::from_millis(peers.service_time());
            Some(Self { peers, deadline, retries, service })
        };
        plan.brokers().into_values().filter_map(of).filter(|broker| broker.peers.broker.replicas > 0).collect()
    }

    /// The component's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.peers.broker.name
    }

    /// After this a request that has no answer will never have one.
    #[must_use]
    pub fn patience(&self) -> Duration {
        (self.deadline + self.service) * (self.retries + 1) + Duration::from_secs(2)
    }

    /// How many worker instances there should be.
    #[must_use]
    pub fn workers(&self) -> usize {
        usize::try_from(self.peers.worker_instances()).unwrap_or(usize::MAX)
    }

    /// Whether a component is one of the workers.
    #[must_use]
    pub fn has_worker(&self, component: &str) -> bool {
        self.peers.workers.iter().any(|worker| worker.name == component)
    }

    /// The logger that the broker tells of each reply, if it is ours and speaks as it does by itself.
    #[must_use]
    pub fn logger(&self, plan: &'a Plan) -> Option<&'a Component> {
        let broker = self.peers.broker;
        let tells = broker.is_own() && !broker.env.contains_key("RUST_LOG");
        broker.bound_to("logger").filter(|_| tells).and_then(|name| plan.component(name))
    }
}

/// Makes all checks, one after the other; `tell` hears of each when it is made. Ends early only when nothing can be learnt any
/// more.
pub fn checks(bench: &Bench<'_>, mut tell: impl FnMut(&Check)) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    let before = bench.deployment.instances()?;
    let mut make = |name: &'static str, title: &str, made: &mut dyn FnMut() -> Result<Vec<Check>, Error>| -> Result<(), Error> {
        (bench.progress)(title);
        let started = Instant::now();
        let mut made = match made() {
            Err(Error(why)) if !bench.interrupted.load(Ordering::Relaxed) => {
                vec![Check::fail(name, "", "tried to look at it", why, "`cbwgen status` shows what runs")]
            }
            made => made?,
        };
        let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        for check in &mut made {
            check.took = took;
            tell(check);
        }
        checks.append(&mut made);
        Ok(())
    };
    make("plan", "is the deployment what the plan says?", &mut || Ok(vec![plan::check(bench, &before)?]))?;
    if !bench.plan.checks.is_empty() {
        make("stated", "is so what the topology's `checks` say?", &mut || Ok(stated::checks(bench, &before)))?;
    }
    let brokers = BrokerUnderTest::of(bench.plan);
    if brokers.is_empty() {
        let skipped = || vec![Check::skip("own-answers", "", "there is no broker with workers here")];
        make("own-answers", "is there a broker?", &mut || Ok(skipped()))?;
    }
    for broker in &brokers {
        let name = broker.name();
        make("own-answers", &format!("{name}: does every client get its own answers?"), &mut || own_answers::checks(bench, broker))?;
    }
    for broker in &brokers {
        let name = broker.name();
        for trial in [Trial::Kill, Trial::Pause, Trial::Cut] {
            if bench.may(trial) {
                make(faults::name(trial), &format!("{name}: a busy worker, and {}", faults::words(trial)), &mut || {
                    Ok(vec![faults::check(bench, broker, trial)?])
                })?;
            }
        }
    }
    if bench.may(Trial::Restart) {
        for broker in &brokers {
            let name = broker.name();
            make("broker-restart", &format!("{name}: a restart under load"), &mut || Ok(vec![broker_restart::check(bench, broker)?]))?;
        }
    }
    for broker in &brokers {
        let name = broker.name();
        make("log", &format!("{name}: does the log tell of every answer?"), &mut || log::checks(bench, broker))?;
    }
    make("outside", "what is reached from outside?", &mut || outside::checks(bench))?;
    if let Some(sla) = &bench.plan.sla {
        for broker in &brokers {
            make("sla", &format!("{}: is the SLA kept?", broker.name()), &mut || sla::checks(bench, broker, sla))?;
        }
    }
    if bench.may(Trial::Down) {
        make("down-up", "down, and up again", &mut || recycle::checks(bench, &brokers))?;
    }
    make("unchanged", "is everything as it was found?", &mut || Ok(vec![plan::left_behind(bench, &before)?]))?;
    Ok(checks)
}
