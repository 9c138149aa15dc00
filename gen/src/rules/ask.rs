//! Questions that several rules ask of a plan.

use std::collections::HashSet;

use super::{Context, count};
use crate::compose;
use crate::finding::{Place, below};
use crate::firewall::{Ufw, Verdict};
use crate::plan::{Component, LOGGER_DIR, Plan, Published, Role, Target};
use crate::spec::Docker;
use crate::spec::values::{Protocol, Volume};

impl Context<'_> {
    /// Where a place stands in the file, to tell the first of two.
    #[must_use]
    pub fn position(&self, place: &Place) -> usize {
        match place {
            Place::Key(pointer) => self.root.key_span(pointer).start,
            Place::Value(pointer) => self.root.value_span(pointer).start,
            Place::Bytes(span) => span.start,
            Place::At(origin) => origin.start as usize,
        }
    }

    /// Whether the file says it; otherwise it goes without saying.
    #[must_use]
    pub fn is_written(&self, place: &Place) -> bool {
        match place {
            Place::Key(pointer) | Place::Value(pointer) => self.root.get(pointer).is_some(),
            Place::Bytes(_) | Place::At(_) => true,
        }
    }
}

/// Where the number of a component's instances is said: its `replicas`, or its name when a what-if says it or nobody.
pub(crate) fn replicas_place(component: &Component) -> Place {
    match component.scaled_by {
        Some(_) => Place::key(&component.pointer),
        None => Place::value_of(&component.pointer, "replicas"),
    }
}

/// How many instances a component has, and because of what: `broker `bro` has 2 instances`.
pub(crate) fn instances(component: &Component) -> String {
    let (role, name) = (component.role.name(), &component.name);
    let number = count(u64::from(component.replicas), "instance");
    match &component.scaled_by {
        Some(words) => format!("with `{words}`, {role} `{name}` has {number}"),
        None => format!("{role} `{name}` has {number}"),
    }
}

/// All ports that are really published: those of components that run here.
pub(crate) fn published(plan: &Plan) -> impl Iterator<Item = (&Component, &Published)> {
    let running = plan.deployed().filter(|component| component.replicas > 0);
    running.flat_map(|component| component.published.iter().map(move |published| (component, published)))
}

/// An entry of `publish` with another value, in the form that the file has.
pub(crate) fn publish_as(published: &Published, value: &str) -> String {
    let entry = format!("{} = {value}", published.endpoint);
    // `["frontend"]` says nothing of a port: it must become a table.
    if published.pointer.last() == Some(&published.endpoint) { entry } else { format!("publish = {{ {entry} }}") }
}

/// Whether only the host itself reaches a published port.
pub(crate) fn is_loopback(published: &Published) -> bool {
    published.address.is_some_and(|address| address.is_loopback())
}

/// All endpoints that somebody is bound to: component and endpoint.
pub(crate) fn used(plan: &Plan) -> HashSet<(&str, &str)> {
    let bindings = plan.components.values().flat_map(|component| &component.bindings);
    let endpoints = bindings.filter_map(|binding| match &binding.target {
        Target::Component { name, endpoint } => Some((name.as_str(), endpoint.as_str())),
        Target::External { .. } => None,
    });
    endpoints.collect()
}

/// The volume that holds a logger's log, with its index among the component's volumes.
pub(crate) fn log_volume(logger: &Component) -> Option<(usize, &Volume)> {
    let folder = log_dir(logger);
    let holds = |volume: &Volume| inside(folder, &volume.target).is_some();
    // The deepest mount is the one that is written to.
    logger.volumes.iter().enumerate().filter(|(_, volume)| holds(volume)).max_by_key(|(_, volume)| volume.target.len())
}

