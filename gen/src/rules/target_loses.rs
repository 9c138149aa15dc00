//! `target-loses`

use crate::finding::{Finding, Place};
use crate::render::Loss;
use crate::rules::Context;

rule! {
    /// The topology says something that the target cannot do.
    ///
    /// What a topology says holds in full for Compose, the target when none is named. `--target` asks for another one.
    ///
    /// ### What happens
    /// The files are written without it. Each finding says what the system then does instead.
    ///
    /// ### What to do
    /// What the finding says; or allow it where you can live with it.
    "target-loses", Warning, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for Loss { pointer, what, effect, remedy } in context.target.losses(context.plan) {
        // A value where there is one, and the name in a table's header.
        let place = if pointer.len() > 2 { Place::Value(pointer) } else { Place::Key(pointer) };
        findings.push(RULE.finding(place, what, effect, remedy));
    }
}
