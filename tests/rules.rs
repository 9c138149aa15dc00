//! Every rule has a folder `tests/rules/<rule>/`: topologies that it finds fault with (`fail*.toml`), what a user then reads
//! (`fail*.stderr`), and one that it is content with (`pass.toml`).
//!
//! A first line `# lint: --scale bro=2` is a what-if, a file `fail*.ufw` beside a topology is the host's firewall.
//! `SNAPSHOTS=overwrite cargo test -p cbwgen --test rules` writes the expected texts anew.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::path::{Path, PathBuf};

use cbwgen::facts::missing_files;
use cbwgen::firewall::Ufw;
use cbwgen::lint::{Facts, Loaded, Located, lint, load};
use cbwgen::report::text;
use cbwgen::rules;
use cbwgen::source::Source;
use cbwgen::spec::Replicas;
use cbwgen::topology::WhatIf;
use snapbox::assert_data_eq;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rules")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// `# lint: --scale bro=2 --scale wor=0` in the first line.
fn what_if(source: &Source) -> WhatIf {
    let first = source.text.lines().next().unwrap_or_default();
    let words = first.strip_prefix("# lint:").unwrap_or_default();
    let scale = words.split("--scale").filter_map(|word| {
        let (name, number) = word.trim().split_once('=')?;
        Some((name.to_owned(), Replicas::new(number.parse().unwrap()).unwrap(), format!("--scale {}", word.trim())))
    });
    WhatIf { scale: scale.collect() }
}

/// What `cbwgen lint` finds in a file.
fn findings(path: &Path) -> (Loaded, Vec<Located>) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = Source::new(name, std::fs::read_to_string(path).unwrap());
    let what_if = what_if(&source);
    let loaded = load(source, "fixture", &what_if);
    let firewall = std::fs::read_to_string(path.with_extension("ufw")).ok().map(|text| Ufw::parse(&text).unwrap());
    let missing_files = missing_files(&loaded.plan, path.parent().unwrap());
    let findings = lint(&loaded, &Facts { firewall, missing_files });
    (loaded, findings)
}

fn rules_of(findings: &[Located]) -> Vec<&str> {
    let mut rules: Vec<&str> = findings.iter().map(|located| located.finding.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn every_rule_has_examples_and_every_folder_a_rule() {
    let mut folders: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    let rules: Vec<&str> = rules::ALL.iter().map(|rule| rule.name).collect();
    assert_eq!(folders, rules);
    for rule in rules {
        let folder = folder().join(rule);
        assert!(folder.join("fail.toml").exists(), "`{rule}` shows what it finds");
        assert!(folder.join("pass.toml").exists(), "`{rule}` shows what it is content with");
    }
}

#[test]
fn a_rule_finds_what_it_is_for_and_says_it_well() {
    for rule in rules::ALL {
        for path in files(&folder().join(rule.name), "toml").iter().filter(|path| !path.ends_with("pass.toml")) {
            let (loaded, findings) = findings(path);
            assert_eq!(rules_of(&findings), [rule.name], "{} has findings of its own rule and of no other", path.display());
            let read = text::report(std::slice::from_ref(&loaded.source), &findings, false);
            assert_data_eq!(read, snapbox::Data::read_from(&path.with_extension("stderr"), None).raw());
        }
    }
}

#[test]
fn a_rule_is_silent_where_all_is_well() {
    for rule in rules::ALL {
        let path = folder().join(rule.name).join("pass.toml");
        let (loaded, findings) = findings(&path);
        let wrong: Vec<&Located> = findings.iter().filter(|located| located.finding.rule != "ufw-bypass").collect();
        assert!(wrong.is_empty(), "{}", text::report(std::slice::from_ref(&loaded.source), &findings, false));
        assert!(rule.name != "ufw-bypass" || findings.is_empty());
    }
}

#[test]
fn every_place_is_underlined() {
    // What is not there cannot be underlined: a bracket that is missing at the end of a line, a component of an empty file.
    for rule in rules::ALL.iter().filter(|rule| !matches!(rule.name, "empty-topology" | "syntax")) {
        for path in files(&folder().join(rule.name), "toml") {
            for located in findings(&path).1 {
                let spans = std::iter::once(&located.span).chain(located.related.iter().map(|related| &related.span));
                for span in spans {
                    assert!(!span.is_empty(), "{}: {:?}", path.display(), located.finding);
                }
            }
        }
    }
}

#[test]
fn messages_are_written_in_one_manner() {
    for rule in rules::ALL {
        for path in files(&folder().join(rule.name), "toml") {
            for Located { finding, .. } in findings(&path).1 {
                for text in [&finding.message, &finding.consequence, &finding.help] {
                    assert!(!text.is_empty(), "{}: {finding:?}", path.display());
                    assert!(!text.ends_with('.'), "no final stop: {text}");
                    assert!(!text.contains('\n'), "one line: {text}");
                    let name = ["Docker", "DNS", "Linux"].iter().any(|name| text.starts_with(name));
                    assert!(name || !text.starts_with(|c: char| c.is_ascii_uppercase()), "lower case: {text}");
                    assert_eq!(text.matches('`').count() % 2, 0, "every backtick is closed: {text}");
                }
            }
        }
    }
}

#[test]
fn two_runs_say_the_same_in_the_order_of_the_file() {
    for rule in rules::ALL {
        let (_, first) = findings(&folder().join(rule.name).join("fail.toml"));
        let (_, second) = findings(&folder().join(rule.name).join("fail.toml"));
        assert_eq!(first, second);
        assert!(first.is_sorted_by_key(|located| located.start));
    }
}

/// Each bad example shows one mistake, found by the rule that it is named for, in the line with the arrow.
#[test]
fn bad_examples_give_the_finding_that_they_are_named_for() {
    let bad = files(&examples().join("bad"), "toml");
    assert!(bad.len() >= 6, "{bad:?}");
    for path in bad {
        let (loaded, findings) = findings(&path);
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(rules_of(&findings), [name], "{}", text::report(std::slice::from_ref(&loaded.source), &findings, false));
        for located in &findings {
            let line = &loaded.source.text[loaded.source.line_range(located.start.line)];
            assert!(line.contains("# <--"), "{}: {line}", path.display());
        }
    }
}

/// 10,000 components that all want one port: each clash is told once, in a time that grows with the file.
#[test]
fn ten_thousand_clashes_are_told() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..10_000 {
        let _ = writeln!(text, "[service.s{number}]\nimage = \"nginx:1.28\"\nports = {{ http = 80 }}\npublish = {{ http = 8080 }}");
    }
    let loaded = load(Source::new("many.toml", text), "many", &WhatIf::default());
    let findings = lint(&loaded, &Facts::default());
    assert_eq!(findings.len(), 9_999);
}
