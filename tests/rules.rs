//! Every rule has a folder `tests/rules/<rule>/`: topologies that it finds fault with (`fail*.toml`), what a user then reads
//! (`fail*.stderr`), and one that it is content with (`pass.toml`).
//!
//! Compose projects beside them are files (`fail*.yaml`, `pass*.yaml`) or folders (`fail*/`, `pass*/`); they are judged with
//! everything switched on, and only what their own rule says of them counts, unless it is a default finding.
//!
//! A first line `# lint: --scale bro=2` is a what-if. Beside a topology or a Compose file, `fail*.ufw` is the host's firewall, and
//! `fail*.ports` its taken ports: who has them, and which.
//! `SNAPSHOTS=overwrite cargo test -p cbwgen --test rules` writes the expected texts anew.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::path::{Path, PathBuf};

use cbwgen::compose::files::{Disk, Memory};
use cbwgen::compose::load::Options;
use cbwgen::facts::missing_files;
use cbwgen::firewall::Ufw;
use cbwgen::firewall::live::{Holder, Listening};
use cbwgen::lint::project::{self, Linted};
use cbwgen::lint::settings::Settings;
use cbwgen::lint::{Facts, Loaded, Located, lint, load};
use cbwgen::render::Target;
use cbwgen::report::text;
use cbwgen::rules::{self, Group};
use cbwgen::source::Source;
use cbwgen::spec::Replicas;
use cbwgen::spec::values::Protocol;
use cbwgen::topology::WhatIf;
use clap::ValueEnum as _;
use snapbox::assert_data_eq;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rules")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// The words behind `# lint:` in the first line: `# lint: --scale bro=2 --target swarm`.
fn words(source: &Source) -> Vec<&str> {
    let first = source.text.lines().next().unwrap_or_default();
    first.strip_prefix("# lint:").unwrap_or_default().split_whitespace().collect()
}

/// The values of an option among them.
fn values<'a>(words: &'a [&str], option: &str) -> impl Iterator<Item = &'a str> {
    words.windows(2).filter(move |pair| pair[0] == option).map(|pair| pair[1])
}

fn what_if(source: &Source) -> WhatIf {
    let words = words(source);
    let scale = values(&words, "--scale").map(|word| {
        let (name, number) = word.split_once('=').unwrap();
        (name.to_owned(), Replicas::new(number.parse().unwrap()).unwrap(), format!("--scale {word}"))
    });
    WhatIf { scale: scale.collect() }
}

fn target(source: &Source) -> Target {
    let words = words(source);
    values(&words, "--target").last().map_or(Target::Compose, |name| Target::from_str(name, false).unwrap())
}

/// Taken ports, one a line: `nginx 0.0.0.0:9998/tcp` (a process, number 4711), `demo-bro-1 demo bro 127.0.0.1:9998/tcp` (a
/// container with project and service), `127.0.0.1:53/udp` (nobody may see whose).
fn listening(path: &Path) -> Vec<Listening> {
    let text = std::fs::read_to_string(path.with_extension("ports")).unwrap_or_default();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let holder = match words[..words.len() - 1] {
            [] => Holder::Hidden,
            [name] => Holder::Process { pid: 4711, name: name.into() },
            [name, project, service] => Holder::Container { name: name.into(), project: project.into(), service: service.into() },
            _ => panic!("{line}"),
        };
        let (address, protocol) = words.last().unwrap().split_once('/').unwrap();
        let address: std::net::SocketAddr = address.parse().unwrap();
        let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        Listening { address: address.ip(), port: address.port(), protocol, holder }
    };
    text.lines().map(line).collect()
}

/// What `cbwgen lint` finds in a file.
fn findings(path: &Path) -> (Loaded, Vec<Located>) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = Source::new(name, std::fs::read_to_string(path).unwrap());
    let what_if = what_if(&source);
    let loaded = load(source, "fixture", &what_if);
    let firewall = std::fs::read_to_string(path.with_extension("ufw")).ok().map(|text| Ufw::parse(&text).unwrap());
    let missing_files = missing_files(&loaded.plan, path.parent().unwrap());
    let target = target(&loaded.source);
    let findings = lint(&loaded, &Facts { firewall, listening: listening(path), missing_files, target });
    (loaded, findings)
}

/// The Compose projects of a rule: files, and folders.
fn projects(rule: &str, kind: &str) -> Vec<PathBuf> {
    let folder = folder().join(rule);
    let entries = std::fs::read_dir(&folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        let is_project = path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml");
        is_project && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(kind))
    });
    found.sort();
    found
}

/// What lint finds in a Compose project, with everything switched on.
fn judged(path: &Path) -> Linted {
    let path = path.canonicalize().unwrap();
    let folder = if path.is_dir() { path.clone() } else { path.parent().unwrap().to_owned() };
    let files = if path.is_dir() { Vec::new() } else { vec![path.clone()] };
    let firewall = std::fs::read_to_string(path.with_extension("ufw")).ok().map(|text| Ufw::parse(&text).unwrap());
    let settings = Settings { pedantic: true, security: true, ..Settings::default() };
    let options = Options { current: folder.clone(), files, ..Options::default() };
    project::lint_on(&options, &Disk { current: folder }, (firewall.as_ref(), &listening(&path)), &settings).unwrap()
}

