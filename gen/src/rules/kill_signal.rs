//! `kill-signal`

use crate::compose::Context;
use crate::compose::dockerfile::Dockerfile;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;

rule! {
    /// A container is stopped by a signal that no program can handle.
    ///
    /// ### What happens
    /// SIGKILL ends it at once: nothing is written, no connection is closed, what was in hand is lost.
    ///
    /// ### What to do
    /// Use SIGTERM, the default, or the signal that the program asks for.
    "kill-signal", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let is_kill = |text: &str| matches!(text.to_ascii_uppercase().trim_start_matches("SIG"), "KILL" | "9" | "STOP" | "19");
    let tell = |place, what: &str| {
        RULE.finding(
            Place::At(place),
            format!("{what} is stopped by a signal that no program can handle"),
            "it ends at once: what it has in hand is lost".to_owned(),
            "use `SIGTERM`, or the signal that the program asks for".to_owned(),
        )
    };
    for service in context.services() {
        if let Some((_, origin)) = service.text("stop_signal").filter(|(signal, _)| is_kill(signal)) {
            findings.push(tell(origin, &format!("`{}`", service.name)).about(service.path("stop_signal")));
        }
        if let Some((_, origin)) = service.text("stop_grace_period").filter(|(time, _)| crate::compose::view::milliseconds(time) == Some(0)) {
            findings.push(
                RULE.finding(
                    Place::At(origin),
                    format!("`{}` gets no time to end by itself", service.name),
                    "it is killed at once: what it has in hand is lost".to_owned(),
                    "remove `stop_grace_period`: the default is `10s`".to_owned(),
                )
                .about(service.path("stop_grace_period")),
            );
        }
    }
    for built in context.dockerfiles() {
        let file: &Dockerfile = &built.dockerfile;
        for signal in file.instructions.iter().filter(|one| one.keyword == "STOPSIGNAL") {
            if let Some(word) = signal.words.first().filter(|word| is_kill(&word.text)) {
                findings.push(tell(built.at(&word.range), "the container").about(about(built)));
            }
        }
    }
}
