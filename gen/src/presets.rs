//! Topologies to begin with. Each is a file of `presets/`: its first comment says what it is.

use std::fmt::Write as _;

/// Names and texts, by name.
pub static ALL: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// A preset's text.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
}

/// Each preset with its first sentence, one a line.
#[must_use]
pub fn table() -> String {
    let width = ALL.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let about = |text: &'static str| text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
    let mut table = String::new();
    for (name, text) in ALL {
        let _ = writeln!(table, "{name:width$}  {}", about(text));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{Facts, lint, load};
    use crate::source::Source;
    use crate::topology::WhatIf;

    #[test]
    fn there_is_nothing_to_say_of_a_preset() {
        assert!(ALL.len() >= 6);
        for (name, text) in ALL {
            let loaded = load(Source::new(format!("{name}.toml"), *text), name, &WhatIf::default());
            let findings = lint(&loaded, &Facts::default());
            let said = crate::report::text::report(std::slice::from_ref(&loaded.source), &findings, false);
            assert!(findings.is_empty() && loaded.plan.complete, "{name}: {said}");
            assert!(crate::facts::missing_files(&loaded.plan, std::path::Path::new("/nowhere")).is_empty(), "{name} needs no file");
        }
    }

    #[test]
    fn each_is_told_in_a_line() {
        for line in table().lines() {
            let (name, about) = line.split_once(' ').unwrap();
            assert!(by_name(name).is_some() && about.trim().ends_with(['.', '…']), "{line}");
        }
    }
}
