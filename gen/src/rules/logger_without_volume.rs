//! `logger-without-volume`

use crate::finding::{Finding, Place};
use crate::plan::Role;
use crate::rules::{Context, log_dir, log_folder};

rule! {
    /// A logger keeps its log inside of its container.
    ///
    /// ### What happens
    /// The log lives as long as the container. It is gone after `docker compose down`, and after every change that makes
    /// Compose replace the container.
    ///
    /// ### What to do
    /// Keep it on the host, or in a named volume: `volume = "./logs:/var/log/cbw"`.
    ///
    /// ### Example
    /// ```toml
    /// [logger.log]
    /// volume = "./logs:/var/log/cbw"    # host side : container side
    /// ```
    "logger-without-volume", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // The volume may be what could not be read.
    if !context.plan.complete {
        return;
    }
    let loggers = context.plan.deployed().filter(|component| matches!(component.role, Role::Logger { .. }));
    for logger in loggers.filter(|logger| logger.replicas > 0 && log_folder(logger).is_none()) {
        let folder = log_dir(logger);
        let elsewhere = match logger.volumes.first() {
            Some(volume) => format!("; its volume is `{}`", volume.target),
            None => String::new(),
        };
        findings.push(RULE.finding(
            Place::key(&logger.pointer),
            format!("logger `{}` keeps its log in `{folder}`, which is no volume{elsewhere}", logger.name),
            "the log is lost with the container: `docker compose down` deletes it".to_owned(),
            format!("add `volume = \"./logs:{folder}\"`"),
        ));
    }
}
