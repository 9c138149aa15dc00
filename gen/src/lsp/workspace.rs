//! What is open in the editor, and what lint says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lsp_types::{Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, PublishDiagnosticsParams, Range};

use super::{position, uri};
use crate::compose::files::{Disk, Files as _, Kind, Memory};
use crate::compose::load::{NAMES, OVERRIDES, Options, usual_files};
use crate::facts;
use crate::finding::Severity;
use crate::lint::settings::{self, Config, Settings};
use crate::lint::total::Total;
use crate::lint::{self, Facts, Located, project};
use crate::source::Source;
use crate::topology::WhatIf;

/// What an open file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Topology,
    Project,
    Settings,
    /// Nothing of ours by itself, but a project may name it: a Dockerfile, an env file.
    Other,
}

/// The open files and what was said of them last.
#[derive(Debug)]
pub(super) struct Workspace {
    files: Memory<Disk>,
    roles: BTreeMap<PathBuf, Role>,
    /// What lint says of all that is open.
    pub total: Total,
    /// Names of services of the open projects, also of files that are not open.
    pub services: BTreeMap<PathBuf, Vec<String>>,
    /// Files that have diagnostics in the editor.
    told: BTreeSet<PathBuf>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            // Names of files are whole paths here: no folder is the current one.
            files: Memory { texts: BTreeMap::new(), rest: Disk::default() },
            roles: BTreeMap::new(),
            total: Total::default(),
            services: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }
}

impl Workspace {
    pub fn open(&mut self, path: PathBuf, text: String, language: &str) {
        self.roles.insert(path.clone(), role(&path, &text, language));
        self.files.texts.insert(path, text);
    }

    /// Replaces a part of a text, or all of it.
    pub fn change(&mut self, path: &Path, part: Option<Range>, new: String) {
        let Some(text) = self.files.texts.get_mut(path) else { return };
        match part {
            None => *text = new,
            Some(part) => {
                let source = Source::new("", text.as_str());
                let (start, end) = (position::offset(&source, part.start), position::offset(&source, part.end));
                text.replace_range(start..end.max(start), &new);
            }
        }
    }

    pub fn close(&mut self, path: &Path) {
        self.files.texts.remove(path);
        self.roles.remove(path);
        self.services.remove(path);
    }

    /// An open file.
    pub fn source(&self, path: &Path) -> Option<(Source, Role)> {
        let text = self.files.texts.get(path)?;
        Some((Source::new(path.display().to_string(), text.as_str()), *self.roles.get(path)?))
    }

    /// The findings of a file whose bytes overlap a range.
    pub fn findings_at(&self, path: &Path, start: usize, end: usize) -> Vec<&Located> {
        let Some(file) = self.total.sources.iter().position(|source| Path::new(&source.name) == path) else { return Vec::new() };
        let overlaps = |located: &&Located| located.file == file && located.span.start <= end && start <= located.span.end;
        self.total.findings.iter().filter(overlaps).collect()
    }

    /// Lints all that is open; the diagnostics of each file that has some or had some.
    pub fn diagnostics(&mut self) -> Vec<PublishDiagnosticsParams> {
        let mut total = Total::default();
        for (path, role) in self.roles.clone() {
            match role {
                Role::Topology => self.lint_topology(&path, &mut total),
                Role::Project => self.lint_project(&path, &mut total),
                Role::Settings => {
                    if let Some((source, _)) = self.source(&path) {
                        let config = Config::parse(source);
                        total.add(vec![config.source], config.findings);
                    }
                }
                Role::Other => {}
            }
        }
        total.finish();
        self.total = total;
        let mut by_file: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
        // What is open and clean is told to be so.
        for path in self.told.iter().chain(self.roles.keys()) {
            by_file.insert(path.clone(), Vec::new());
        }
        for located in &self.total.findings {
            let Some(source) = self.total.sources.get(located.file) else { continue };
            by_file.entry(PathBuf::from(&source.name)).or_default().push(self.diagnostic(source, located));
        }
        self.told = by_file.iter().filter(|(_, diagnostics)| !diagnostics.is_empty()).map(|(path, _)| path.clone()).collect();
        let publish = |(path, diagnostics)| Some(PublishDiagnosticsParams { uri: uri(path)?, diagnostics, version: None });
        by_file.iter().map(|(path, diagnostics)| (path.as_path(), diagnostics.clone())).filter_map(publish).collect()
    }

