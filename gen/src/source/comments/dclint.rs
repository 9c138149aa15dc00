//! The comments of dclint: `# dclint disable-line`, `# dclint disable rule`, `# dclint disable-file`.

use std::ops::Range;

use super::{Allow, Allowed, below, whole};
use crate::source::Source;

/// What dclint's rules are called here. Those about taste alone (orders, quotes around volumes) have no counterpart.
const RULES: &[(&str, &[&str])] = &[
    ("no-duplicate-container-names", &["duplicate-name"]),
    ("no-duplicate-exported-ports", &["port-clash", "published-replicas"]),
    ("no-unbound-port-interfaces", &["published-to-all", "published-internal"]),
    ("no-version-field", &["obsolete-version"]),
    ("require-quotes-in-ports", &["reformatted-number"]),
    ("service-image-require-explicit-tag", &["latest-image", "unpinned-image"]),
];

/// A comment of dclint without its first word. `first`: whether it is the first comment of the file, where alone what holds
/// for the whole file may stand.
pub(super) fn allow(source: &Source, comment: &Range<usize>, body: &str, first: bool) -> Option<Allow> {
    let mut words = body.split_whitespace();
    let covers = match words.next()? {
        "disable-line" => {
            let line = below(source, comment).unwrap_or_else(|| source.line_column(comment.start).line);
            source.line_range(line)
        }
        "disable" | "disable-file" if first && begins(source, comment) => whole(source),
        _ => return None,
    };
    let names: Vec<&str> = words.collect();
    if names.is_empty() {
        return Some(Allow { what: Allowed::Everything, covers });
    }
    let ours = names.iter().filter_map(|name| RULES.iter().find(|(theirs, _)| theirs == name)).flat_map(|(_, ours)| ours.iter().copied());
    Some(Allow { what: Allowed::Foreign(ours.collect()), covers })
}

/// Whether nothing but empty lines and the start of a document stand before a comment.
fn begins(source: &Source, comment: &Range<usize>) -> bool {
    source.text[..comment.start].lines().all(|line| matches!(line.trim(), "" | "---" | "\u{feff}"))
}

#[cfg(test)]
mod tests {
    use crate::source::comments::{Syntax, tests::covered};

    fn yaml(text: &str) -> Vec<(Vec<String>, String)> {
        covered(text, Syntax::Yaml)
    }

    #[test]
    fn a_line_is_that_line_or_the_next() {
        assert_eq!(yaml("a: 1 # dclint disable-line\nb: 2\n"), [(vec!["*".into()], "a: 1 # dclint disable-line".into())]);
        assert_eq!(yaml("# dclint disable-line no-version-field\na:\n  b: 2\n"), [(vec!["obsolete-version".into()], "a:".into())]);
    }

    #[test]
    fn a_file_is_disabled_at_its_start() {
        let text = "---\n# dclint disable service-image-require-explicit-tag no-version-field\na: 1\n";
        assert_eq!(yaml(text), [(vec!["latest-image".into(), "unpinned-image".into(), "obsolete-version".into()], text.into())]);
        assert_eq!(yaml("# dclint disable-file\n"), [(vec!["*".into()], "# dclint disable-file\n".into())]);
        assert_eq!(yaml("a: 1\n# dclint disable\n"), []);
    }

    #[test]
    fn rules_of_taste_are_nothing_here() {
        assert_eq!(yaml("a: 1 # dclint disable-line services-alphabetical-order\n").len(), 1);
        assert_eq!(yaml("a: 1 # dclint disable-line services-alphabetical-order\n")[0].0, Vec::<String>::new());
    }
}
