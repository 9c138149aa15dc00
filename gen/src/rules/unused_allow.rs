//! `unused-allow`

use crate::finding::{Finding, Place};

rule! {
    /// A comment allows something that is not found where it stands.
    ///
    /// ### What happens
    /// Nothing today. But the comment stays when the reason for it is long gone, and hides the next mistake of this kind; or it
    /// stands at the wrong place, and what it should allow is still reported.
    ///
    /// ### What to do
    /// Remove it, or move it: behind the value, or on a line of its own above the entry, the table or the service. What
    /// Compose itself refuses cannot be allowed. A comment is only judged when its rule was asked: not without `--pedantic` or
    /// `--security` where the rule belongs to one of these, not without `--ufw` where it is about the firewall.
    "unused-allow", Note, None
}

/// Nothing of the rule `name` is found.
#[must_use]
pub fn unused(name: &str, place: Place) -> Finding {
    RULE.finding(
        place,
        format!("there is nothing of `{name}` to allow here"),
        "the comment has no effect, and would hide the next mistake of this kind".to_owned(),
        "remove it, or move it to the place that it speaks of".to_owned(),
    )
}

/// Something is found that Compose refuses.
#[must_use]
pub fn refused(name: &str, place: Place) -> Finding {
    RULE.finding(
        place,
        format!("`{name}` cannot be allowed here: `docker compose` itself refuses the project"),
        "the comment has no effect".to_owned(),
        "correct what is reported, and remove the comment".to_owned(),
    )
}
