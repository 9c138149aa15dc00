//! Comments in YAML.

use std::ops::Range;

use crate::source::Source;

/// The bytes of every comment: a `#` at the start of a line or behind a space, outside of quotes and block texts.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // The quote that is still open at the start of a line.
    let mut open: Option<u8> = None;
    // Lines that are indented deeper than this belong to a block text.
    let mut block: Option<isize> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let own = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        let content = &text[own.clone()];
        if open.is_none() {
            let is_text = |parent: isize| content.trim().is_empty() || column(content) > parent;
            if block.is_some_and(is_text) {
                continue;
            }
            block = None;
        }
        let end = scan(content, &mut open);
        if let Some(comment) = end {
            found.push(own.start + comment..own.end);
        }
        if open.is_none() {
            block = block_parent(content[..end.unwrap_or(content.len())].trim_end());
        }
    }
    found
}

/// How far a line is indented.
fn column(line: &str) -> isize {
    isize::try_from(line.len() - line.trim_start_matches(' ').len()).unwrap_or(isize::MAX)
}

/// Where the comment of a line begins. `open` is the quote that is open before and behind it.
fn scan(line: &str, open: &mut Option<u8>) -> Option<usize> {
    let bytes = line.as_bytes();
    // Quotes mean something at the start of a value only: `it's` is a plain text.
    let mut starts_value = true;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if let Some(quote) = *open {
            match byte {
                b'\\' if quote == b'"' => at += 1,
                b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
                _ if byte == quote => *open = None,
                _ => {}
            }
            starts_value = false;
        } else {
            match byte {
                b'#' if at == 0 || matches!(bytes[at - 1], b' ' | b'\t') => return Some(at),
                b'"' | b'\'' if starts_value => *open = Some(byte),
                b' ' | b'\t' => {}
                b'[' | b'{' | b',' => starts_value = true,
                b':' | b'-' | b'?' => starts_value = matches!(bytes.get(at + 1), None | Some(b' ' | b'\t' | b'"' | b'\'')),
                // A tag or an anchor stands before a value.
                b'!' | b'&' if starts_value => {
                    while bytes.get(at + 1).is_some_and(|next| !matches!(next, b' ' | b'\t')) {
                        at += 1;
                    }
                }
                _ => starts_value = false,
            }
        }
        at += 1;
    }
    None
}

/// The indentation of whoever has a block text that begins behind this line, when one does.
fn block_parent(line: &str) -> Option<isize> {
    let header = line.rsplit([' ', '\t']).next()?;
    let mut marks = header.chars();
    if !matches!(marks.next(), Some('|' | '>')) || !marks.all(|mark| matches!(mark, '+' | '-' | '1'..='9')) {
        return None;
    }
    let before = line[..line.len() - header.len()].trim_end();
    // Behind tags and anchors there is a key, a dash or the start of a document.
    let before = before.split(' ').rev().find(|word| !word.starts_with(['!', '&'])).unwrap_or_default();
    if !(before.is_empty() || before.ends_with([':', '-', '?'])) {
        return None;
    }
    if line.starts_with("---") {
        return Some(-1);
    }
    // In `- key: |` the key has it, in `- |` the dash.
    let mut indent = column(line);
    let mut rest = line.trim_start();
    while let Some(item) = rest.strip_prefix("- ") {
        let inner = item.trim_start();
        if inner.starts_with(['|', '>']) {
            break;
        }
        indent += isize::try_from(rest.len() - inner.len()).unwrap_or(isize::MAX);
        rest = inner;
    }
    Some(indent)
}

/// The entry or item that begins on a line, with everything that is indented below it.
pub(super) fn block(source: &Source, line: usize) -> Range<usize> {
    let text = |line| &source.text[source.line_range(line)];
    let range = source.line_range(line);
    let (indent, is_item) = (column(text(line)), is_item(text(line)));
    let mut end = range.end;
    for next in line + 1.. {
        let range = source.line_range(next);
        if range.start >= source.text.len() {
            break;
        }
        let content = text(next);
        if content.trim().is_empty() || content.trim_start().starts_with('#') {
            continue;
        }
        // A list may stand as far to the left as its key.
        let belongs = column(content) > indent || (column(content) == indent && !is_item && self::is_item(content));
        if !belongs {
            break;
        }
        end = range.end;
    }
    range.start..end
}

fn is_item(line: &str) -> bool {
    let line = line.trim();
    line == "-" || line.starts_with("- ")
}

#[cfg(test)]
mod tests {
    use crate::source::comments::{Syntax, tests::covered};

    fn yaml(text: &str) -> Vec<(Vec<String>, String)> {
        covered(text, Syntax::Yaml)
    }

    #[test]
    fn alone_it_covers_what_begins_below_it() {
        let text = "services:\n  # cbwgen: allow(x)\n  web:\n    image: a\n\n    # why\n    ports:\n    - 80\n  db:\n    image: b\n";
        assert_eq!(yaml(text), [(vec!["x".into()], "  web:\n    image: a\n\n    # why\n    ports:\n    - 80".into())]);
    }

    #[test]
    fn a_list_belongs_to_the_key_at_its_left() {
        let text = "ports:\n# cbwgen: allow(x)\n- 80\n- 81\n# cbwgen: allow(y)\nenv:\n- a\n- b\nz: 1\n";
        assert_eq!(yaml(text), [(vec!["x".into()], "- 80".into()), (vec!["y".into()], "env:\n- a\n- b".into())]);
    }

    #[test]
    fn an_item_is_covered_with_all_its_keys() {
        let text = "ports:\n  # cbwgen: allow(x)\n  - target: 80\n    published: 8080\n  - target: 81\n";
        assert_eq!(yaml(text), [(vec!["x".into()], "  - target: 80\n    published: 8080".into())]);
    }

    #[test]
    fn in_texts_there_are_no_comments() {
        for text in [
            "a: \"# cbwgen: allow(x)\"\n",
            "a: 'it''s # cbwgen: allow(x)'\n",
            "a: \"one\n  # cbwgen: allow(x)\"\n",
            "a: b#cbwgen: allow(x)\n",
            "a: |\n  # cbwgen: allow(x)\n\n  # cbwgen: allow(y)\n",
            "a: !!str &b >-2\n  # cbwgen: allow(x)\n",
            "- a: |\n    # cbwgen: allow(x)\n",
            "- |\n  # cbwgen: allow(x)\n",
            "--- |\n# cbwgen: allow(x)\n",
            "a: [\"# cbwgen: allow(x)\", '# cbwgen: allow(y)']\n",
        ] {
            assert_eq!(yaml(text), [], "{text}");
        }
    }

    #[test]
    fn behind_texts_there_are() {
        for text in [
            "a: it's # cbwgen: allow(x)\n",
            "a: 'it''s' # cbwgen: allow(x)\n",
            "a: \"\\\"\" # cbwgen: allow(x)\n",
            "a: [b, \"c\"] # cbwgen: allow(x)\n",
            "a: x | # cbwgen: allow(x)\n",
        ] {
            assert_eq!(yaml(text), [(vec!["x".into()], text.trim_end().into())]);
        }
        let text = "a: |\n  text\n# cbwgen: allow(x)\nb: 1\n";
        assert_eq!(yaml(text), [(vec!["x".into()], "b: 1".into())]);
        let text = "- a: |\n    text\n  b: 1 # cbwgen: allow(x)\n";
        assert_eq!(yaml(text), [(vec!["x".into()], "  b: 1 # cbwgen: allow(x)".into())]);
    }
}
