//! Compose projects: loaded, judged by the rules, and by what the user says of them.

use super::settings::Settings;
use super::{Judged, Located, locate, settle, sort};
use crate::compose::files::Files;
use crate::compose::load::{self, Options};
use crate::compose::surroundings::Surroundings;
use crate::compose::tree::Node;
use crate::compose::{Context, Project};
use crate::finding::Finding;
use crate::firewall::Ufw;
use crate::firewall::live::Listening;
use crate::rules;
use crate::source::{Origin, ReadError, Source};

/// Findings of the loader at their places.
#[must_use]
pub fn told(findings: Vec<Finding>, project: &Project) -> Vec<Located> {
    let mut located = findings.into_iter().map(|finding| locate(finding, &project.sources, None)).collect();
    sort(&mut located);
    located
}

/// A project and everything that is to say of it.
#[derive(Debug)]
pub struct Linted {
    /// Every file that was looked into.
    pub sources: Vec<Source>,
    /// The findings; their files are indices into the sources.
    pub findings: Vec<Located>,
    /// The project.
    pub project: Project,
}

/// Loads a project and judges it.
pub fn lint(options: &Options, files: &dyn Files, firewall: Option<&Ufw>, settings: &Settings) -> Result<Linted, ReadError> {
    lint_on(options, files, (firewall, &[]), settings)
}

/// The same on a host with these ports taken.
pub fn lint_on(
    options: &Options,
    files: &dyn Files,
    (firewall, listening): (Option<&Ufw>, &[Listening]),
    settings: &Settings,
) -> Result<Linted, ReadError> {
    let (mut project, mut findings) = load::load(options, files)?;
    let mut surroundings = Surroundings::new(&project, files);
    let context = Context { project: &project, files, firewall, listening, surroundings: &surroundings };
    for rule in rules::ALL.iter().filter(|rule| settings.asks(rule)) {
        if let Some(check) = rule.compose {
            check(&context, &mut findings);
        }
    }
    // Dockerfiles and their like count on behind the project's own files.
    let around = std::mem::take(&mut surroundings.sources);
    drop(surroundings);
    let mut sources = std::mem::take(&mut project.sources);
    sources.extend(around);
    let located = findings.into_iter().map(|finding| locate(finding, &sources, None)).collect();
    let judged = Judged { all: project.complete, firewall: firewall.is_some(), compose: true, passed_over: passed_over(&project) };
    let findings = settle(located, &sources, settings, &judged);
    Ok(Linted { sources, findings, project })
}

/// Where the services stand that no active profile has.
fn passed_over(project: &Project) -> Vec<Origin> {
    let mut places = Vec::new();
    let mut nodes: Vec<&Node> = project.disabled.values().collect();
    while let Some(node) = nodes.pop() {
        places.push(node.origin);
        nodes.extend(node.items());
        for (_, entry) in node.entries() {
            places.push(entry.key);
            nodes.push(&entry.node);
        }
    }
    places
}
