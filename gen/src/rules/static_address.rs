//! `static-address`

use std::collections::HashMap;
use std::net::IpAddr;

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};
use crate::source::Origin;

rule! {
    /// A static address cannot be given.
    ///
    /// ### What happens
    /// The container does not start: "invalid address: it does not belong to any of this network's subnets", "address already in use", or
    /// "user specified IP address is supported only when connecting to networks with user configured subnets".
    ///
    /// ### What to do
    /// Give the network a `subnet`, and each service its own address in it, but not the first (the gateway) nor the last. Better: use
    /// names, which never clash.
    ///
    /// ### Example
    /// ```yaml
    /// networks:
    ///   back:
    ///     ipam: { config: [{ subnet: 10.9.0.0/24 }] }
    /// ```
    "static-address", Error, Default, topology: None, compose: Some(check)
}

/// An address and how many bits of it are the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) first: u128,
    pub(crate) last: u128,
    pub(crate) is_v4: bool,
}

impl Subnet {
    /// Reads `10.9.0.0/24`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.trim().split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u32 = prefix.parse().ok()?;
        let (bits, is_v4) = (number(address), address.is_ipv4());
        let width: u32 = if is_v4 { 32 } else { 128 };
        let host = width.checked_sub(prefix).filter(|_| prefix <= width)?;
        let mask = if host == 128 { u128::MAX } else { (1_u128 << host) - 1 };
        Some(Self { first: bits & !mask, last: bits | mask, is_v4 })
    }

    fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4 && (self.first..=self.last).contains(&number(address))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A subnet: text, place, gateway.
type Config<'p> = (&'p str, Origin, Option<(IpAddr, Origin)>);

/// The subnets of a network.
pub(crate) fn subnets(network: &Node) -> Vec<Config<'_>> {
    let configs = network.at(&["ipam", "config"]).map(Node::items).unwrap_or_default();
    let read = configs.iter().filter_map(|config| {
        let subnet = config.get("subnet")?;
        let gateway = config.get("gateway").and_then(|gateway| Some((gateway.str()?.parse().ok()?, gateway.origin)));
        Some((subnet.str()?, subnet.origin, gateway))
    });
    read.collect()
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut taken: HashMap<(&str, IpAddr), (&str, Origin)> = HashMap::new();
    for service in context.services() {
        for attachment in &service.networks {
            let Some(network) = context.project.model.at(&["networks", attachment.network]) else { continue };
            for key in ["ipv4_address", "ipv6_address"] {
                let Some(node) = attachment.node.get(key) else { continue };
                let Some(address) = node.str().and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
                let path = service.path(&format!("networks.{}.{key}", attachment.network));
                let first = taken.get(&(attachment.network, address)).copied();
                taken.entry((attachment.network, address)).or_insert((service.name, node.origin));
                let found = judge(context, service, attachment.network, network, address, first);
                findings.extend(found.map(|(message, consequence, help, related)| {
                    let mut finding = RULE.finding(Place::At(node.origin), message, consequence, help).about(path);
                    finding.related.extend(related.map(|(origin, text)| (Place::At(origin), text)));
                    finding
                }));
            }
        }
    }
}

type Told = (String, String, String, Option<(Origin, String)>);

fn judge(context: &Context<'_>, service: &Service<'_>, name: &str, network: &Node, address: IpAddr, first: Option<(&str, Origin)>) -> Option<Told> {
    let does_not_start = |why: &str| format!("the container does not start: \"{why}\"");
    if let Some((other, origin)) = first {
        let message = format!("`{}` wants the address {address}, which `{other}` has", service.name);
        return Some((message, does_not_start("address already in use"), "give each service an address of its own".to_owned(), Some((origin, "it is given here first".to_owned()))));
    }
    if service.replicas.0 > 1 {
        let message = format!("all {} instances of `{}` want the address {address}", service.replicas.0, service.name);
        let related = Some((service.replicas.1, "several instances".to_owned()));
        return Some((message, does_not_start("address already in use"), "remove the address, and use the name of the service".to_owned(), related));
    }
    if context.surroundings.is_external(name) {
        return None;
    }
    let subnets = subnets(network);
    if subnets.is_empty() {
        let message = format!("`{}` wants the address {address}, but the network `{name}` has no subnet of its own", service.name);
        let why = does_not_start("user specified IP address is supported only when connecting to networks with user configured subnets");
        return Some((message, why, format!("give the network a subnet: `ipam: {{ config: [{{ subnet: {} }}] }}`", around(address)), Some((network.origin, "no subnet".to_owned()))));
    }
    let parsed: Vec<_> = subnets.iter().filter_map(|(text, origin, gateway)| Some((Subnet::parse(text)?, *text, *origin, *gateway))).collect();
    if parsed.len() < subnets.len() {
        return None;
    }
    let Some((subnet, text, origin, gateway)) = parsed.iter().find(|(subnet, ..)| subnet.holds(address)) else {
        let (text, origin, _) = subnets.iter().find(|(text, ..)| text.contains(':') == address.is_ipv6()).or(subnets.first())?;
        let message = format!("the address {address} of `{}` is not in the subnet {text} of `{name}`", service.name);
        let why = does_not_start("no configured subnet contains IP address");
        return Some((message, why, format!("choose an address in {text}"), Some((*origin, "the subnet".to_owned()))));
    };
    let of_gateway = gateway.map_or_else(|| number(address) == subnet.first + 1, |(gateway, _)| gateway == address);
    let related = Some((gateway.map_or(*origin, |(_, origin)| origin), "the gateway's network".to_owned()));
    if of_gateway {
        let message = format!("`{}` wants the address {address}, which is the gateway of `{name}`", service.name);
        return Some((message, does_not_start("address already in use"), format!("choose another address in {text}"), related));
    }
    let is_edge = address.is_ipv4() && subnet.last - subnet.first > 1 && (number(address) == subnet.first || number(address) == subnet.last);
    is_edge.then(|| {
        let what = if number(address) == subnet.first { "the network itself" } else { "the broadcast" };
        let message = format!("the address {address} of `{}` is that of {what} of {text}", service.name);
        (message, does_not_start("address already in use"), format!("choose another address in {text}"), Some((*origin, "the subnet".to_owned())))
    })
}

/// A subnet that would hold an address.
fn around(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(_) => "fd00:1::/64".to_owned(),
    }
}