/// Where a logger's log is on the host (or in which named volume), and where the file says so.
pub(crate) fn log_folder(logger: &Component) -> Option<(String, Place)> {
    let (index, volume) = log_volume(logger)?;
    let own = usize::from(matches!(logger.role, Role::Logger { volume: Some(_), .. }));
    let place = match index.checked_sub(own) {
        None => below(&logger.pointer, "volume"),
        Some(index) => below(&below(&logger.pointer, "volumes"), &index.to_string()),
    };
    let rest = inside(log_dir(logger), &volume.target)?;
    let parts = volume.source.split('/').chain(rest.split('/')).filter(|part| !matches!(*part, "" | "."));
    let root = if volume.source.starts_with('/') { "/" } else { "" };
    // A named volume and a folder beside the topology may have the same name.
    let kind = if volume.is_bind() { "" } else { "volume:" };
    Some((format!("{kind}{root}{}", parts.collect::<Vec<_>>().join("/")), Place::Value(place)))
}

/// The folder in the container that a logger writes to.
pub(crate) fn log_dir(logger: &Component) -> &str {
    logger.env.get("LOGGER_DIR").map_or(LOGGER_DIR, |variable| variable.value.as_str())
}

/// What is left of a path below a folder.
fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// What ufw says about each published port that other machines can reach. Nothing while there is no ufw or it is off, and
/// nothing about ports that `ufw route` opens: there the rules of ufw-docker decide.
pub(crate) fn ufw_verdicts<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a Component, &'a Published, &'a Ufw, Verdict<'a>)> {
    let ufw = context.firewall.filter(|ufw| ufw.active);
    let ports = ufw.into_iter().flat_map(|ufw| published(context.plan).map(move |(component, published)| (component, published, ufw)));
    ports
        .filter(|(_, published, ufw)| !is_loopback(published) && !ufw.routes_to(published.port, published.protocol))
        .map(|(component, published, ufw)| {
            let verdict = ufw.verdict(published.address, published.host_port, published.protocol);
            (component, published, ufw, verdict)
        })
        .filter(|(_, _, ufw, verdict)| is_told(ufw, verdict))
}

/// Where ufw decides itself, its word is the truth; only a port that it lets nobody into is worth a word.
fn is_told(ufw: &Ufw, verdict: &Verdict<'_>) -> bool {
    ufw.docker == Docker::Plain || *verdict == Verdict::NotAllowed
}

/// A port that a service publishes for other machines, and what ufw says of it.
pub(crate) struct Judged<'a> {
    pub(crate) service: &'a compose::view::Service<'a>,
    pub(crate) port: &'a compose::view::Port<'a>,
    pub(crate) number: u16,
    pub(crate) protocol: Protocol,
    pub(crate) ufw: &'a Ufw,
    pub(crate) verdict: Verdict<'a>,
}

impl Judged<'_> {
    /// What is published where.
    pub(crate) fn what(&self) -> String {
        format!("`{}` is published on host port {}/{}", self.service.name, self.number, self.protocol)
    }

    /// The way to the entry.
    pub(crate) fn path(&self) -> String {
        self.service.path(&format!("ports.{}", self.port.index))
    }
}

/// The same as [`ufw_verdicts`] for a Compose project.
pub(crate) fn compose_ufw_verdicts<'a>(context: &compose::Context<'a>) -> impl Iterator<Item = Judged<'a>> {
    let ufw = context.firewall.filter(|ufw| ufw.active);
    let services: Vec<&'a compose::view::Service<'a>> = if ufw.is_some() { context.services().collect() } else { Vec::new() };
    let ports = services
        .into_iter()
        .filter(|service| service.mode.is_none())
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    ports.filter_map(move |(service, port)| {
        let ufw = ufw?;
        let (number, _) = port.published.filter(|_| !port.is_loopback())?;
        let protocol = match port.protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        if ufw.routes_to(port.target, protocol) {
            return None;
        }
        let verdict = ufw.verdict(port.address, number, protocol);
        is_told(ufw, &verdict).then_some(Judged { service, port, number, protocol, ufw, verdict })
    })
}
