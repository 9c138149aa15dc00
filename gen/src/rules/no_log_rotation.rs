//! `no-log-rotation`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// Nothing limits the log that Docker keeps of a container.
    ///
    /// ### What happens
    /// The default driver, `json-file`, keeps everything that the container ever wrote. One day the disk is full, and everything on the
    /// machine stops.
    ///
    /// ### What to do
    /// Limit it here, or for the whole engine in `/etc/docker/daemon.json`:
    /// `logging: { driver: json-file, options: { max-size: 10m, max-file: "3" } }`; the driver `local` has limits of its own.
    "no-log-rotation", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let logging = service.node.get("logging");
        let driver = logging.and_then(|logging| logging.get("driver")).and_then(Node::str).unwrap_or("json-file");
        let limit = logging.and_then(|logging| logging.at(&["options", "max-size"])).and_then(Node::scalar);
        if driver != "json-file" || limit.is_some_and(|limit| limit != "-1") {
            continue;
        }
        findings.push(
            RULE.finding(
                Place::At(logging.map_or(service.key, |logging| logging.origin)),
                format!("nothing limits the log that Docker keeps of `{}`", service.name),
                "one day the disk is full".to_owned(),
                "add `logging: { driver: json-file, options: { max-size: 10m, max-file: \"3\" } }`".to_owned(),
            )
            .about(service.path("logging")),
        );
    }
}
