//! What the user says of findings, applied in one place: levels, comments, comments that allow nothing.

use std::collections::HashSet;

use super::settings::Settings;
use super::{Located, about_lint, locate};
use crate::finding::{Place, Severity};
use crate::rules::{self, Rule};
use crate::source::comments::{Allow, Allowed, Syntax, allows};
use crate::source::{Origin, Source};
use crate::spec::Level;

/// How much was judged: what was not may well have comments that allow nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    /// Whether every rule could be asked.
    pub all: bool,
    /// Whether the firewall is known.
    pub firewall: bool,
    /// Whether this is a Compose project.
    pub compose: bool,
}

impl Judged {
    /// Whether a rule had its say.
    fn by(self, rule: &Rule, settings: &Settings) -> bool {
        let asked = if self.compose { rule.compose.is_some() } else { rule.check.is_some() };
        let can_tell = self.firewall || !(rule.name.starts_with("ufw-") || rule.name == "outside-client-shut-out");
        self.all && asked && can_tell && settings.asks(rule)
    }
}

/// Sets levels, takes out what comments allow, tells which of these allow nothing, and sorts by place.
pub(crate) fn settle(found: Vec<Located>, sources: &[Source], settings: &Settings, judged: Judged) -> Vec<Located> {
    let comments: Vec<Vec<Allow>> = sources.iter().map(|source| allows(source, Syntax::of(&source.name))).collect();
    let at = |file: usize, span: &std::ops::Range<usize>| Place::At(origin(file, span));
    let mut all = found;
    for (file, allow) in each(&comments) {
        let Allowed::Rules(rules) = &allow.what else { continue };
        let wrong = rules.iter().filter_map(|(name, span)| about_lint(name, at(file, span)));
        all.extend(wrong.map(|finding| locate(finding, sources, None)));
    }
    let mut all: Vec<Located> = all.into_iter().filter_map(|located| set_level(located, settings)).collect();

    let mut used: HashSet<(usize, usize)> = HashSet::new();
    let mut refused: HashSet<(usize, usize)> = HashSet::new();
    all.retain(|located| {
        let rule = located.finding.rule;
        let mut allowed = false;
        for (file, allow) in each(&comments).filter(|(file, allow)| *file == located.file && allow.covers(rule, located.span.start)) {
            let names: Vec<usize> = match &allow.what {
                Allowed::Rules(rules) => rules.iter().filter(|(name, _)| name == rule).map(|(_, span)| span.start).collect(),
                _ => Vec::new(),
            };
            if is_fixed(located) {
                refused.extend(names.into_iter().map(|name| (file, name)));
            } else {
                used.extend(names.into_iter().map(|name| (file, name)));
                allowed = true;
            }
        }
        !allowed || settings.no_allow
    });

    if settings.asks(&rules::unused_allow::RULE) {
        let mut unused = Vec::new();
        for (file, allow) in each(&comments) {
            let Allowed::Rules(names) = &allow.what else { continue };
            for (name, span) in names {
                let Some(rule) = rules::by_name(name) else { continue };
                if refused.contains(&(file, span.start)) && !rule.is_fixed() {
                    unused.push(rules::unused_allow::refused(name, at(file, span)));
                } else if judged.by(rule, settings) && !used.contains(&(file, span.start)) {
                    unused.push(rules::unused_allow::unused(name, at(file, span)));
                }
            }
        }
        let covered = |located: &Located| {
            let rule = located.finding.rule;
            each(&comments).any(|(file, allow)| file == located.file && allow.covers(rule, located.span.start))
        };
        let unused = unused.into_iter().map(|finding| locate(finding, sources, None)).filter_map(|located| set_level(located, settings));
        all.extend(unused.filter(|located| settings.no_allow || !covered(located)));
    }
    sort(&mut all);
    all
}

/// Sorts by place and takes out what is told twice.
pub(crate) fn sort(all: &mut Vec<Located>) {
    all.sort_by(|a, b| {
        let key = |located: &Located| (located.file, located.span.start, located.span.end, located.finding.rule);
        key(a).cmp(&key(b)).then_with(|| a.finding.message.cmp(&b.finding.message))
    });
    all.dedup();
}

fn each(comments: &[Vec<Allow>]) -> impl Iterator<Item = (usize, &Allow)> {
    comments.iter().enumerate().flat_map(|(file, allows)| allows.iter().map(move |allow| (file, allow)))
}

/// Bytes of a file as a place.
pub(crate) fn origin(file: usize, span: &std::ops::Range<usize>) -> Origin {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Origin { file: narrow(file), start: narrow(span.start), end: narrow(span.end) }
}

/// Whether nothing can silence a finding: Compose refuses the project, or nothing can be made of the topology.
fn is_fixed(located: &Located) -> bool {
    located.finding.refused || rules::by_name(located.finding.rule).is_some_and(Rule::is_fixed)
}

/// Applies the level of a finding's rule: `None` when the rule is allowed.
fn set_level(mut located: Located, settings: &Settings) -> Option<Located> {
    if is_fixed(&located) {
        return Some(located);
    }
    located.finding.severity = match settings.levels.get(located.finding.rule) {
        Some(Level::Allow) => return None,
        Some(Level::Note) => Severity::Note,
        Some(Level::Warning) => Severity::Warning,
        Some(Level::Error) => Severity::Error,
        None => located.finding.severity,
    };
    Some(located)
}
