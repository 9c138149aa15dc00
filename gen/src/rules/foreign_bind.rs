//! `foreign-bind`

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::finding::{Finding, Place};

rule! {
    /// A service listens on the address of another one.
    ///
    /// ### What happens
    /// A program can listen only on addresses of its own container: "cannot assign requested address", and it ends.
    ///
    /// ### What to do
    /// Listen on every address (`tcp://*:5555`); the name belongs where one connects.
    "foreign-bind", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for service in context.services() {
        for endpoint in service.endpoints.iter().filter(|one| one.role == Role::Bind && one.is_name()) {
            let Some(other) = all.services.get(endpoint.host.as_str()).filter(|other| other.name != service.name) else { continue };
            if std::ptr::eq(all.network_owner(other), all.network_owner(service)) {
                continue;
            }
            let scheme = endpoint.scheme.as_ref().map_or_else(String::new, |scheme| format!("{scheme}://"));
            let any = if matches!(endpoint.scheme.as_deref(), Some("tcp" | "zmq")) { "*" } else { "0.0.0.0" };
            let port = endpoint.number().map_or_else(String::new, |port| format!(":{port}"));
            findings.push(
                RULE.finding(
                    Place::At(all.narrow(endpoint.origin, &endpoint.host)),
                    format!("`{}` listens on `{}`, which is the address of another service", service.name, endpoint.shown()),
                    "the program ends: \"cannot assign requested address\"".to_owned(),
                    format!("listen on every address: `{scheme}{any}{port}`"),
                )
                .about(&endpoint.path)
                .with(Place::At(other.key), "the service of this name"),
            );
        }
    }
}