/// Its own findings; of the others none may be a default one.
fn own(rule: &str, path: &Path) -> (Vec<Source>, Vec<Located>) {
    let Linted { sources, findings, .. } = judged(path);
    let (own, others): (Vec<Located>, Vec<Located>) = findings.into_iter().partition(|located| located.finding.rule == rule);
    let told = |located: &Located| rules::by_name(located.finding.rule).is_none_or(|rule| rule.group == Group::Default);
    let wrong: Vec<Located> = others.into_iter().filter(told).collect();
    assert!(wrong.is_empty(), "{}:\n{}", path.display(), text::report(&sources, &wrong, false));
    (sources, own)
}

#[test]
fn a_rule_finds_what_it_is_for_in_compose_projects() {
    for rule in rules::ALL.iter().filter(|rule| rule.compose.is_some()) {
        for path in projects(rule.name, "fail") {
            let (sources, findings) = own(rule.name, &path);
            assert!(!findings.is_empty(), "{}: nothing is found", path.display());
            let read = text::report(&sources, &findings, false);
            assert_data_eq!(read, snapbox::Data::read_from(&path.with_extension("stderr"), None).raw());
            assert_well_said(&findings, &path);
        }
    }
}

#[test]
fn a_rule_is_silent_in_good_compose_projects() {
    for rule in rules::ALL.iter().filter(|rule| rule.compose.is_some()) {
        for path in projects(rule.name, "pass") {
            let (sources, findings) = own(rule.name, &path);
            assert!(findings.is_empty(), "{}:\n{}", path.display(), text::report(&sources, &findings, false));
        }
    }
}

/// Every place is underlined, and messages are written in one manner.
fn assert_well_said(findings: &[Located], path: &Path) {
    for located in findings {
        let spans = std::iter::once(&located.span).chain(located.related.iter().map(|related| &related.span));
        for span in spans {
            assert!(!span.is_empty(), "{}: {:?}", path.display(), located.finding);
        }
        let finding = &located.finding;
        assert!(!finding.path.is_empty(), "{}: {:?} says what it is about", path.display(), finding);
        for text in [&finding.message, &finding.consequence, &finding.help] {
            assert!(!text.is_empty(), "{}: {finding:?}", path.display());
            assert!(!text.ends_with('.'), "no final stop: {text}");
            assert!(!text.contains('\n'), "one line: {text}");
            let name = ["Docker", "DNS", "Linux", "Compose"].iter().any(|name| text.starts_with(name));
            assert!(name || !text.starts_with(|c: char| c.is_ascii_uppercase()), "lower case: {text}");
            assert_eq!(text.matches('`').count() % 2, 0, "every backtick is closed: {text}");
        }
    }
}

/// Ten thousand services in one project: no rule may compare each with each.
#[test]
fn ten_thousand_services_are_judged() {
    use std::fmt::Write as _;
    let mut text = String::from("services:\n");
    for number in 0..10_000 {
        let next = (number + 1) % 10_000;
        let _ =
            writeln!(text, "  s{number}: {{image: 'a:1', ports: ['8080:80'], environment: {{URL: 'http://s{next}:80', DB_HOST: nobody}}}}");
    }
    let path = PathBuf::from("/many/compose.yaml");
    let files = Memory { texts: [(path.clone(), text)].into(), rest: Disk::default() };
    let options = Options { current: PathBuf::from("/many"), files: vec![path], ..Options::default() };
    let linted = project::lint(&options, &files, None, &Settings::default()).unwrap();
    assert!(linted.findings.iter().any(|located| located.finding.rule == "port-clash" || located.finding.rule == "too-large"));
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
    for name in folders {
        assert!(rules.contains(&name.as_str()), "`{name}` is a rule");
    }
    for rule in rules::ALL {
        let (name, folder) = (rule.name, folder().join(rule.name));
        if rule.check.is_some() {
            assert!(folder.join("fail.toml").exists(), "`{name}` shows what it finds");
            assert!(folder.join("pass.toml").exists(), "`{name}` shows what it is content with");
        }
        if rule.compose.is_some() {
            assert!(!projects(name, "fail").is_empty(), "`{name}` shows what it finds in Compose projects");
            assert!(!projects(name, "pass").is_empty(), "`{name}` shows which Compose projects it is content with");
        }
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
    for rule in rules::ALL.iter().filter(|rule| folder().join(rule.name).join("pass.toml").exists()) {
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
                    let name = ["DNS", "Docker", "Kubernetes", "Linux"].iter().any(|name| text.starts_with(name));
                    assert!(name || !text.starts_with(|c: char| c.is_ascii_uppercase()), "lower case: {text}");
                    assert_eq!(text.matches('`').count() % 2, 0, "every backtick is closed: {text}");
                }
            }
        }
    }
}

#[test]
fn two_runs_say_the_same_in_the_order_of_the_file() {
    for rule in rules::ALL.iter().filter(|rule| folder().join(rule.name).join("fail.toml").exists()) {
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
