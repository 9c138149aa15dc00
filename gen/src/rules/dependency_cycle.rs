//! `dependency-cycle`

use crate::finding::{Finding, Place};
use crate::source::pointer;

rule! {
    /// Components need each other in a circle.
    ///
    /// ### What happens
    /// Each waits for the next to be healthy, so none of them ever starts. Images that are built from each other cannot be
    /// built either.
    ///
    /// ### What to do
    /// Take one of the needs away: usually one of the two can connect later by itself.
    "dependency-cycle", Error, None
}

fn circle(names: &[&str]) -> String {
    let mut way: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    if names.len() > 12 {
        way.push(format!("… ({} in all)", names.len()));
    }
    way.push(format!("`{}`", names[0]));
    way.join(" → ")
}

/// Components in a circle, the first one at `place`.
#[must_use]
pub fn finding(names: &[&str], place: &[String]) -> Finding {
    RULE.finding(
        Place::key(place),
        format!("components need each other in a circle: {}", circle(names)),
        "each waits for the next to be healthy, so none of them ever starts".to_owned(),
        "take one of these needs away".to_owned(),
    )
}

/// Base images in a circle.
#[must_use]
pub fn images(names: &[&str]) -> Finding {
    RULE.finding(
        Place::key(&pointer(["image", names[0]])),
        format!("images are built from each other in a circle: {}", circle(names)),
        "none of them can be built first".to_owned(),
        "build one of them from a public image".to_owned(),
    )
}
