//! `healthcheck-timing`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::compose::view::milliseconds;
use crate::finding::{Finding, Place};

rule! {
    /// The times of a health check do not fit together.
    ///
    /// ### What happens
    /// A check that may take longer than the time between two of them tells of a failure late: with `interval: 5s`, `timeout: 60s` and
    /// three tries after more than three minutes. `retries: 0` means 3, and 0 as a time means the default, 30 s.
    ///
    /// ### What to do
    /// Let `timeout` be shorter than `interval`, and write the numbers that are meant.
    "healthcheck-timing", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(node) = service.health.as_ref().filter(|health| !health.is_disabled).and_then(|health| health.node) else { continue };
        let time = |key: &str| node.get(key).and_then(|value| Some((milliseconds(value.str()?)?, value.origin, value.str()?)));
        let mut tell = |key: &str, origin, message: String, consequence: &str, help: String| {
            findings.push(RULE.finding(Place::At(origin), message, consequence.to_owned(), help).about(service.path(&format!("healthcheck.{key}"))));
        };
        if let (Some((timeout, origin, text)), Some((interval, _, every))) = (time("timeout"), time("interval"))
            && timeout > interval && interval > 0 {
                let message = format!("the health check of `{}` may take {text}, but is due every {every}", service.name);
                tell("timeout", origin, message, "a program that hangs is noticed late", format!("write a `timeout` shorter than {every}"));
            }
        if let Some(retries) = node.get("retries").filter(|retries| retries.int() == Some(0)) {
            let message = format!("`retries: 0` of `{}` means 3", service.name);
            tell("retries", retries.origin, message, "0 stands for the default", "write 1 for a check that may not fail once".to_owned());
        }
        for key in ["interval", "timeout"] {
            if let Some((0, origin, _)) = time(key) {
                let message = format!("`{key}` of the health check of `{}` is 0, which means the default, 30 s", service.name);
                tell(key, origin, message, "0 stands for the default", "write the time that is meant".to_owned());
            }
        }
        if let (Some((_, origin, _)), None) = (time("start_interval"), node.get("start_period").filter(|period| !Node::is_null(period))) {
            let message = format!("`start_interval` of `{}` has no `start_period` to which it belongs", service.name);
            tell("start_interval", origin, message, "it has no effect", "add `start_period: 30s`".to_owned());
        }
    }
}
