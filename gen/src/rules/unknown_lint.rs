//! `unknown-lint`

use crate::finding::{Finding, Fix, Place, did_you_mean};

rule! {
    /// `[lints]` or a comment names a rule that there is not, or one that cannot be changed.
    ///
    /// ### What happens
    /// The line has no effect: what was meant to be allowed is still reported, or what was meant to be an error is not one.
    ///
    /// ### What to do
    /// Correct the name; `cbwgen rules` lists all of them. Findings of the reader (syntax, keys, names) cannot be switched
    /// off, since nothing can be written from what could not be read.
    "unknown-lint", Warning, None
}

/// `name` is no rule.
#[must_use]
pub fn unknown(name: &str, place: Place) -> Finding {
    let known = super::ALL.iter().map(|rule| rule.name);
    let name = crate::source::decode::shorten(name);
    let near = did_you_mean(&name, known);
    let help = near.map_or_else(|| "`cbwgen rules` lists all rules".to_owned(), |near| format!("did you mean `{near}`?"));
    let fix = match (near, &place) {
        (Some(near), Place::At(origin)) => Some(Fix { title: format!("write `{near}`"), edits: vec![(*origin, near.to_owned())] }),
        _ => None,
    };
    let finding = RULE.finding(place, format!("there is no rule `{name}`"), "the line has no effect".to_owned(), help);
    Finding { fix, ..finding }
}

/// `name` is a rule of the reader.
#[must_use]
pub fn fixed(name: &str, place: Place) -> Finding {
    RULE.finding(
        place,
        format!("the rule `{name}` cannot be changed"),
        "the line has no effect: nothing can be written from what could not be read".to_owned(),
        "remove it".to_owned(),
    )
}
