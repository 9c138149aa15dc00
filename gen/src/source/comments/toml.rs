//! Comments in TOML.

use std::ops::Range;

use crate::source::Source;

/// The bytes of every comment: a `#` outside of texts, up to the end of its line.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
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

/// What begins on a line: the line, or the table when it is a header.
pub(super) fn block(source: &Source, line: usize) -> Range<usize> {
    let range = source.line_range(line);
    let text = source.text[range.clone()].trim();
    if text.starts_with('[') && !text.contains('=') { range.start..end_of_table(source, line + 1) } else { range }
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
    use crate::source::comments::{Syntax, tests::covered};

    #[test]
    fn alone_it_covers_the_next_line_that_says_something() {
        assert_eq!(covered("# cbwgen: allow(x)\n# why\n\nb = 2\nc = 3\n", Syntax::Toml), [(vec!["x".into()], "b = 2".into())]);
    }

    #[test]
    fn above_a_header_it_covers_the_table() {
        let text = "# cbwgen: allow(x)\n[a.b]\nc = 1\n\n[d]\ne = 1\n";
        assert_eq!(covered(text, Syntax::Toml), [(vec!["x".into()], "[a.b]\nc = 1\n\n".into())]);
    }

    #[test]
    fn inside_a_text_it_is_no_comment() {
        let text = "a = \"# cbwgen: allow(x)\"\nb = '''\n# cbwgen: allow(y)\n'''\nc = \"\\\" # cbwgen: allow(z)\"\n";
        assert_eq!(covered(text, Syntax::Toml), []);
    }
}
