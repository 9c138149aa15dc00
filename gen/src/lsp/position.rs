//! Places in the protocol's units: lines from 0, columns in UTF-16.

use std::ops::Range;

use lsp_types::{Position, Range as LspRange};

use crate::source::Source;

/// The place of a byte.
pub(super) fn position(source: &Source, offset: usize) -> Position {
    let line = source.line_column(offset).line;
    let start = source.line_range(line).start;
    let before = source.text.get(start..offset.min(source.text.len())).unwrap_or_default();
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: narrow(line - 1), character: narrow(before.encode_utf16().count()) }
}

/// The place of some bytes.
pub(super) fn range(source: &Source, span: &Range<usize>) -> LspRange {
    LspRange { start: position(source, span.start), end: position(source, span.end) }
}

/// The byte at a place. What is past the end of a line or of the text is at that end.
pub(super) fn offset(source: &Source, position: Position) -> usize {
    let line = source.line_range((position.line as usize).saturating_add(1));
    let text = source.text[line.clone()].trim_end_matches('\r');
    let mut units = position.character as usize;
    for (at, c) in text.char_indices() {
        // A place in the middle of a pair is at its start.
        if units < c.len_utf16() {
            return line.start + at;
        }
        units -= c.len_utf16();
    }
    line.start + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf_16() {
        let source = Source::new("t", "a\r\né𝄞b\nc");
        for (offset_, line, character) in [(0, 0, 0), (1, 0, 1), (3, 1, 0), (5, 1, 1), (9, 1, 3), (10, 1, 4), (11, 2, 0), (12, 2, 1)] {
            assert_eq!(position(&source, offset_), Position { line, character }, "byte {offset_}");
            assert_eq!(offset(&source, Position { line, character }), offset_);
        }
        assert_eq!(offset(&source, Position { line: 1, character: 2 }), 5, "in the middle of a pair");
        assert_eq!(offset(&source, Position { line: 0, character: 99 }), 1);
        assert_eq!(offset(&source, Position { line: 99, character: u32::MAX }), 12);
    }
}
