//! `unknown-reference`

use crate::finding::{Finding, Place, did_you_mean};
use crate::plan::Endpoint;
use crate::rules::list;
use crate::spec::values::{Name, NodeName};
use crate::topology::{Component, Topology};

rule! {
    /// A name stands for a component or an endpoint that there is not.
    ///
    /// ### What happens
    /// The name would not resolve in the deployment, and whoever connects to it waits for ever.
    ///
    /// ### What to do
    /// Correct the name, or add what it stands for.
    "unknown-reference", Error, None
}

const CONSEQUENCE: &str = "the name would not resolve, and whoever connects to it would wait for ever";

fn help<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(written, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.clone().next().is_none() => "there is none".to_owned(),
        None => format!("there is {}", list(known)),
    }
}

/// No component or external of that name.
#[must_use]
pub fn component(name: &str, topology: &Topology, place: Place) -> Finding {
    let components = topology.components.iter().map(|component| component.name.as_str());
    let known = components.chain(topology.externals.keys().map(Name::as_str));
    named(name, known, place)
}

/// No component or external of that name, where these are known.
#[must_use]
pub fn named<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, place: Place) -> Finding {
    let name = crate::source::decode::shorten(name);
    RULE.finding(place, format!("there is no component `{name}`"), CONSEQUENCE.to_owned(), help(&name, known))
}

/// No broker or logger of that name.
#[must_use]
pub fn of_role(name: &str, role: &str, topology: &Topology, place: Place) -> Finding {
    let known = topology.components.iter().filter(|c| c.role.name() == role).map(|c| c.name.as_str());
    let name = crate::source::decode::shorten(name);
    RULE.finding(place, format!("there is no {role} `{name}`"), CONSEQUENCE.to_owned(), help(&name, known))
}

/// A component of that name that is something else.
#[must_use]
pub fn wrong_role(name: &str, role: &str, other: &Component, place: Place) -> Finding {
    let is = other.role.name();
    let mut finding = RULE.finding(
        place,
        format!("`{name}` is a {is}, not a {role}"),
        format!("a {is} does not do what a {role} does, so nothing would be answered"),
        format!("name a {role}"),
    );
    finding.related.push((Place::key(&other.pointer), "it is declared here".to_owned()));
    finding
}

/// No node of that name.
#[must_use]
pub fn node(name: &str, topology: &Topology, place: Place) -> Finding {
    let known = topology.nodes.keys().map(NodeName::as_str);
    let name = crate::source::decode::shorten(name);
    let consequence = "no machine of that name would be found, and nothing would be started".to_owned();
    RULE.finding(place, format!("there is no node `{name}`"), consequence, help(&name, known))
}

/// No endpoint of that name.
#[must_use]
pub fn endpoint(name: &str, component: &str, endpoints: &[Endpoint], place: Place) -> Finding {
    let known = endpoints.iter().map(|endpoint| endpoint.name.as_str());
    let name = crate::source::decode::shorten(name);
    RULE.finding(
        place,
        format!("`{component}` has no endpoint `{name}`"),
        "there is no such port to connect to".to_owned(),
        help(&name, known),
    )
}
