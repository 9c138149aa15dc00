//! `cbwgen fault`: one fault, by hand, undone at the end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::{CLEAN, Color, FOUND, WhatIfs, folder_of, load_planned, print};
use crate::finding::did_you_mean;
use crate::live::fault::{Fault, Standing, stop_it_busy};
use crate::live::{self, Action, Deployment, Instance, Kind};
use crate::plan::Plan;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What happens
    #[arg(value_enum)]
    fault: Fault,
    /// To which instance, as `cbwgen status` calls it: `wor-1`
    instance: String,
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    /// When it happens
    #[arg(long, value_enum, default_value_t = When::Now)]
    when: When,
    /// How long it lasts; of `kill`, how long until it is started again
    #[arg(long = "for", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Which deployment, when there are several [default: the one that is there]
    #[arg(long, value_enum)]
    engine: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// At once
    Now,
    /// As soon as the instance, a worker, has a request
    Busy,
}

/// How long `--when busy` waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// A slow instance works for the first of these, and not for the second.
const TURNS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

pub(super) fn run(arguments: &Arguments, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(&arguments.topology, &WhatIfs::default(), color)? else { return Ok(FOUND) };
    let plan = &loaded.plan;
    let deployment = live::find(plan, &folder_of(&arguments.topology), arguments.engine)?;
    let instances = deployment.instances()?;
    let Some(instance) = instances.iter().find(|instance| instance.name == arguments.instance) else {
        let names = || instances.iter().map(|instance| instance.name.as_str());
        let hint = did_you_mean(&arguments.instance, names())
            .map_or_else(|| format!("there is {}", crate::rules::list(names())), |near| format!("did you mean `{near}`?"));
        bail!("there is no instance `{}`; {hint}", arguments.instance);
    };
    if !instance.is_running() {
        bail!("`{}` does not run: it is {}", instance.name, instance.state.words());
    }
    let interrupted = super::verify::interrupted()?;
    let fault = arguments.fault;
    let mut held = None;
    if arguments.when == When::Busy {
        held = Some(catch(plan, &*deployment, instance)?);
        print(&format!("{} is busy\n", instance.name))?;
    }
    let standing = Standing::begin(&*deployment, instance, fault)?;
    if let Some(held) = held {
        match fault {
            // It works on, cut off.
            Fault::Cut => held.end()?,
            Fault::Kill | Fault::Pause | Fault::Slow => held.forget(),
        }
    }
    let seconds = arguments.duration.as_secs_f64();
    print(&format!("{}: {} for {seconds} s; {}\n", instance.name, happening(fault), what_to_look_at(fault)))?;
    last(&*deployment, instance, fault, arguments.duration, &interrupted)?;
    standing.end()?;
    print(&format!("{}: undone\n", instance.name))?;
    Ok(CLEAN)
}

/// Holds a worker in the moment in which it gets a request.
fn catch<'a>(plan: &Plan, deployment: &'a dyn Deployment, instance: &Instance) -> anyhow::Result<Standing<'a>> {
    let broker = plan.component(&instance.component).and_then(|component| component.bound_to("broker"));
    let (Some(broker), Some(identity)) = (broker, &instance.identity) else {
        bail!("`--when busy` is for workers, and `{}` is none", instance.name)
    };
    let instances = deployment.instances()?;
    let Some(broker) = instances.iter().find(|instance| instance.component == broker && instance.is_running()) else {
        bail!("the broker `{broker}` does not run");
    };
    let events = deployment.events(broker)?;
    let Some(held) = stop_it_busy(deployment, instance, identity, &events, 1, PATIENCE)? else {
        bail!("`{}` was given nothing within {} s: is there load?", instance.name, PATIENCE.as_secs());
    };
    Ok(held)
}

/// Lets it last.
fn last(
    deployment: &dyn Deployment,
    instance: &Instance,
    fault: Fault,
    duration: Duration,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let until = Instant::now() + duration;
    let mut works = false;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|_| !interrupted.load(Ordering::Relaxed)) {
        let turn = if fault != Fault::Slow {
            Duration::from_millis(50)
        } else if works {
            deployment.act(instance, Action::Pause)?;
            TURNS.1
        } else {
            deployment.act(instance, Action::Resume)?;
            TURNS.0
        };
        works = !works;
        std::thread::sleep(turn.min(left));
    }
    if fault == Fault::Slow && works {
        // The end of a fault finds it stopped.
        deployment.act(instance, Action::Pause)?;
    }
    Ok(())
}

fn happening(fault: Fault) -> &'static str {
    match fault {
        Fault::Kill => "killed, and gone",
        Fault::Pause => "paused",
        Fault::Cut => "cut off from its networks",
        Fault::Slow => "slow, a fifth of its speed,",
    }
}

fn what_to_look_at(fault: Fault) -> &'static str {
    match fault {
        Fault::Kill => "its request goes to another worker at once: `cbwgen status --watch`",
        Fault::Pause => "its request goes to another worker after the deadline, and its late answer to nobody: `cbwgen status --watch`",
        Fault::Cut => "the broker misses its heartbeats, or its answer: `cbwgen status --watch`",
        Fault::Slow => "the others get more of the work: `cbwgen status --watch`",
    }
}