    pub fn diagnostic(&self, source: &Source, located: &Located) -> Diagnostic {
        let finding = &located.finding;
        let related = located.related.iter().filter_map(|related| {
            let source = self.total.sources.get(related.file)?;
            let location = Location { uri: uri(Path::new(&source.name))?, range: position::range(source, &related.span) };
            Some(DiagnosticRelatedInformation { location, message: related.text.clone() })
        });
        let related: Vec<_> = related.collect();
        Diagnostic {
            range: position::range(source, &located.span),
            severity: Some(match finding.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
                Severity::Note => DiagnosticSeverity::INFORMATION,
            }),
            code: Some(NumberOrString::String(finding.rule.to_owned())),
            source: Some("cbwgen".to_owned()),
            message: crate::report::in_full(located),
            related_information: (!related.is_empty()).then_some(related),
            ..Diagnostic::default()
        }
    }

    /// What the nearest `cbwgen.toml` says, as it is in the editor or on the disk.
    fn settings(&self, folder: &Path, total: &mut Total) -> Settings {
        let Some(path) = settings::find(folder) else { return Settings::default() };
        let Ok(source) = self.files.read(&path) else { return Settings::default() };
        let config = Config::parse(source);
        let settings = Settings::default().and(&config);
        if !config.findings.is_empty() {
            total.add(vec![config.source], config.findings);
        }
        settings
    }

    fn lint_topology(&self, path: &Path, total: &mut Total) {
        let Some((source, _)) = self.source(path) else { return };
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let loaded = lint::load(source, name, &WhatIf::default());
        let facts = Facts { missing_files: facts::missing_files(&loaded.plan, folder), ..Facts::default() };
        let findings = lint::lint_with(&loaded, &facts, &self.settings(folder, total));
        total.add(vec![loaded.source], findings);
    }

    fn lint_project(&mut self, path: &Path, total: &mut Total) {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let settings = self.settings(folder, total);
        let load = |files: Vec<PathBuf>| {
            let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            let options = Options { files, current: folder.to_owned(), environment: environment.collect(), ..Options::default() };
            project::lint(&options, &self.files, None, &settings).ok()
        };
        let refused = |linted: &project::Linted| linted.findings.iter().filter(|located| located.finding.refused).count();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let usual = usual_files(folder, &self.files);
        let is_usual = usual.iter().any(|file| file == path);
        let mut linted = if is_usual { load(usual) } else { load(vec![path.to_owned()]) };
        // A file that is no project of its own goes over the one beside it, as `-f compose.yaml -f compose.prod.yaml` does.
        if !is_usual
            && linted.as_ref().is_none_or(|linted| refused(linted) > 0)
            && let Some(base) = NAMES.iter().map(|base| folder.join(base)).find(|base| self.files.kind(base) == Kind::File)
            && let Some(over) = load(vec![base, path.to_owned()])
            && (OVERRIDES.contains(&name) || linted.as_ref().is_none_or(|alone| refused(&over) < refused(alone)))
        {
            linted = Some(over);
        }
        let Some(linted) = linted else { return };
        let active = linted.project.services().map(|(name, _)| name.to_owned());
        let names = active.chain(linted.project.disabled.keys().cloned()).collect();
        total.add(linted.sources, linted.findings);
        self.services.insert(path.to_owned(), names);
    }
}

/// What a file is: YAML is a Compose file when its name or the editor says so, TOML is a topology when its content does.
fn role(path: &Path, text: &str, language: &str) -> Role {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        _ if name == settings::FILE => Role::Settings,
        "toml" if name == "topology.toml" || crate::spec::looks_like_topology(text) => Role::Topology,
        "yaml" | "yml" if name.contains("compose") || language == "dockercompose" => Role::Project,
        _ => Role::Other,
    }
}
