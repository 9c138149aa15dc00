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
#[derive(Debug)]
pub(crate) struct Judged {
    /// Whether every rule could be asked.
    pub all: bool,
    /// Whether the firewall is known.
    pub firewall: bool,
    /// Whether this is a Compose project.
    pub compose: bool,
    /// Places that no rule looked at: services behind profiles that are not active.
    pub passed_over: Vec<Origin>,
}

impl Judged {
    /// Whether a rule had its say where a comment allows something.
    fn by(&self, rule: &Rule, settings: &Settings, file: usize, allow: &Allow) -> bool {
        let asked = if self.compose { rule.compose.is_some() } else { rule.check.is_some() };
        let by_firewall = rule.name.starts_with("ufw-") || rule.name == "outside-client-shut-out";
        // Which ports are taken is another matter on every host and every day.
        let can_tell = (self.firewall || !by_firewall) && rule.name != "port-in-use";
        let covers = |origin: &Origin| origin.file as usize == file && allow.covers.contains(&(origin.start as usize));
        // What one target loses another one keeps.
        let can_tell = can_tell && rule.name != rules::target_loses::RULE.name;
        self.all && asked && can_tell && settings.asks(rule) && !self.passed_over.iter().any(covers)
    }
}

/// Sets levels, takes out what comments allow, tells which of these allow nothing, and sorts by place.
pub(crate) fn settle(found: Vec<Located>, sources: &[Source], settings: &Settings, judged: &Judged) -> Vec<Located> {
    let comments: Vec<Vec<Allow>> = sources.iter().map(|source| allows(source, Syntax::of(&source.name))).collect();
    let at = |file: usize, span: &std::ops::Range<usize>| Place::At(Origin::new(u32::try_from(file).unwrap_or(u32::MAX), span));
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
        let file = located.file;
        let own = comments.get(file).into_iter().flatten();
        for allow in own.filter(|allow| allow.covers(rule, located.span.start)) {
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
                } else if judged.by(rule, settings, file, allow) && !used.contains(&(file, span.start)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;

    /// What is left of findings (rule, byte, refused) of a Compose file.
    fn left(text: &str, found: &[(&'static str, usize, bool)], settings: &Settings, passed_over: Vec<Origin>) -> Vec<String> {
        let sources = [Source::new("compose.yaml", text)];
        let located = found.iter().map(|(rule, start, refused)| {
            let place = Place::At(Origin::new(0, &(*start..start + 1)));
            let mut finding = Finding::new(rule, Severity::Warning, place, "m".to_owned(), "c".to_owned(), "h".to_owned());
            finding.refused = *refused;
            locate(finding, &sources, None)
        });
        let judged = Judged { all: true, firewall: true, compose: false, passed_over };
        let settled = settle(located.collect(), &sources, settings, &judged);
        settled.iter().map(|located| format!("{}:{}", located.start.line, located.finding.rule)).collect()
    }

    #[test]
    fn a_comment_allows_what_it_names_and_a_dclint_comment_all() {
        let text = "a: 1 # cbwgen: allow(port-clash)\nb: 2 # dclint disable-line\n";
        let found = [("port-clash", 0, false), ("shared-log", 0, false), ("shared-log", 33, false), ("port-clash", 33, true)];
        assert_eq!(left(text, &found, &Settings::default(), Vec::new()), ["1:shared-log", "2:port-clash"]);
        let all = Settings { no_allow: true, ..Settings::default() };
        assert_eq!(left(text, &found, &all, Vec::new()).len(), 4);
    }

    #[test]
    fn a_comment_that_allows_nothing_is_told() {
        let text = "a: 1 # cbwgen: allow(port-clash)\n";
        assert_eq!(left(text, &[], &Settings::default(), Vec::new()), ["1:unused-allow"]);
        assert_eq!(left(text, &[("port-clash", 0, true)], &Settings::default(), Vec::new()), ["1:port-clash", "1:unused-allow"]);
        assert_eq!(left(text, &[], &Settings::default(), vec![Origin::new(0, &(3..4))]), [""; 0], "nobody looked there");
        let silent = Settings { levels: [("port-clash".to_owned(), Level::Allow)].into_iter().collect(), ..Settings::default() };
        assert_eq!(left(text, &[], &silent, Vec::new()), [""; 0], "nobody asked");
        let pedantic = "a: 1 # cbwgen: allow(port-clash, unused-allow)\n";
        assert_eq!(left(pedantic, &[], &Settings::default(), Vec::new()), [""; 0], "it may be allowed to stay");
    }
}
