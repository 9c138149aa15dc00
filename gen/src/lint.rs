//! From a source to its plan and all that is to say of it, sorted by place.
//!
//! Topologies are judged here, Compose projects by [`project`]; what the user allows is applied to both by [`settle`].

pub mod project;
pub mod settings;
mod settle;
pub mod total;

use std::ops::Range;

use indexmap::IndexMap;

use crate::facts::MissingFile;
use crate::finding::{Finding, Place, Severity};
use crate::firewall::Ufw;
use crate::firewall::live::Listening;
use crate::plan::Plan;
use crate::render::Target;
use crate::rules::{self, Context};
use crate::source::{LineColumn, Node, Source, pointer};
use crate::spec::{self, Level, mistakes};
use crate::topology::{self, WhatIf};
use settings::Settings;
pub(crate) use settle::{Judged, settle, sort};

/// A source that was read as far as it goes.
#[derive(Debug)]
pub struct Loaded {
    /// The text.
    pub source: Source,
    /// Its tree.
    pub root: Node,
    /// The plan; empty when the text is not TOML.
    pub plan: Plan,
    /// Names of the scenarios, with what they scale.
    pub scenarios: IndexMap<String, Vec<(String, spec::Replicas)>>,
    findings: Vec<Finding>,
    lints: IndexMap<String, Level>,
}

/// Reads a source and makes its plan. `folder` names the project when the file does not.
pub fn load(source: Source, folder: &str, what_if: &WhatIf) -> Loaded {
    let (root, errors) = crate::source::toml::parse(&source.text);
    if !errors.is_empty() {
        let findings = errors.into_iter().map(mistakes::syntax).collect();
        return Loaded { source, root, plan: Plan::default(), scenarios: IndexMap::new(), findings, lints: IndexMap::new() };
    }
    let (mut spec, wrong) = spec::read(root.clone());
    let mut findings: Vec<Finding> = wrong.into_iter().map(mistakes::finding).collect();
    let lints = std::mem::take(&mut spec.lints);
    let scenarios = spec.scenario.iter().map(|(name, scenario)| (name.to_string(), scenario.scale.clone().into_iter().collect())).collect();
    let (topology, more) = topology::resolve(spec, folder, what_if);
    findings.extend(more);
    let (mut plan, more) = crate::plan::plan(topology);
    findings.extend(more);
    plan.complete = findings.is_empty();
    Loaded { source, root, plan, scenarios, findings, lints }
}

/// What lint is told from outside the topology.
#[derive(Debug, Default)]
pub struct Facts {
    /// The host's firewall from `--ufw`; the topology's own otherwise.
    pub firewall: Option<Ufw>,
    /// Ports of the host that are taken, from `--host live`.
    pub listening: Vec<Listening>,
    /// Files that are not there.
    pub missing_files: Vec<MissingFile>,
    /// What the topology is to be rendered for.
    pub target: Target,
}

/// A finding at its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// What is said.
    pub finding: Finding,
    /// The index of its file among those that were read.
    pub file: usize,
    /// The bytes that are underlined.
    pub span: Range<usize>,
    /// Where they begin.
    pub start: LineColumn,
    /// Where they end: the place behind the last character.
    pub end: LineColumn,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The index of its file.
    pub file: usize,
    /// The bytes.
    pub span: Range<usize>,
    /// What it is.
    pub text: String,
}

/// Runs all rules with nothing set but what the topology says.
#[must_use]
pub fn lint(loaded: &Loaded, facts: &Facts) -> Vec<Located> {
    lint_with(loaded, facts, &Settings::default())
}

/// Runs the rules that are asked for, applies what the user says of them, and sorts by place.
#[must_use]
pub fn lint_with(loaded: &Loaded, facts: &Facts, settings: &Settings) -> Vec<Located> {
    let Loaded { source, root, plan, findings, lints, .. } = loaded;
    let mut findings = findings.clone();
    let is_toml = !findings.iter().any(|finding| finding.rule == rules::syntax::RULE.name);
    let own = plan.host.firewall.as_ref().filter(|_| facts.firewall.is_none()).and_then(Ufw::from_spec);
    let firewall = facts.firewall.as_ref().or(own.as_ref());
    // What the topology says of its rules wins.
    let settings = settings.with_levels(lints);
    if is_toml {
        let context =
            Context { plan, target: facts.target, firewall, listening: &facts.listening, missing_files: &facts.missing_files, root };
        for rule in rules::ALL.iter().filter(|rule| settings.asks(rule)) {
            if let Some(check) = rule.check {
                check(&context, &mut findings);
            }
        }
        findings.extend(lints.keys().filter_map(|name| about_lint(name, Place::Key(pointer(["lints", name])))));
    }
    let located = findings.into_iter().map(|finding| locate(finding, std::slice::from_ref(source), Some(root))).collect();
    let judged = Judged { all: plan.complete, firewall: firewall.is_some(), compose: false, passed_over: Vec::new() };
    settle(located, std::slice::from_ref(source), &settings, &judged)
}

/// Something to say of a rule's name in `[lints]` or a comment.
pub(crate) fn about_lint(name: &str, place: Place) -> Option<Finding> {
    match rules::by_name(name) {
        None => Some(rules::unknown_lint::unknown(name, place)),
        Some(rule) if rule.is_fixed() => Some(rules::unknown_lint::fixed(name, place)),
        Some(_) => None,
    }
}

/// Finds the bytes of a finding's places. Pointers are ways in the tree of the first source.
pub(crate) fn locate(finding: Finding, sources: &[Source], root: Option<&Node>) -> Located {
    let span_of = |place: &Place| {
        let (file, span) = match place {
            Place::Key(pointer) => (0, root.map_or(0..0, |root| root.key_span(pointer))),
            Place::Value(pointer) => (0, root.map_or(0..0, |root| root.value_span(pointer))),
            Place::Bytes(span) => (0, span.clone()),
            Place::At(origin) => (origin.file as usize, origin.range()),
        };
        (file, sources.get(file).map_or(0..0, |source| one_line(source, span)))
    };
    let (file, span) = span_of(&finding.place);
    let related = finding.related.iter().map(|(place, text)| {
        let (file, span) = span_of(place);
        Related { file, span, text: text.clone() }
    });
    let related = related.collect();
    let place = |at| sources.get(file).map_or(LineColumn { line: 1, column: 1 }, |source| source.line_column(at));
    let (start, end) = (place(span.start), place(span.end));
    Located { finding, file, span, start, end, related }
}

/// A place is shown on one line: what goes on over several (a long array, an unclosed text) is cut at the first, and what
/// is longer than a line can show is cut too. Every place lies on character boundaries.
pub(crate) fn one_line(source: &Source, span: Range<usize>) -> Range<usize> {
    const WIDEST: usize = 400;
    let floor = |mut at: usize| {
        while !source.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let length = source.text.len();
    let start = floor(span.start.min(length));
    let line_end = source.line_range(source.line_column(start).line).end;
    let end = floor(span.end.min(line_end).min(start + WIDEST).max(start));
    start..end
}

/// How many findings there are of each severity: errors, warnings, notes.
#[must_use]
pub fn summary(findings: &[Located]) -> (usize, usize, usize) {
    let of = |severity| findings.iter().filter(|located| located.finding.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning), of(Severity::Note))
}
