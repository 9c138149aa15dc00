//! What is said of a finding when somebody points at it, and what can be done about it.

use std::collections::HashMap;
use std::path::Path;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Hover, HoverContents, MarkupContent, MarkupKind, Position, Range, TextEdit, Uri,
    WorkspaceEdit,
};

use super::workspace::Workspace;
use super::{position, uri};
use crate::docs;
use crate::lint::Located;
use crate::report::in_full;
use crate::rules;
use crate::source::Source;
use crate::source::comments::{Allowed, Syntax, allows};

impl Workspace {
    /// The findings at a place with the text of their rules.
    pub fn hover(&self, path: &Path, place: Position) -> Option<Hover> {
        let (source, _) = self.source(path)?;
        let at = position::offset(&source, place);
        let found = self.findings_at(path, at, at);
        let first = found.first()?;
        let said = found.iter().map(|located| {
            let text = in_full(located).replace('\n', "\n\n");
            let rule = rules::by_name(located.finding.rule).map_or_else(String::new, docs::body);
            format!("**{}**: {text}\n\n---\n\n{rule}", located.finding.rule)
        });
        let value = said.collect::<Vec<_>>().join("\n\n---\n\n");
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        Some(Hover { contents, range: Some(position::range(&source, &first.span)) })
    }

    /// Quick fixes of the findings at a place: what the rule proposes, and a comment that allows it.
    pub fn actions(&self, path: &Path, place: Range) -> Vec<CodeActionOrCommand> {
        let Some((source, _)) = self.source(path) else { return Vec::new() };
        let (start, end) = (position::offset(&source, place.start), position::offset(&source, place.end));
        let mut actions = Vec::new();
        for located in self.findings_at(path, start, end) {
            let fixes = self.fix(located).into_iter().map(|(title, edit)| (title, edit, true));
            let allows = allow(&source, path, located).into_iter().map(|(title, edit)| (title, edit, false));
            for (title, edit, preferred) in fixes.chain(allows) {
                actions.push(CodeActionOrCommand::CodeAction(CodeAction {
                    title,
                    kind: Some(CodeActionKind::QUICKFIX),
                    diagnostics: Some(vec![self.diagnostic(&source, located)]),
                    edit: Some(edit),
                    is_preferred: Some(preferred),
                    ..CodeAction::default()
                }));
            }
        }
        actions
    }

    fn fix(&self, located: &Located) -> Option<(String, WorkspaceEdit)> {
        let fix = located.finding.fix.as_ref()?;
        // The protocol maps URIs; the order of the files does not matter.
        #[allow(clippy::mutable_key_type, reason = "the protocol's own type")]
        let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
        for (origin, new_text) in &fix.edits {
            let source = self.total.sources.get(origin.file as usize)?;
            let edit = TextEdit { range: position::range(source, &origin.range()), new_text: new_text.clone() };
            changes.entry(uri(Path::new(&source.name))?).or_default().push(edit);
        }
        Some((fix.title.clone(), WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }))
    }
}

/// A comment that allows a finding: the first of several that would, tried on the text.
fn allow(source: &Source, path: &Path, located: &Located) -> Option<(String, WorkspaceEdit)> {
    let rule = rules::by_name(located.finding.rule)?;
    if located.finding.refused || rule.is_fixed() {
        return None;
    }
    let syntax = Syntax::of(&source.name);
    let line = source.line_range(source.line_column(located.span.start).line);
    let text = source.text[line.clone()].trim_end_matches('\r');
    let indent = &text[..text.len() - text.trim_start().len()];
    let known = allows(source, syntax).into_iter().find_map(|allow| match allow.what {
        Allowed::Rules(rules) if allow.covers.contains(&located.span.start) && allow.covers.len() <= source.text.len() => {
            rules.last().map(|(_, span)| span.end)
        }
        _ => None,
    });
    let candidates = [
        known.map(|end| (end, format!(", {}", rule.name))),
        Some((line.start + text.len(), format!(" # cbwgen: allow({})", rule.name))),
        Some((line.start, format!("{indent}# cbwgen: allow({})\n", rule.name))),
    ];
    let covers = |(at, new): &(usize, String)| {
        let mut text = source.text.clone();
        text.insert_str(*at, new);
        let moved = located.span.start + if *at <= located.span.start { new.len() } else { 0 };
        allows(&Source::new(source.name.as_str(), text), syntax).iter().any(|allow| allow.covers(rule.name, moved))
    };
    let (at, new_text) = candidates.into_iter().flatten().find(covers)?;
    let edit = TextEdit { range: position::range(source, &(at..at)), new_text };
    #[allow(clippy::mutable_key_type, reason = "the protocol's own type")]
    let changes = HashMap::from([(uri(path)?, vec![edit])]);
    let title = format!("allow `{}` here", rule.name);
    Some((title, WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }))
}
