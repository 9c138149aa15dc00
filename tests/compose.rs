//! The verdicts of `docker compose config`, and its resolved model, on many projects.
//!
//! The corpus of projects with known verdicts is not part of this repository: `CBW_CORPUS` names its folder, `../shared/corpus`
//! is where it is looked for. The models are held against what Compose itself prints: `CBW_COMPOSE` names its program; the one
//! of the tests' engine and the usual places of plugins are looked at. `CORPUS_VERBOSE=1` prints each difference.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "what cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cbwgen::compose::Project;
use cbwgen::compose::files::Disk;
use cbwgen::compose::load::{Options, load};
use cbwgen::finding::Finding;

fn corpus() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("CBW_CORPUS").map_or(usual, PathBuf::from);
    let there = folder.join("index.tsv").exists();
    if !there {
        eprintln!("skipped: there is no corpus at `{}`; `CBW_CORPUS` names its folder", folder.display());
    }
    there.then_some(folder)
}

struct Row {
    file: String,
    valid: bool,
    arguments: String,
    environment: String,
    message: String,
}

fn rows(corpus: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(corpus.join("index.tsv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        Row {
            file: cells[0].to_owned(),
            valid: cells[1] == "valid",
            arguments: cells[4].to_owned(),
            environment: cells[5].to_owned(),
            message: cells[6].to_owned(),
        }
    };
    text.lines().skip(1).map(row).collect()
}

/// `A=x B=y z`: values may have spaces.
fn environment(text: &str) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
    let mut last = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some((name, value)) => {
                name.clone_into(&mut last);
                variables.insert(last.clone(), value.to_owned());
            }
            None => {
                let value = variables.get_mut(&last).unwrap();
                *value = format!("{value} {word}");
            }
        }
    }
    variables
}

fn folder_of(corpus: &Path, row: &Row) -> PathBuf {
    let mut parts = row.file.split('/');
    corpus.join(parts.next().unwrap()).join(parts.next().unwrap()).canonicalize().unwrap()
}

/// `-f a -f b`: one folder of the corpus has a space in its name.
fn files_of(row: &Row) -> Vec<PathBuf> {
    row.arguments.split("-f ").map(str::trim).filter(|file| !file.is_empty()).map(PathBuf::from).collect()
}

fn load_row(corpus: &Path, row: &Row) -> Option<(Project, Vec<Finding>)> {
    let folder = folder_of(corpus, row);
    let options =
        Options { files: files_of(row), environment: environment(&row.environment), current: folder.clone(), ..Options::default() };
    load(&options, &Disk { current: folder }).ok()
}

#[test]
fn verdicts_are_those_of_compose() {
    let Some(corpus) = corpus() else { return };
    let verbose = std::env::var_os("CORPUS_VERBOSE").is_some();
    let (mut right, mut wrong) = (0, Vec::new());
    for row in rows(&corpus) {
        let loaded = load_row(&corpus, &row);
        let accepted = loaded.as_ref().is_some_and(|(_, findings)| findings.iter().all(|finding| !finding.refused));
        if accepted == row.valid {
            right += 1;
        } else {
            let found = loaded.map(|(_, findings)| findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join(" | "));
            wrong.push(format!("{}: expected {}: {}\n    found: {found:?}", row.file, row.valid, row.message));
        }
    }
    println!("{right} right, {} wrong", wrong.len());
    if verbose {
        println!("{}", wrong.join("\n"));
    }
    assert!(wrong.len() * 100 <= right, "{}", wrong.join("\n"));
}

/// Compose as a program of its own, of the version that the corpus was made with.
fn compose() -> Option<PathBuf> {
    let folders =
        ["/var/lib/cbw-engine/config/cli-plugins", "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/bin"];
    let usual = folders.iter().map(|folder| Path::new(folder).join("docker-compose"));
    let named = std::env::var_os("CBW_COMPOSE").map(PathBuf::from);
    let is_right = |program: &PathBuf| {
        let said = Command::new(program).args(["version", "--short"]).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == "5.6.1")
    };
    let found = named.into_iter().chain(usual).find(is_right);
    if found.is_none() {
        eprintln!("skipped: there is no `docker-compose` v5.6.1; `CBW_COMPOSE` names it, `tests/docker/engine start` installs it");
    }
    found
}

/// The model that Compose prints; nothing where it can print none.
fn expected_model(compose: &Path, corpus: &Path, row: &Row) -> Option<serde_json::Value> {
    let mut command = Command::new(compose);
    command.current_dir(folder_of(corpus, row)).env_clear().env("PATH", "/usr/bin:/bin").envs(environment(&row.environment));
    for file in files_of(row) {
        command.arg("-f").arg(file);
    }
    let printed = command.args(["config", "--format", "json"]).output().unwrap();
    printed.status.success().then(|| serde_json::from_slice(&printed.stdout).unwrap())
}

#[test]
fn models_are_those_of_compose() {
    let (Some(corpus), Some(compose)) = (corpus(), compose()) else { return };
    let (mut right, mut wrong) = (0, Vec::new());
    for row in rows(&corpus).into_iter().filter(|row| row.valid) {
        let Some(expected) = expected_model(&compose, &corpus, &row) else { continue };
        let found = load_row(&corpus, &row).map(|(project, _)| cbwgen::compose::config::document(&project)).unwrap_or_default();
        if found == expected {
            right += 1;
        } else {
            wrong.push(format!("{}\n{}", row.file, difference(&expected, &found, "")));
        }
    }
    println!("{right} right, {} wrong", wrong.len());
    assert!(right > 0 && wrong.len() * 20 <= right, "{}", wrong.join("\n"));
}

fn difference(expected: &serde_json::Value, found: &serde_json::Value, path: &str) -> String {
    match (expected.as_object(), found.as_object()) {
        (Some(a), Some(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let null = serde_json::json!("<missing>");
            keys.into_iter()
                .filter(|key| a.get(*key) != b.get(*key))
                .map(|key| difference(a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null), &format!("{path}.{key}")))
                .collect()
        }
        _ => format!("    {path}: expected {expected}, found {found}\n"),
    }
}
