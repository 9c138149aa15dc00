//! `target-loses`

use crate::finding::{Finding, Place, Severity};
use crate::render::Loss;
use crate::rules::Context;

rule! {
    /// The topology says something that the target cannot do.
    ///
    /// What a topology says holds in full for Compose, the target when none is named. `--target` asks for another one.
    ///
    /// ### What happens
    /// The files are written without it. Each finding says what the system then does instead. What the target refuses altogether
    /// is an error, and nothing is written.
    ///
    /// ### What to do
    /// What the finding says; or allow it where you can live with it.
    "target-loses", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let losses = context.target.losses(context.plan).into_iter().map(|loss| (loss, RULE.severity));
    let refusals = context.target.refusals(context.plan).into_iter().map(|loss| (loss, Severity::Error));
    for (Loss { pointer, what, effect, remedy }, severity) in refusals.chain(losses) {
        // A value where there is one, and the name in a table's header.
        let place = if pointer.len() > 2 { Place::Value(pointer) } else { Place::Key(pointer) };
        findings.push(Finding { severity, ..RULE.finding(place, what, effect, remedy) });
    }
}
