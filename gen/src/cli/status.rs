//! `cbwgen status`: all instances of the live deployment.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::{CLEAN, Color, FOUND, WhatIfs, folder_of, load_planned, print};
use crate::live::{self, Deployment, Instance, Kind, table::table};
use crate::run::state;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The topology
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    /// Which deployment, when there are several [default: the one that is there]
    #[arg(long, value_enum)]
    engine: Option<Kind>,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// How often `--watch` looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table
    Text,
    /// A versioned document; with `--watch` one a line
    Json,
}

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    name: &'a str,
    engine: &'a str,
    instances: &'a [Instance],
    brokers: Vec<Broker>,
}

/// What a broker says of itself.
#[derive(Serialize)]
struct Broker {
    name: String,
    ready: Option<u64>,
    working: Option<u64>,
    pending: Option<u64>,
    /// Why it says nothing.
    error: Option<String>,
}

pub(super) fn run(arguments: &Status, color: Color) -> anyhow::Result<u8> {
    let Some(loaded) = load_planned(&arguments.topology, &WhatIfs::default(), color)? else { return Ok(FOUND) };
    let deployment = live::find(&loaded.plan, &folder_of(&arguments.topology), arguments.engine)?;
    loop {
        let text = look(&loaded.plan.name, &*deployment, arguments)?;
        if arguments.watch && arguments.format == Form::Text && std::io::stdout().is_terminal() {
            // Home, and what follows is wiped away: the picture does not flicker.
            print("\x1b[H\x1b[J")?;
        }
        print(&text)?;
        if !arguments.watch {
            return Ok(CLEAN);
        }
        std::thread::sleep(arguments.interval.max(Duration::from_millis(50)));
    }
}

fn look(name: &str, deployment: &dyn Deployment, arguments: &Status) -> anyhow::Result<String> {
    let instances = deployment.instances()?;
    let brokers =
        instances.iter().filter(|instance| instance.role == "broker" && instance.is_running()).map(|instance| ask(deployment, instance));
    let brokers: Vec<Broker> = brokers.collect();
    Ok(match arguments.format {
        Form::Text => text(name, deployment.kind(), &instances, &brokers),
        Form::Json => {
            let document = Document { version: VERSION, name, engine: deployment.kind(), instances: &instances, brokers };
            let text = if arguments.watch { serde_json::to_string(&document) } else { serde_json::to_string_pretty(&document) };
            text? + "\n"
        }
    })
}

fn ask(deployment: &dyn Deployment, instance: &Instance) -> Broker {
    let said = deployment.ask(instance, "/status").and_then(|text| {
        serde_json::from_str::<Value>(&text).map_err(|error| live::Error(format!("its status is not understood: {error}")))
    });
    let (said, error) = match said {
        Ok(said) => (said, None),
        Err(error) => (Value::Null, Some(error.to_string())),
    };
    let count = |key: &str| said[key].as_u64();
    Broker { name: instance.name.clone(), ready: count("ready"), working: count("working"), pending: count("pending"), error }
}

fn text(name: &str, engine: &str, instances: &[Instance], brokers: &[Broker]) -> String {
    let heads = ["NAME", "ROLE", "STATE", "HEALTH", "ADDRESS", "PUBLISHED", "RESTARTS", "SINCE", "NODE", "WORKERS"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for instance in instances {
        let broker = brokers.iter().find(|broker| broker.name == instance.name);
        let workers = broker.map_or_else(String::new, |broker| match (broker.ready, broker.working, broker.pending) {
            (Some(ready), Some(working), Some(pending)) => format!("{ready} ready, {working} working, {pending} pending"),
            _ => "does not say".to_owned(),
        });
        rows.push(vec![
            instance.name.clone(),
            instance.role.clone(),
            instance.state.words(),
            instance.health.clone().unwrap_or_default(),
            instance.addresses.join(" "),
            instance.published.join(" "),
            if instance.restarts == 0 { String::new() } else { instance.restarts.to_string() },
            instance.since.map(ago).unwrap_or_default(),
            instance.node.clone().unwrap_or_default(),
            workers,
        ]);
    }
    format!("{name} ({engine})\n{}", table(&rows))
}

/// How long ago something was, in its two largest units.
fn ago(since: u64) -> String {
    let seconds = state::now().saturating_sub(since) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s ago"),
        (0, 0, _) => format!("{minutes}m {}s ago", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m ago"),
        _ => format!("{days}d {hours}h ago"),
    }
}
