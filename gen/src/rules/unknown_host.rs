//! `unknown-host`

use std::collections::HashMap;

use crate::compose::Context;
use crate::compose::endpoint::Role;
use crate::compose::surroundings::Host;
use crate::finding::{Finding, Place, did_you_mean};
use crate::rules::list;

rule! {
    /// A host name belongs to no service.
    ///
    /// ### What happens
    /// The name is looked up in the project's networks, where only services, their aliases and container names are known. Nothing
    /// is found: "name or service not known", again and again, while every container says "running".
    ///
    /// ### What to do
    /// Write the name of the service. A machine outside of the project needs its full name (`db.example.com`) or an entry in
    /// `extra_hosts`.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   db:
    ///     image: postgres:16.4
    ///   web:
    ///     image: acme/web:1.0
    ///     environment:
    ///       DATABASE_URL: postgres://db:5432/app    # not `database`
    /// ```
    "unknown-host", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    let mut names = Names { all: all.services.keys().copied().collect(), told: HashMap::new(), left: 100_000 };
    for service in context.services() {
        let network = all.network_owner(service).mode;
        for (endpoint, host) in all.connections(service) {
            if !endpoint.is_sure || endpoint.role != Role::Connect || !matches!(host, Host::Unknown) {
                continue;
            }
            // Docker's own names for the host, and what other programs in the container give.
            if matches!(endpoint.host.as_str(), "host" | "metadata" | "example" | "none" | "null" | "false" | "changeme" | "hostname" | "yourdomain") {
                continue;
            }
            let place = Place::At(all.narrow(endpoint.origin, &endpoint.host));
            if network.is_some_and(|(mode, _)| mode == "none") {
                continue;
            }
            let help = names.help(&endpoint.host, service.name);
            findings.push(
                RULE.finding(
                    place,
                    format!("`{}` connects to `{}`, but no service has the name `{}`", service.name, endpoint.shown(), endpoint.host),
                    "the name is not found, and the connection never comes about".to_owned(),
                    help,
                )
                .about(&endpoint.path),
            );
        }
    }
}

/// What to say of an unknown name. Comparing names is dear: many unknown ones in a large project are not all compared.
struct Names<'a> {
    all: Vec<&'a str>,
    told: HashMap<String, Option<&'a str>>,
    left: usize,
}

impl Names<'_> {
    fn help(&mut self, host: &str, own: &str) -> String {
        let known = self.told.get(host).copied();
        let near = known.unwrap_or_else(|| {
            let few = self.all.len().min(self.left);
            self.left -= few;
            did_you_mean(host, self.all.iter().copied().take(few))
        });
        self.told.insert(host.to_owned(), near);
        let others = self.all.iter().copied().filter(|name| *name != own);
        match near.filter(|near| *near != own) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.all.len() < 2 => "write the full name of the machine, or add the service".to_owned(),
            None => {
                // A long list is cut: seven are enough to tell.
                let more = if self.all.len() > 8 { ", …" } else { "" };
                format!("write the name of a service ({}{more}), or the full name of a machine outside", list(others.take(6)))
            }
        }
    }
}
