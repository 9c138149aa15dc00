//! What a check has to say: rule, severity, place, what is wrong, what will happen, what to do.

use std::ops::Range;

use crate::source::{Origin, Pointer};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It works today and fails on a bad day.
    Warning,
    /// It will not work, or it opens a hole.
    Error,
}

/// Which bytes of a place are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The key at the end of the pointer.
    Key(Pointer),
    /// The value at the end of the pointer.
    Value(Pointer),
    /// Bytes of the text itself, where there is no tree: syntax errors and comments.
    Bytes(Range<usize>),
    /// Bytes of one of several files: values of a Compose project remember theirs.
    At(Origin),
}

impl Place {
    /// The place of a component's name in its table header.
    #[must_use]
    pub fn key(pointer: &[String]) -> Self {
        Self::Key(pointer.to_vec())
    }

    /// The place of a key below a table.
    #[must_use]
    pub fn key_of(pointer: &[String], key: &str) -> Self {
        Self::Key(below(pointer, key))
    }

    /// The place of a value below a table.
    #[must_use]
    pub fn value_of(pointer: &[String], key: &str) -> Self {
        Self::Value(below(pointer, key))
    }
}

/// A pointer one step deeper.
#[must_use]
pub fn below(pointer: &[String], key: &str) -> Pointer {
    pointer.iter().cloned().chain([key.to_owned()]).collect()
}

/// One finding. Its texts are lower case, without a final stop, names in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, kebab-case.
    pub rule: &'static str,
    /// How bad it is; starts as the rule's default, `[lints]` may change it.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What will happen.
    pub consequence: String,
    /// What to do: a concrete edit or command where there is one.
    pub help: String,
    /// Where.
    pub place: Place,
    /// What stands under the underlined text; may be empty.
    pub label: String,
    /// Other places that belong to it, each with what it is.
    pub related: Vec<(Place, String)>,
    /// The object in words of the file, as in `services.web.ports.0`; empty where there is none.
    pub path: String,
    /// Whether `docker compose config` refuses the project because of it.
    pub refused: bool,
    /// An edit that cannot change what a good deployment does.
    pub fix: Option<Fix>,
}

/// Replacements in one file that belong together: `--fix` makes all of them or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as in: quote the port.
    pub title: String,
    /// Which bytes become which text. They do not overlap.
    pub edits: Vec<(Origin, String)>,
}

impl Finding {
    /// A finding with nothing but its texts and its place.
    #[must_use]
    pub fn new(rule: &'static str, severity: Severity, place: Place, message: String, consequence: String, help: String) -> Self {
        Self {
            rule,
            severity,
            message,
            consequence,
            help,
            place,
            label: String::new(),
            related: Vec::new(),
            path: String::new(),
            refused: false,
            fix: None,
        }
    }

    /// The same, with the object that it speaks of, as in `services.web.ports.0`.
    #[must_use]
    pub fn about(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same, as something that Compose itself refuses.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.refused = true;
        self
    }

    /// The same, with another place that belongs to it.
    #[must_use]
    pub fn with(mut self, place: Place, what: impl Into<String>) -> Self {
        self.related.push((place, what.into()));
        self
    }
}

/// The names nearest to a misspelt one: at most a third of it is different.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no misspelt names, and comparing them costs the product of the lengths.
    if written.len() > 100 {
        return None;
    }
    let written = written.to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    // A project may have thousands of names, and as many mistakes: what is far away is seen without comparing it.
    let letters = letters_of(&written);
    let may_be_near = |name: &&str| {
        let (Some(own), Some(other)) = (letters, letters_of(name)) else { return true };
        let is_near = name.len().abs_diff(written.len()) <= allowed && (own ^ other).count_ones() as usize <= 2 * allowed;
        is_near || (name.len() > written.len() && own & !other == 0)
    };
    known
        .into_iter()
        .filter(may_be_near)
        .map(|name| (strsim::osa_distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed || (written.len() >= 3 && name.starts_with(&written)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// One bit a letter that is there, if all are ASCII: an edit changes two of them at most.
fn letters_of(text: &str) -> Option<u128> {
    text.is_ascii().then(|| text.bytes().fold(0, |letters, byte| letters | (1 << (byte.to_ascii_lowercase() & 0x7f))))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let known = ["replicas", "requests", "retries"];
        assert_eq!(did_you_mean("replica", known), Some("replicas"));
        assert_eq!(did_you_mean("Replcas", known), Some("replicas"));
        assert_eq!(did_you_mean("port", known), None);
        assert_eq!(did_you_mean("repl", known), Some("replicas"));
        assert_eq!(did_you_mean("größe", ["Größen"]), Some("Größen"));
    }
}
