//! `underscore-host`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A host name in a URL has an underscore.
    ///
    /// ### What happens
    /// Docker's DNS finds the name, but an underscore is not allowed in a host name (RFC 952, RFC 1123). Java finds no host
    /// in such a URL, Django answers 400 to such a request; others take it, until a program is updated.
    ///
    /// ### What to do
    /// Call the service `my-broker`, or give it an alias without underscores.
    "underscore-host", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (service, endpoint, other) in context.surroundings.links() {
        if !endpoint.host.contains('_') || endpoint.scheme.is_none() {
            continue;
        }
        let better = endpoint.host.replace('_', "-");
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(endpoint.origin, &endpoint.host)),
                format!("`{}` connects to `{}`: a host name must not have an underscore", service.name, endpoint.shown()),
                "many libraries refuse the URL or the request".to_owned(),
                format!("call the service `{better}`, or give it that alias: `networks: {{ default: {{ aliases: [{better}] }} }}`"),
            )
            .about(&endpoint.path)
            .with(Place::At(other.key), "the service"),
        );
    }
}
