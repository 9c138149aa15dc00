//! `ambiguous-binding`

use crate::finding::{Finding, Place};
use crate::plan::Endpoint;
use crate::rules::list;
use crate::topology::Component;

rule! {
    /// A component could be bound to several others, and the file does not say to which.
    ///
    /// ### What happens
    /// With two brokers, workers and clients that pick for themselves end up apart: clients of one broker wait while the
    /// workers of the other are idle. So the binding must be named.
    ///
    /// ### What to do
    /// Name it: `broker = "bro"`, `logger = "log"`, or `needs = { db = "db.sql" }`.
    "ambiguous-binding", Error, None
}

/// `component` needs one of `role` and there are several.
#[must_use]
pub fn several(component: &Component, role: &str, names: Vec<&str>) -> Finding {
    let (own, name) = (component.role.name(), &component.name);
    let first = names.first().copied().unwrap_or_default().to_owned();
    let consequence = match role {
        "broker" => "bound to different brokers, clients wait for ever while workers are idle",
        _ => "the log would be split between them, and its lines out of order",
    };
    RULE.finding(
        Place::key(&component.pointer),
        format!("{own} `{name}` could use any of {} {role}s: {}", names.len(), list(names)),
        consequence.to_owned(),
        format!("name it: `{role} = \"{first}\"`"),
    )
}

/// A need that the role has already.
#[must_use]
pub fn twice(need: &str, component: &Component, place: Place) -> Finding {
    let (own, name) = (component.role.name(), &component.name);
    RULE.finding(
        place,
        format!("{own} `{name}` has the need `{need}` already"),
        format!("`{}_HOST` could not name both", need.to_uppercase()),
        format!("use the key `{need}` of the table, or give this need another name"),
    )
}

/// A component with several endpoints, or none, named without one.
#[must_use]
pub fn endpoint(name: &str, endpoints: &[Endpoint], place: Place) -> Finding {
    match endpoints.first() {
        Some(first) => RULE.finding(
            place,
            format!("`{name}` has {} endpoints: {}", endpoints.len(), list(endpoints.iter().map(|e| e.name.as_str()))),
            "it cannot be told which port to connect to".to_owned(),
            format!("name it, as in `{name}.{}`", first.name),
        ),
        None => RULE.finding(
            place,
            format!("`{name}` listens on no port"),
            "there is nothing to connect to".to_owned(),
            format!("give it one, as in `ports = {{ http = 80 }}`, and write `{name}.http`"),
        ),
    }
}
