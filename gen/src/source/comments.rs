//! Comments that speak to cbwgen: `# cbwgen: allow(rule, other-rule) because …`.
//!
//! A comment behind a value covers that line. A comment on a line of its own covers the next line that is not a
//! comment; above a table header it covers the whole table.

use std::ops::Range;

use super::Source;

/// An `allow` comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rules that it names, each with the bytes of the name.
    pub rules: Vec<(String, Range<usize>)>,
    /// The bytes in which a finding is covered.
    pub covers: Range<usize>,
}

/// All `allow` comments of a TOML text, in its order.
#[must_use]
pub fn allows(source: &Source) -> Vec<Allow> {
    if !source.text.contains("cbwgen:") {
        return Vec::new();
    }
    comments(&source.text).into_iter().filter_map(|comment| allow(source, comment)).collect()
}

/// The bytes of every comment: a `#` outside of texts, up to the end of its line.
fn comments(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => {
                let end = text[at..].find('\n').map_or(bytes.len(), |length| at + length);
                found.push(at..end);
                at = end;
            }
            quote @ (b'"' | b'\'') => at = end_of_text(bytes, at, quote),
            _ => at += 1,
        }
    }
    found
}

/// The first byte behind a TOML text that starts at `start`.
fn end_of_text(bytes: &[u8], start: usize, quote: u8) -> usize {
    let long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !long => return at,
            byte if byte == quote => {
                if !long {
                    return at + 1;
                }
                if bytes[at..].starts_with(&[quote; 3]) {
                    // Up to two more quotes may belong to the text itself.
                    let run = bytes[at..].iter().take(5).take_while(|byte| **byte == quote).count();
                    return at + run;
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn allow(source: &Source, comment: Range<usize>) -> Option<Allow> {
    let text = &source.text[comment.clone()];
    let body = text.trim_start_matches('#').trim_start().strip_prefix("cbwgen:")?.trim_start().strip_prefix("allow(")?;
    let names = &body[..body.find(')')?];
    let start = comment.start + (text.len() - body.len());
    let mut rules = Vec::new();
    let mut at = start;
    for part in names.split(',') {
        let name = part.trim();
        let from = at + (part.len() - part.trim_start().len());
        rules.push((name.to_owned(), from..from + name.len()));
        at += part.len() + 1;
    }
    Some(Allow { rules, covers: covers(source, &comment) })
}

fn covers(source: &Source, comment: &Range<usize>) -> Range<usize> {
    let line = source.line_column(comment.start).line;
    let own = source.line_range(line);
    if !source.text[own.start..comment.start].trim().is_empty() {
        return own;
    }
    let mut next = line + 1;
    loop {
        let range = source.line_range(next);
        let text = source.text[range.clone()].trim();
        if range.start >= source.text.len() {
            return range;
        }
        if text.starts_with('[') && !text.contains('=') {
            return range.start..end_of_table(source, next + 1);
        }
        if !text.is_empty() && !text.starts_with('#') {
            return range;
        }
        next += 1;
    }
}

/// Where the table ends whose first line below the header is `line`.
fn end_of_table(source: &Source, mut line: usize) -> usize {
    loop {
        let range = source.line_range(line);
        if range.start >= source.text.len() || source.text[range.clone()].trim_start().starts_with('[') {
            return range.start;
        }
        line += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(text: &str) -> Vec<(Vec<String>, String)> {
        let source = Source::new("t", text);
        let named = |allow: Allow| {
            let names = allow.rules.iter().map(|(name, span)| {
                assert_eq!(&text[span.clone()], name);
                name.clone()
            });
            (names.collect(), text[allow.covers].to_owned())
        };
        allows(&source).into_iter().map(named).collect()
    }

    #[test]
    fn behind_a_value_it_covers_the_line() {
        let text = "a = 1\nb = 2 # cbwgen: allow(x, y) because\nc = 3\n";
        assert_eq!(covered(text), [(vec!["x".into(), "y".into()], "b = 2 # cbwgen: allow(x, y) because".into())]);
    }

    #[test]
    fn alone_it_covers_the_next_line_that_says_something() {
        assert_eq!(covered("# cbwgen: allow(x)\n# why\n\nb = 2\nc = 3\n"), [(vec!["x".into()], "b = 2".into())]);
    }

    #[test]
    fn above_a_header_it_covers_the_table() {
        let text = "# cbwgen: allow(x)\n[a.b]\nc = 1\n\n[d]\ne = 1\n";
        assert_eq!(covered(text), [(vec!["x".into()], "[a.b]\nc = 1\n\n".into())]);
    }

    #[test]
    fn inside_a_text_it_is_no_comment() {
        let text = "a = \"# cbwgen: allow(x)\"\nb = '''\n# cbwgen: allow(y)\n'''\nc = \"\\\" # cbwgen: allow(z)\"\n";
        assert_eq!(covered(text), []);
    }
}
