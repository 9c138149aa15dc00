//! Comments that speak to cbwgen: `# cbwgen: allow(rule, other-rule) because …`.
//!
//! A comment behind a value covers that line. A comment on a line of its own covers what begins on the next line that is
//! not a comment: in TOML that line or, above a header, the table; in YAML the entry or item with all that is indented below
//! it; in a Dockerfile the instruction or, above `FROM`, the stage. `allow-file(…)` covers the whole file, wherever it
//! stands. The comments of dclint are understood as well.

mod dclint;
mod dockerfile;
mod toml;
mod yaml;

use std::ops::Range;
use std::path::Path;

use super::Source;

/// An `allow` comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// What it allows.
    pub what: Allowed,
    /// The bytes in which a finding is covered.
    pub covers: Range<usize>,
}

/// What a comment allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// The rules that it names, each with the bytes of the name.
    Rules(Vec<(String, Range<usize>)>),
    /// The rules that are dclint's under another name.
    Foreign(Vec<&'static str>),
    /// Everything: dclint's comments without a name.
    Everything,
}

impl Allow {
    /// Whether a finding of a rule that begins at a byte is covered.
    #[must_use]
    pub fn covers(&self, rule: &str, at: usize) -> bool {
        self.covers.contains(&at)
            && match &self.what {
                Allowed::Rules(rules) => rules.iter().any(|(name, _)| name == rule),
                Allowed::Foreign(rules) => rules.contains(&rule),
                Allowed::Everything => true,
            }
    }
}

/// How a file writes its comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Topologies.
    Toml,
    /// Compose files.
    Yaml,
    /// Dockerfiles, and env files: a comment has a line of its own.
    Dockerfile,
}

impl Syntax {
    /// What a file is by its name: YAML unless it says something else.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let path = Path::new(name);
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            "toml" => Self::Toml,
            "yaml" | "yml" | "json" => Self::Yaml,
            _ if file.contains("dockerfile") || file.contains("containerfile") || file.contains(".env") || file.ends_with("env") => {
                Self::Dockerfile
            }
            _ => Self::Yaml,
        }
    }
}

/// All `allow` comments of a text, in its order.
#[must_use]
pub fn allows(source: &Source, syntax: Syntax) -> Vec<Allow> {
    let text = &source.text;
    if !text.contains("cbwgen:") && (syntax == Syntax::Toml || !text.contains("dclint")) {
        return Vec::new();
    }
    let (comments, block): (_, fn(&Source, usize) -> Range<usize>) = match syntax {
        Syntax::Toml => (toml::comments(text), toml::block),
        Syntax::Yaml => (yaml::comments(text), yaml::block),
        Syntax::Dockerfile => (dockerfile::comments(text), dockerfile::block),
    };
    let mut first = true;
    let mut allows = Vec::new();
    for comment in comments {
        let body = text[comment.clone()].trim_start_matches('#').trim();
        if let Some(names) = body.strip_prefix("dclint ") {
            allows.extend(dclint::allow(source, &comment, names.trim(), first));
        } else {
            allows.extend(allow(source, &comment, block));
        }
        first = false;
    }
    allows
}

fn allow(source: &Source, comment: &Range<usize>, block: fn(&Source, usize) -> Range<usize>) -> Option<Allow> {
    let text = &source.text[comment.clone()];
    let body = text.trim_start_matches('#').trim_start().strip_prefix("cbwgen:")?.trim_start();
    let (whole_file, body) = match body.strip_prefix("allow-file(") {
        Some(body) => (true, body),
        None => (false, body.strip_prefix("allow(")?),
    };
    let names = &body[..body.find(')')?];
    let mut at = comment.start + (text.len() - body.len());
    let mut rules = Vec::new();
    for part in names.split(',') {
        let name = part.trim();
        let from = at + (part.len() - part.trim_start().len());
        rules.push((name.to_owned(), from..from + name.len()));
        at += part.len() + 1;
    }
    let covers = if whole_file { whole(source) } else { covers(source, comment, block) };
    Some(Allow { what: Allowed::Rules(rules), covers })
}

/// A whole file, and the place behind its last byte: something can be missing there.
fn whole(source: &Source) -> Range<usize> {
    0..source.text.len() + 1
}

