//! Comments in Dockerfiles: they have a line of their own, also between the lines of an instruction.

use std::ops::Range;

use crate::source::Source;

/// The bytes of every comment.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        if content[indent..].starts_with('#') {
            found.push(start + indent..start + content.len());
        }
        start += line.len();
    }
    found
}

/// The instruction that begins on a line; the whole stage when it is `FROM`.
pub(super) fn block(source: &Source, line: usize) -> Range<usize> {
    let text = |line| source.text[source.line_range(line)].trim();
    let is_from = |line| text(line).get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "));
    let range = source.line_range(line);
    let is_end = |line: usize| source.line_range(line).start >= source.text.len();
    let mut last = line;
    if is_from(line) {
        while !is_end(last + 1) && !is_from(last + 1) {
            last += 1;
        }
    } else {
        // Comments and empty lines do not end an instruction that goes on.
        let goes_on = |at: usize| text(at).ends_with('\\') || (at > line && text(at).starts_with('#'));
        while goes_on(last) && !is_end(last + 1) {
            last += 1;
        }
    }
    range.start..source.line_range(last).end
}

#[cfg(test)]
mod tests {
    use crate::source::comments::{Syntax, tests::covered};

    #[test]
    fn an_instruction_is_covered_with_all_its_lines() {
        let text = "FROM a\n# cbwgen: allow(x)\nRUN b \\\n  # why\n  c\nRUN d # cbwgen: allow(y)\n";
        let found = covered(text, Syntax::Dockerfile);
        assert_eq!(found, [(vec!["x".into()], "RUN b \\\n  # why\n  c".into())]);
    }

    #[test]
    fn above_from_it_covers_the_stage() {
        let text = "# cbwgen: allow(x)\nfrom a\nRUN b\n\nFROM c\n";
        assert_eq!(covered(text, Syntax::Dockerfile), [(vec!["x".into()], "from a\nRUN b\n".into())]);
    }
}
