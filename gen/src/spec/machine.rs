//! Machines: where components run, and what stands in front of their ports.

use std::borrow::Cow;
use std::num::NonZeroU32;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as DeriveDeserialize;
use serde::de::{Deserialize, Deserializer};

use super::Cpus;
use super::values::{LabelText, NodeName, Protocol, Size, number_or_text};

/// On which machine a component runs. Compose has one machine and ignores it.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// The node's host name.
    pub node: Option<NodeName>,
    /// Labels that the node must have: `{ disk = "ssd" }`.
    pub labels: IndexMap<LabelText, LabelText>,
    /// Over what the instances are spread: `"node"` puts each on the node that has the fewest of them.
    pub spread: Option<Spread>,
    /// The most instances on one node.
    #[schemars(range(min = 1))]
    pub max_per_node: Option<NonZeroU32>,
}

/// Over what instances are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Over the nodes.
    Node,
}

/// A machine of a cluster. Its name is its host name.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// What is special about it, for `placement.labels`: `{ disk = "ssd" }`. The cluster must know the labels too, in a Swarm
    /// by `docker node update --label-add disk=ssd NODE`.
    pub labels: IndexMap<LabelText, LabelText>,
    /// How many processors the instances may use together. Default: not limited.
    pub cpus: Option<Cpus>,
    /// How much memory the instances may use together: `"8GiB"`. Default: not limited.
    pub memory: Option<Size>,
}

/// Facts about the machine that publishes ports.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// The name or address by which outside clients reach it.
    pub address: Option<String>,
    /// Its firewall.
    pub firewall: Option<Firewall>,
}

/// The rules of the host's firewall, as far as they matter here.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Which firewall it is.
    pub kind: FirewallKind,
    /// What happens to what no rule speaks of. Default: `deny`.
    pub default: Option<FirewallDefault>,
    /// How Docker's own rules stand to it. Default: `plain`.
    pub docker: Option<Docker>,
    /// Ports that are let in: `["22/tcp", "8000:9000/tcp"]`.
    #[serde(default)]
    pub allow: Vec<PortRange>,
    /// Ports that are not let in.
    #[serde(default)]
    pub deny: Vec<PortRange>,
    /// Ports that are refused with an answer.
    #[serde(default)]
    pub reject: Vec<PortRange>,
    /// Ports whose connections are limited in number.
    #[serde(default)]
    pub limit: Vec<PortRange>,
}

/// How Docker and ufw stand to each other: who decides about a published port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, DeriveDeserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Docker {
    /// Docker opens it by address translation, before ufw is asked: its default.
    #[default]
    Plain,
    /// The rules of ufw-docker are in the chain `DOCKER-USER`: `ufw route` decides, by the container's port.
    UfwDocker,
    /// Containers are on the host's network: ufw decides, by the host's port.
    HostNetwork,
    /// The engine runs with `iptables: false`: ufw decides, by the host's port.
    NoIptables,
}

/// A kind of firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirewallKind {
    /// Ubuntu's uncomplicated firewall.
    Ufw,
    /// No firewall.
    None,
}

/// What a firewall does by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirewallDefault {
    /// Let in.
    Allow,
    /// Drop.
    Deny,
    /// Refuse.
    Reject,
}

/// Ports of a firewall rule: `22/tcp`, `8000:9000/tcp`, or `53` for both protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// `None` means TCP and UDP.
    pub protocol: Option<Protocol>,
}

impl std::str::FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = crate::source::decode::shorten(text);
        let wrong = || format!("`{short}` names no ports: write `22/tcp`, `8000:9000/tcp` or `53`");
        let (ports, protocol) = match text.split_once('/') {
            None => (text, None),
            Some((ports, "tcp")) => (ports, Some(Protocol::Tcp)),
            Some((ports, "udp")) => (ports, Some(Protocol::Udp)),
            Some(_) => return Err(wrong()),
        };
        let (first, last) = ports.split_once(':').unwrap_or((ports, ports));
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("`{short}` begins behind its end"));
        }
        Ok(Self { first, last, protocol })
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number_or_text(deserializer, "ports like `\"22/tcp\"` or `\"8000:9000/tcp\"`")
    }
}

impl JsonSchema for PortRange {
    fn schema_name() -> Cow<'static, str> {
        "PortRange".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Ports of a firewall rule: `\"22/tcp\"`, `\"8000:9000/tcp\"`, or `53` for both protocols.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65535 },
                { "type": "string", "pattern": "^[0-9]+(:[0-9]+)?(/(tcp|udp))?$" }
            ]
        })
    }
}
