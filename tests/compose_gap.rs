//! Twins of Compose projects: one with a fault that Compose accepts, one with its smallest repair.
//!
//! They are not part of this repository: `CBW_CORPUS` names their folder, `../shared/corpus` is where they are looked for.
//! `CORPUS_VERBOSE=1` prints what is found.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "what cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cbwgen::compose::files::Disk;
use cbwgen::compose::load::Options;
use cbwgen::lint::project::{Linted, lint};
use cbwgen::lint::settings::Settings;
use cbwgen::report::text;
use cbwgen::rules::{Group, by_name};

fn corpus() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("CBW_CORPUS").map_or(usual, PathBuf::from);
    let there = folder.join("gap-index.tsv").exists();
    if !there {
        eprintln!("skipped: there are no twins at `{}`; `CBW_CORPUS` names their folder", folder.display());
    }
    there.then_some(folder)
}

fn linted(folder: &Path) -> Linted {
    let folder = folder.canonicalize().unwrap();
    let options = Options { current: folder.clone(), ..Options::default() };
    let settings = Settings { pedantic: true, security: true, ..Settings::default() };
    lint(&options, &Disk { current: folder }, None, &settings).unwrap()
}

fn rules_of(linted: &Linted) -> BTreeSet<&'static str> {
    linted.findings.iter().map(|located| located.finding.rule).collect()
}

#[test]
fn each_fault_is_found_and_its_repair_is_not() {
    let Some(corpus) = corpus() else { return };
    let is_verbose = std::env::var_os("CORPUS_VERBOSE").is_some();
    let index = std::fs::read_to_string(corpus.join("gap-index.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for id in index.lines().skip(1).filter_map(|line| line.split('\t').next()) {
        let twins = ["bad", "good"].map(|side| linted(&corpus.join("gap").join(id).join(side)));
        let [bad, good] = [rules_of(&twins[0]), rules_of(&twins[1])];
        let found: Vec<&str> = bad.difference(&good).copied().collect();
        if is_verbose {
            println!("{id}: {found:?}");
        }
        if id.starts_with("NOT-") != found.is_empty() && !id.starts_with("NOT-") {
            wrong.push(format!("{id}: nothing is found on bad that is not on good ({bad:?})"));
        }
        let is_default = |rule: &&&str| by_name(rule).is_some_and(|rule| rule.group == Group::Default);
        let false_alarms: Vec<&&str> = good.iter().filter(is_default).collect();
        if !false_alarms.is_empty() {
            wrong
                .push(format!("{id}: the good side has {false_alarms:?}:\n{}", text::report(&twins[1].sources, &twins[1].findings, false)));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} twins");
}
