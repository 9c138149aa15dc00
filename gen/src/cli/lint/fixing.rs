//! `cbwgen lint --fix`: rounds of linting and correcting in memory, then each changed file is written once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{Judge, Lint, Target};
use crate::fix;
use crate::lint::total::Total;
use crate::source::Source;
use crate::write::unified;

/// Rounds of correcting: what one uncovers, the next corrects. No good set of rules needs as many.
const ROUNDS: usize = 10;

/// What is changed, and what may be.
pub(super) struct Fixing {
    current: PathBuf,
    /// Files that may be changed, wherever they are: those that the user names.
    named: Vec<PathBuf>,
    /// Folders below which files may be changed: those of the projects.
    folders: Vec<PathBuf>,
    /// Changed files by path: name, old text, new text.
    changed: BTreeMap<PathBuf, (String, String, String)>,
    /// What was done, by the name of the file.
    done: Vec<(String, String)>,
}

impl Fixing {
    pub fn new(arguments: &Lint, targets: &[Target], current: &Path) -> anyhow::Result<Self> {
        if arguments.paths.iter().chain(&arguments.compose.files).any(|path| path.as_os_str() == "-") {
            bail!("`--fix` cannot change standard input: name a file");
        }
        let real = |path: &Path| current.join(path).canonicalize().ok();
        // A link that is named is meant; one that was found in a folder may lead out of it.
        let named = arguments.paths.iter().chain(&arguments.compose.files).filter_map(|path| real(path)).collect();
        let mut folders = Vec::new();
        for target in targets {
            let folder = match target {
                Target::Topology(file) => file.parent(),
                Target::Project(files) => arguments.compose.project_directory.as_deref().or_else(|| files.first()?.parent()),
            };
            folders.extend(real(folder.unwrap_or(Path::new(""))));
        }
        Ok(Self { current: current.to_owned(), named, folders, changed: BTreeMap::new(), done: Vec::new() })
    }

    /// Lints and corrects until there is nothing more to correct. The findings are those that are left.
    pub fn run(&mut self, judge: &mut Judge<'_>, targets: &[Target]) -> (Total, Vec<anyhow::Error>) {
        let refused = |total: &Total| total.findings.iter().filter(|located| located.finding.refused).count();
        let (mut total, mut wrong) = judge.lint_all(targets);
        let before = refused(&total);
        for _ in 0..ROUNDS {
            let fixed = fix::apply(&total.sources, &total.findings, |file| self.may(&total.sources[file]));
            if fixed.texts.is_empty() {
                break;
            }
            let texts = judge.world.files.texts.clone();
            for (file, new) in &fixed.texts {
                judge.world.files.texts.insert(self.path(&total.sources[*file]), new.clone());
            }
            let (next, more) = judge.lint_all(targets);
            // A fix never makes a project one that Compose refuses. If one did, the files stay as they were.
            if refused(&next) > before || more.len() > wrong.len() {
                judge.world.files.texts = texts;
                break;
            }
            for (file, title) in fixed.done {
                self.done.push((total.sources[file].name.clone(), title));
            }
            for (file, new) in fixed.texts {
                let source = &total.sources[file];
                let change = self.changed.entry(self.path(source));
                change.or_insert_with(|| (source.name.clone(), source.text.clone(), String::new())).2 = new;
            }
            (total, wrong) = (next, more);
        }
        (total, wrong)
    }

    fn path(&self, source: &Source) -> PathBuf {
        self.current.join(&source.name)
    }

    /// Whether a file is the user's to change: named by the user, or below a project.
    fn may(&self, source: &Source) -> bool {
        let path = self.path(source).canonicalize();
        path.is_ok_and(|path| path.is_file() && (self.named.contains(&path) || self.folders.iter().any(|folder| path.starts_with(folder))))
    }

    /// Everything that would be written, as a unified diff.
    pub fn diff(&self) -> String {
        self.changed.values().map(|(name, old, new)| unified(name, old, new)).collect()
    }

    /// Writes the changed files and says so; false when one could not be written.
    pub fn write(&self) -> bool {
        let mut all = true;
        let mut errors = std::io::stderr().lock();
        for (path, (name, old, new)) in &self.changed {
            match fix::write(path, old, new) {
                Ok(()) => {
                    for (_, title) in self.done.iter().filter(|(file, _)| file == name) {
                        let _ = writeln!(errors, "fixed {name}: {title}");
                    }
                }
                Err(error) => {
                    all = false;
                    let _ = writeln!(errors, "error: cannot write `{name}`: {error}");
                }
            }
        }
        all
    }
}
