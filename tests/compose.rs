//! The verdicts of `docker compose config`, and its resolved model, on many projects.
//!
//! The corpus of projects with known verdicts is not part of this repository: `CBW_CORPUS` names its folder, `../shared/corpus`
//! is where it is looked for. `CORPUS_VERBOSE=1` prints each difference; `CORPUS_MODELS=FOLDER` holds the models against those
//! in a folder (`NAME.json`, as `docker compose config --format json` prints them).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "what cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

fn load_row(corpus: &Path, row: &Row) -> Option<(Project, Vec<Finding>)> {
    let mut parts = row.file.split('/');
    let folder = corpus.join(parts.next().unwrap()).join(parts.next().unwrap()).canonicalize().unwrap();
    let arguments = row.arguments.replace("UNNORMALIZED PATH", "UNNORMALIZED\u{0}PATH");
    let files = arguments.split(' ').filter(|word| *word != "-f").map(|word| PathBuf::from(word.replace('\u{0}', " ")));
    let options =
        Options { files: files.collect(), environment: environment(&row.environment), current: folder.clone(), ..Options::default() };
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

#[test]
fn models_are_those_of_compose() {
    let (Some(corpus), Some(models)) = (corpus(), std::env::var_os("CORPUS_MODELS").map(PathBuf::from)) else { return };
    let (mut right, mut wrong) = (0, Vec::new());
    for row in rows(&corpus).into_iter().filter(|row| row.valid) {
        let name = row.file.split('/').nth(1).unwrap().to_owned() + &row.arguments.replace(['/', ' '], "_");
        let Ok(text) = std::fs::read_to_string(models.join(name + ".json")) else { continue };
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let Some((project, _)) = load_row(&corpus, &row) else { continue };
        let found = cbwgen::compose::config::document(&project);
        if found == expected {
            right += 1;
        } else {
            wrong.push(format!("{}\n{}", row.file, difference(&expected, &found, "")));
        }
    }
    println!("{right} right, {} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(wrong.len() * 20 <= right, "models differ");
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
