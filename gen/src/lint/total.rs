//! What is to say of several topologies and projects together.

use std::collections::HashMap;
use std::ops::Range;

use super::Located;
use super::settle::sort;
use crate::rules;
use crate::source::Source;

/// The files and findings of everything that was linted. Projects may share files: each is there once, and what two projects
/// say of it in the same words is said once.
#[derive(Debug, Default)]
pub struct Total {
    /// Every file that was looked into, in the order of reading.
    pub sources: Vec<Source>,
    /// The findings; their files are indices into the sources.
    pub findings: Vec<Located>,
    /// Files by name.
    names: HashMap<String, usize>,
    /// How many projects have a file.
    projects: Vec<usize>,
    /// How many of them say that a comment in it allows nothing.
    unused: HashMap<(usize, Range<usize>), usize>,
}

impl Total {
    /// Adds what was found in one topology or project.
    pub fn add(&mut self, sources: Vec<Source>, findings: Vec<Located>) {
        let mut places = Vec::with_capacity(sources.len());
        for source in sources {
            let known = self.names.get(&source.name).copied().filter(|known| self.sources[*known].text == source.text);
            let place = known.unwrap_or_else(|| {
                self.names.insert(source.name.clone(), self.sources.len());
                self.sources.push(source);
                self.projects.push(0);
                self.sources.len() - 1
            });
            if !places.contains(&place) {
                self.projects[place] += 1;
            }
            places.push(place);
        }
        let place = |file: usize| places.get(file).copied().unwrap_or_default();
        for mut located in findings {
            located.file = place(located.file);
            located.related.iter_mut().for_each(|related| related.file = place(related.file));
            for (origin, _) in located.finding.fix.iter_mut().flat_map(|fix| &mut fix.edits) {
                origin.file = u32::try_from(place(origin.file as usize)).unwrap_or(u32::MAX);
            }
            if located.finding.rule == rules::unused_allow::RULE.name {
                *self.unused.entry((located.file, located.span.clone())).or_default() += 1;
            }
            self.findings.push(located);
        }
    }

    /// Sorts by file and place, after the last one was added.
    pub fn finish(&mut self) {
        // A comment in a file of two projects is of use when it is so in one of them.
        let Self { findings, projects, unused, .. } = self;
        findings.retain(|located| {
            located.finding.rule != rules::unused_allow::RULE.name
                || unused.get(&(located.file, located.span.clone())).is_none_or(|number| *number >= projects[located.file])
        });
        // The same finding of two projects is equal but for where the rule pointed, which the places tell already.
        sort(findings);
        findings.dedup_by(|a, b| {
            (a.file, &a.span, a.finding.rule, &a.finding.message) == (b.file, &b.span, b.finding.rule, &b.finding.message)
        });
    }
}
