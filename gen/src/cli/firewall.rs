//! `cbwgen firewall`: to whom each published port is open in truth, and what changes that. And `--host live`, for `lint` too.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::compose::{ComposeOptions, environment};
use super::lint::World;
use super::targets::{self, Target};
use super::{CLEAN, Color, FOUND, WhatIfs, complain, judge, load, print};
use crate::compose::load::load as load_project;
use crate::compose::surroundings::{Surroundings, binds};
use crate::facts;
use crate::firewall::Ufw;
use crate::firewall::live::Live;
use crate::firewall::open::{self, Port};
use crate::plan::Plan;
use crate::rules;
use crate::source::Source;
use crate::spec::Docker;
use crate::spec::values::Protocol;

#[derive(Debug, Args)]
pub(super) struct Firewall {
    /// The topology or the Compose file; `-` reads standard input [default: `topology.toml`, or the Compose project here]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    rules: FirewallOptions,
    /// How Docker and ufw stand to each other [default: as `[host] firewall` or the machine itself says, else plain]
    #[arg(long, value_enum, value_name = "HOW")]
    docker: Option<Docker>,
    #[command(flatten)]
    compose: ComposeOptions,
}

/// Where the host's firewall is known from.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FirewallOptions {
    /// Judge by the host's real firewall: the output of `ufw status` (also verbose, numbered) or `/etc/ufw/user.rules`; `-`
    /// reads standard input
    #[arg(long, value_name = "FILE")]
    pub ufw: Option<PathBuf>,
    /// Judge by this machine itself: its ufw, its engine's settings, its ports that are taken; as root it can read them all
    #[arg(long, value_enum, value_name = "WHICH")]
    pub host: Option<Host>,
}

/// A host that tells about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Host {
    /// The machine that this runs on
    Live,
}

impl FirewallOptions {
    /// Reads what is asked for, and says on standard error what could not be read. A file wins over the machine.
    pub fn read(&self) -> anyhow::Result<Live> {
        let mut live = match self.host {
            Some(Host::Live) => facts::live::read(),
            None => Live::default(),
        };
        for unread in &live.unread {
            let _ = writeln!(std::io::stderr(), "note: --host live: cannot read {unread}");
        }
        if let Some(file) = &self.ufw {
            let source = Source::read(file)?;
            let wrong = |error| anyhow::anyhow!("--ufw: cannot use `{}`: {error}", source.name);
            let docker = live.ufw.map(|ufw| ufw.docker).unwrap_or_default();
            live.ufw = Some(Ufw::parse(&source.text).map_err(wrong)?.with(docker));
        }
        Ok(live)
    }
}

pub(super) fn run(arguments: &Firewall, color: Color) -> anyhow::Result<u8> {
    let is_stdin = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if is_stdin(&arguments.path) && is_stdin(&arguments.rules.ufw) {
        bail!("only one of the files and `--ufw` can be standard input");
    }
    let live = arguments.rules.read()?;
    let world = World::new()?;
    let target = match &arguments.path {
        None if arguments.compose.any() => Target::Project(arguments.compose.files.clone()),
        None => targets::here(&world.current),
        Some(path) if path.is_dir() => bail!("`{}` is a folder: name a topology or a Compose file", path.display()),
        Some(path) => match targets::of(path, None, &mut Vec::new())?.into_iter().next() {
            Some(target) => target,
            None => bail!("there is nothing in `{}`", path.display()),
        },
    };
    let (name, ports, stated) = match target {
        Target::Topology(path) => {
            let loaded = load(&path, &WhatIfs::default())?;
            if !loaded.plan.complete {
                complain(&loaded, &judge(&loaded, &path, crate::render::Target::default()), color);
                return Ok(FOUND);
            }
            let stated = loaded.plan.host.firewall.as_ref().map(|firewall| Ufw::from_spec(firewall).unwrap_or_else(Ufw::off));
            (loaded.plan.name.clone(), ports_of_plan(&loaded.plan), stated)
        }
        Target::Project(files) => {
            let (name, ports) = ports_of_project(&arguments.compose, &files, &world, &world.current)?;
            (name, ports, None)
        }
    };
    let mut ufw = live.ufw.or(stated);
    if let Some(docker) = arguments.docker {
        // Without a firewall nothing stands in Docker's way, whatever it does.
        ufw = Some(ufw.unwrap_or_else(Ufw::off).with(docker));
    }
    print(&open::text(&name, &ports, ufw.as_ref()))?;
    Ok(CLEAN)
}

fn ports_of_plan(plan: &Plan) -> Vec<Port> {
    let ports = rules::published(plan).map(|(component, published)| Port {
        what: format!("{}.{}", component.name, published.endpoint),
        address: published.address,
        host_port: published.host_port,
        port: published.port,
        protocol: published.protocol,
        on_host: false,
    });
    ports.collect()
}

/// What a Compose project publishes, and what listens on the host's own network.
fn ports_of_project(options: &ComposeOptions, files: &[PathBuf], world: &World, current: &Path) -> anyhow::Result<(String, Vec<Port>)> {
    let options = options.options(files, &environment(), current);
    let (project, findings) = load_project(&options, &world.files)?;
    if findings.iter().any(|finding| finding.refused) {
        bail!("Compose refuses this project: `cbwgen lint` says why");
    }
    let surroundings = Surroundings::new(&project, &world.files);
    let mut ports = Vec::new();
    for service in surroundings.services.values().filter(|service| service.replicas.0 > 0) {
        let what = |port: u16| format!("{}.{port}", service.name);
        if service.mode.is_some_and(|(mode, _)| mode == "host") {
            let mut bound: Vec<(u16, Option<std::net::IpAddr>)> =
                binds(service).map(|(port, endpoint)| (port, endpoint.host.parse().ok())).collect();
            bound.extend(service.exposed.iter().map(|port| (*port, None)));
            bound.sort_by_key(|(port, address)| (*port, address.is_none()));
            bound.dedup_by_key(|(port, _)| *port);
            ports.extend(bound.into_iter().map(|(port, address)| Port {
                what: what(port),
                address: address.filter(|address| !address.is_unspecified()),
                host_port: port,
                port,
                protocol: Protocol::Tcp,
                on_host: true,
            }));
        } else if service.mode.is_none() {
            for port in &service.ports {
                let protocol = match port.protocol {
                    "tcp" => Protocol::Tcp,
                    "udp" => Protocol::Udp,
                    _ => continue,
                };
                let Some((first, last)) = port.published else { continue };
                ports.extend((first..=last).map(|host_port| Port {
                    what: what(port.target),
                    address: port.address.filter(|address| *address != std::net::IpAddr::from([0, 0, 0, 0])),
                    host_port,
                    port: port.target,
                    protocol,
                    on_host: false,
                }));
            }
        }
    }
    Ok((project.name.clone(), ports))
}
