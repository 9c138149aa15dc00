//! `obsolete-version`

use crate::compose::Context;
use crate::finding::{Finding, Fix, Place};
use crate::source::Origin;

rule! {
    /// A Compose file says which version of the format it has.
    ///
    /// ### What happens
    /// Nothing: Compose warns that "the attribute `version` is obsolete, it will be ignored", at every command.
    ///
    /// ### What to do
    /// Remove the line.
    "obsolete-version", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for document in &context.project.written {
        let Some(entry) = document.map().and_then(|map| map.get("version")) else { continue };
        let mut finding = RULE
            .finding(
                Place::At(entry.key),
                "`version` is obsolete".to_owned(),
                "Compose ignores it, with a warning at every command".to_owned(),
                "remove the line".to_owned(),
            )
            .about("version");
        finding.fix = line(context, entry.key, entry.node.origin);
        findings.push(finding);
    }
}

/// The whole line, if nothing else is on it.
fn line(context: &Context<'_>, key: Origin, value: Origin) -> Option<Fix> {
    let source = context.project.sources.get(key.file as usize)?;
    let number = source.line_column(key.start as usize).line;
    let range = source.line_range(number);
    let text = source.text.get(range.clone())?;
    let rest = source.text.get(value.end as usize..range.end)?;
    let is_alone = source.line_column(value.end as usize).line == number && range.start == key.start as usize && rest.trim().is_empty() && !text.contains('&');
    let end = source.text.get(range.end..).is_some_and(|rest| rest.starts_with('\n'));
    let edit = Origin { start: key.start, end: u32::try_from(range.end + usize::from(end)).ok()?, ..key };
    is_alone.then(|| Fix { title: "remove the line".to_owned(), edits: vec![(edit, String::new())] })
}