/// The line of a comment behind something, or the block that begins below one that stands alone.
fn covers(source: &Source, comment: &Range<usize>, block: fn(&Source, usize) -> Range<usize>) -> Range<usize> {
    match below(source, comment) {
        None => source.line_range(source.line_column(comment.start).line),
        Some(line) => block(source, line),
    }
}

/// The line that a comment on a line of its own speaks of: the next one that is neither empty nor a comment.
fn below(source: &Source, comment: &Range<usize>) -> Option<usize> {
    let line = source.line_column(comment.start).line;
    let own = source.line_range(line);
    if !source.text[own.start..comment.start].trim().is_empty() {
        return None;
    }
    let mut next = line + 1;
    loop {
        let range = source.line_range(next);
        let text = source.text[range.clone()].trim();
        if range.start >= source.text.len() || !(text.is_empty() || text.starts_with('#')) {
            return Some(next);
        }
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn covered(text: &str, syntax: Syntax) -> Vec<(Vec<String>, String)> {
        let source = Source::new("t", text);
        let named = |allow: Allow| {
            let names = match allow.what {
                Allowed::Rules(rules) => rules
                    .into_iter()
                    .map(|(name, span)| {
                        assert_eq!(&text[span.clone()], name);
                        name
                    })
                    .collect(),
                Allowed::Foreign(rules) => rules.into_iter().map(str::to_owned).collect(),
                Allowed::Everything => vec!["*".to_owned()],
            };
            (names, text[allow.covers.start..allow.covers.end.min(text.len())].to_owned())
        };
        allows(&source, syntax).into_iter().map(named).collect()
    }

    #[test]
    fn behind_a_value_it_covers_the_line() {
        let text = "a = 1\nb = 2 # cbwgen: allow(x, y) because\nc = 3\n";
        let line = "b = 2 # cbwgen: allow(x, y) because";
        assert_eq!(covered(text, Syntax::Toml), [(vec!["x".into(), "y".into()], line.into())]);
        let text = "a: 1\nb: 2 # cbwgen: allow(x) because\nc: 3\n";
        assert_eq!(covered(text, Syntax::Yaml), [(vec!["x".into()], "b: 2 # cbwgen: allow(x) because".into())]);
    }

    #[test]
    fn for_the_file_it_stands_anywhere() {
        let text = "a: 1\n# cbwgen: allow-file(x)\n";
        assert_eq!(covered(text, Syntax::Yaml), [(vec!["x".into()], text.into())]);
    }

    #[test]
    fn files_are_known_by_their_names() {
        for (name, syntax) in [
            ("a/topology.toml", Syntax::Toml),
            ("compose.yaml", Syntax::Yaml),
            ("<stdin>", Syntax::Yaml),
            ("web/Dockerfile", Syntax::Dockerfile),
            ("web/Dockerfile.dev", Syntax::Dockerfile),
            (".env", Syntax::Dockerfile),
            ("web.env", Syntax::Dockerfile),
        ] {
            assert_eq!(Syntax::of(name), syntax, "{name}");
        }
    }

    proptest::proptest! {
        /// Whatever a file holds: names and what is covered lie within it.
        #[test]
        fn any_text_is_read(words in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)) {
            let text = words.concat();
            let source = Source::new("t", text.as_str());
            for syntax in [Syntax::Toml, Syntax::Yaml, Syntax::Dockerfile] {
                for allow in allows(&source, syntax) {
                    assert!(allow.covers.start <= allow.covers.end && allow.covers.end <= text.len() + 1);
                    if let Allowed::Rules(rules) = allow.what {
                        for (name, span) in &rules {
                            assert_eq!(&text[span.clone()], name);
                        }
                    }
                }
            }
        }
    }

    const PIECES: [&str; 24] = [
        "# cbwgen: allow(",
        "# cbwgen: allow(x, é )",
        "# cbwgen: allow-file(y)",
        "# dclint disable-line",
        "# dclint disable a",
        "\n",
        "\r\n",
        "  ",
        "a: ",
        "- ",
        "\"",
        "'",
        "|",
        ">-",
        "---",
        "[a]",
        "\\",
        "FROM x",
        "é",
        ")",
        ",",
        ": ",
        "\u{feff}",
        "\t",
    ];
}
