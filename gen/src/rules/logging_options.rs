//! `logging-options`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A logging driver gets an option that it does not know.
    ///
    /// ### What happens
    /// The container is not created: "unknown log opt".
    ///
    /// ### What to do
    /// Options that limit the size (`max-size`, `max-file`) belong to `json-file` and `local`. The others hand the log on and keep nothing.
    "logging-options", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(logging) = service.node.get("logging") else { continue };
        let driver = logging.get("driver").and_then(|driver| Some((driver.str()?, driver.origin)));
        let (driver, place) = driver.unwrap_or(("json-file", logging.origin));
        for (name, entry) in logging.get("options").into_iter().flat_map(Node::entries) {
            let foreign = match driver {
                "json-file" | "local" => ["syslog-", "gelf-", "fluentd-", "awslogs-", "splunk-", "gcp-"].iter().any(|prefix| name.starts_with(prefix)),
                "syslog" | "journald" | "gelf" | "fluentd" | "awslogs" | "splunk" | "gcplogs" => matches!(name, "max-size" | "max-file" | "compress"),
                _ => false,
            };
            if !foreign {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(entry.key),
                    format!("the logging driver `{driver}` of `{}` does not know the option `{name}`", service.name),
                    format!("the container is not created: \"unknown log opt '{name}' for {driver} log driver\""),
                    format!("remove `{name}`, or change the driver"),
                )
                .about(service.path(&format!("logging.options.{name}")))
                .with(Place::At(place), "the driver"),
            );
        }
    }
}
