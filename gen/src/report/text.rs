//! Findings for people, as rustc shows them.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Message, Origin, Renderer, Snippet};

use crate::finding::Severity;
use crate::lint::{Located, Related, summary};
use crate::rules::count;
use crate::secret::conceal;
use crate::source::Source;

/// Related places further away than this many lines get an excerpt of their own.
const NEAR_LINES: usize = 100;
/// The longest excerpt. A whole project on one line with as many findings would be shown as often; a part of a line cannot be
/// shown, since what is secret in it would not be known.
const LONGEST: usize = 8 * 1024;

/// All findings and a line that counts them; empty when there are none.
#[must_use]
pub fn report(sources: &[Source], findings: &[Located], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for located in findings {
        text.push_str(&renderer.render(&[group(sources, located)]));
        text.push_str("\n\n");
    }
    let (errors, warnings, notes) = summary(findings);
    let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, name)| count(*n as u64, name)).collect();
    if !counts.is_empty() {
        let files: std::collections::BTreeSet<usize> = findings.iter().map(|located| located.file).collect();
        let names = match files.first().and_then(|file| sources.get(*file)) {
            Some(source) if files.len() == 1 => source.name.clone(),
            _ => count(files.len() as u64, "file"),
        };
        let _ = writeln!(text, "{names}: {}", counts.join(", "));
    }
    text
}

fn group<'a>(sources: &'a [Source], located: &'a Located) -> Group<'a> {
    let finding = &located.finding;
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut elements: Vec<Element<'a>> = excerpts(sources, located);
    let notes = [("consequence", &finding.consequence), ("help", &finding.help)];
    let notes = notes.into_iter().filter(|(_, text)| !text.is_empty());
    elements.extend(notes.map(|(name, text)| {
        let level = if name == "help" { Level::HELP } else { Level::NOTE.with_name(name) };
        Element::from(level.message(wrap(text)) as Message<'a>)
    }));
    level.primary_title(finding.message.as_str()).id(finding.rule).elements(elements)
}

/// Breaks a long text between words. The width does not depend on the terminal: two runs print the same bytes.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 90;
    let mut wrapped = String::with_capacity(text.len());
    let mut width = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            wrapped.push('\n');
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += length;
    }
    wrapped
}

/// The excerpt of the finding, and those of related places that do not fit into it.
fn excerpts<'a>(sources: &'a [Source], located: &'a Located) -> Vec<Element<'a>> {
    let Some(source) = sources.get(located.file) else { return Vec::new() };
    let line = located.start.line;
    let is_near =
        |related: &Related| related.file == located.file && source.line_column(related.span.start).line.abs_diff(line) <= NEAR_LINES;
    let label = Some(located.finding.label.as_str()).filter(|label| !label.is_empty());
    let primary = (AnnotationKind::Primary, located.span.clone(), label);
    let (near, far): (Vec<_>, Vec<_>) = located.related.iter().partition(|related| is_near(related));
    let context = |related: &&'a Related| (AnnotationKind::Context, related.span.clone(), Some(related.text.as_str()));
    let first: Vec<_> = std::iter::once(primary).chain(near.iter().map(context)).collect();
    let rest = far.iter().filter_map(|related| excerpt(sources.get(related.file)?, &[context(related)]));
    let shown = excerpt(source, &first).or_else(|| excerpt(source, first.get(..1)?));
    let place = || Origin::path(source.name.as_str()).line(line).char_column(located.start.column).into();
    std::iter::once(shown.map_or_else(place, Element::from)).chain(rest.map(Element::from)).collect()
}

/// The lines from the first to the last mark, with the marks; lines between are folded. None if they are too long.
fn excerpt<'a>(
    source: &'a Source,
    marks: &[(AnnotationKind, Range<usize>, Option<&'a str>)],
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let lines = marks.iter().map(|(_, span, _)| source.line_column(span.start).line);
    let (first, last) = (lines.clone().min().unwrap_or(1), lines.max().unwrap_or(1));
    // Only these lines are handed on: the renderer would go through the whole text for every finding.
    let range = source.line_range(first).start..source.line_range(last).end;
    if range.len() > LONGEST {
        return None;
    }
    let annotations = marks.iter().map(|(kind, span, label)| {
        let span = span.start.saturating_sub(range.start)..span.end.saturating_sub(range.start);
        kind.span(span).label(*label)
    });
    let snippet = Snippet::source(conceal(&source.text[range.clone()]))
        .path(source.name.as_str())
        .line_start(first)
        .fold(true)
        .annotations(annotations.collect::<Vec<_>>());
    Some(snippet)
}
