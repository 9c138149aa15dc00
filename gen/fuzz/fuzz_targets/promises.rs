//! What holds for any text: no panic, an end in good time, and every place that is told lies inside of the text that it is told
//! of. The fuzz targets and `tests/fuzz.rs` call these.
#![allow(dead_code, reason = "each target calls one of them")]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use cbwgen::compose::dockerfile::Dockerfile;
use cbwgen::compose::dockerignore::Dockerignore;
use cbwgen::compose::files::{Files, Kind, Memory};
use cbwgen::compose::load::Options;
use cbwgen::compose::{config, load, tree};
use cbwgen::finding::{Finding, Place};
use cbwgen::firewall::Ufw;
use cbwgen::lint::settings::Settings;
use cbwgen::lint::{Facts, Located, lint_with, project};
use cbwgen::render::{self, Templates};
use cbwgen::report::{Format, report};
use cbwgen::source::{Origin, ReadError, Source, yaml as reader};
use cbwgen::spec::values::Protocol;
use cbwgen::topology::WhatIf;
use cbwgen::{fix, lint};

/// What stands between the files of an input for [`compose`].
pub const BETWEEN: &str = "\n====\n";
/// What the files of an input for [`compose`] are called, in their order. The first is the project.
pub const NAMES: [&str; 7] = ["compose.yaml", ".env", "Dockerfile", "other.yaml", "compose.override.yaml", "app.env", ".dockerignore"];

const FORMATS: [Format; 7] = [Format::Text, Format::Short, Format::Json, Format::Sarif, Format::Github, Format::Junit, Format::Gitlab];

/// Every rule is asked.
fn everything() -> Settings {
    Settings { pedantic: true, security: true, ..Settings::default() }
}

fn inside(text: &str, range: &Range<usize>) {
    assert!(text.get(range.clone()).is_some(), "{range:?} is no part of a text of {} bytes", text.len());
}

fn inside_of(sources: &[Source], origin: Origin) {
    let source = sources.get(origin.file as usize);
    assert!(source.is_some(), "there is no file {}", origin.file);
    if let Some(source) = source {
        inside(&source.text, &origin.range());
    }
}

/// The places of what is told, before they are cut to what can be shown.
fn places(sources: &[Source], findings: &[Finding]) {
    for finding in findings {
        let places = std::iter::once(&finding.place).chain(finding.related.iter().map(|(place, _)| place));
        for place in places {
            if let Place::At(origin) = place {
                inside_of(sources, *origin);
            }
        }
        fixes(sources, finding);
    }
}

fn fixes(sources: &[Source], finding: &Finding) {
    for (origin, _) in finding.fix.iter().flat_map(|fix| &fix.edits) {
        inside_of(sources, *origin);
    }
}

/// Findings can be told in any format, and their fixes be made.
fn told(sources: &[Source], findings: &[Located]) {
    for located in findings {
        assert!(located.file < sources.len());
        inside(&sources[located.file].text, &located.span);
        for related in &located.related {
            inside(&sources[related.file].text, &related.span);
        }
        fixes(sources, &located.finding);
    }
    // All formats are slower than all that comes before them: the input chooses one.
    let length: usize = sources.iter().map(|source| source.text.len()).sum();
    let shown = report(FORMATS[length % FORMATS.len()], sources, findings, false);
    assert!(!shown.contains('\u{1b}'), "a terminal would act on it");
    let _ = fix::apply(sources, findings, |_| true);
}

/// A topology: lint, plan, and the files when there is nothing wrong with it.
pub fn topology(text: &str) {
    let loaded = lint::load(Source::new("topology.toml", text), "project", &WhatIf::default());
    let findings = lint_with(&loaded, &Facts::default(), &everything());
    told(std::slice::from_ref(&loaded.source), &findings);
    // Some topologies of a few lines are thousands of containers.
    if loaded.plan.complete && loaded.plan.components.len() < 100 {
        let paths = (Path::new("/project/topology.toml"), Path::new("/project/generated"));
        if let Ok(options) = render::Options::new(paths.0, paths.1, Templates::default()) {
            let _ = render::render(&loaded.plan, render::Target::Compose, &options);
        }
    }
}

/// A machine with nothing on it but the project's folder.
#[derive(Debug)]
struct Nothing;

impl Files for Nothing {
    fn read(&self, path: &Path) -> Result<Source, ReadError> {
        Err(ReadError::Missing { name: path.display().to_string(), hint: String::new() })
    }

    fn kind(&self, path: &Path) -> Kind {
        if path == Path::new("/project") { Kind::Directory } else { Kind::Missing }
    }

    fn list(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// A Compose project and the files beside it: see [`BETWEEN`].
pub fn compose(input: &str) {
    let texts: BTreeMap<PathBuf, String> =
        NAMES.iter().zip(input.split(BETWEEN)).map(|(name, text)| (Path::new("/project").join(name), text.to_owned())).collect();
    let files = Memory { texts, rest: Nothing };
    let environment = BTreeMap::from([("HOME".to_owned(), "/root".to_owned()), ("TAG".to_owned(), "1.2".to_owned())]);
    let options = Options { current: "/project".into(), environment, ..Options::default() };
    let Ok((loaded, findings)) = load::load(&options, &files) else { return };
    places(&loaded.sources, &findings);
    let mut nodes: Vec<&tree::Node> = loaded.disabled.values().chain([&loaded.model]).collect();
    while let Some(node) = nodes.pop() {
        inside_of(&loaded.sources, node.origin);
        nodes.extend(node.items());
        for (_, entry) in node.entries() {
            inside_of(&loaded.sources, entry.key);
            nodes.push(&entry.node);
        }
    }
    let _ = (config::yaml(&loaded), config::json(&loaded));
    let firewall = Ufw::parse("Status: active\nDefault: deny (incoming)\n\n80/tcp ALLOW IN Anywhere\n");
    let Ok(linted) = project::lint(&options, &files, firewall.as_ref().ok(), &everything()) else { return };
    told(&linted.sources, &linted.findings);
}

/// A Dockerfile, and the same text as a `.dockerignore`.
pub fn dockerfile(text: &str) {
    let file = Dockerfile::parse(text);
    let given = HashMap::from([("VERSION".to_owned(), "1".to_owned())]);
    for instruction in &file.instructions {
        inside(text, &instruction.range);
        instruction.words.iter().for_each(|word| inside(text, &word.range));
        instruction.flags.iter().for_each(|(_, word)| inside(text, &word.range));
    }
    for stage in 0..file.stages.len() {
        let image = file.image(stage, &given);
        image.env.values().for_each(|word| inside(text, &word.range));
        image.exposed.iter().for_each(|(_, range)| inside(text, range));
    }
    let ignored = Dockerignore::parse(text);
    for path in ["a", "src/main.rs", text.lines().next().unwrap_or_default()] {
        if let Some(range) = ignored.excludes(path) {
            inside(text, &range);
        }
    }
}

/// What ufw says: a verdict for every port that is asked about, or a reason.
pub fn ufw(text: &str) {
    match Ufw::parse(text) {
        Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control())),
        Ok(ufw) => {
            for rule in &ufw.rules {
                let _ = rule.to_string();
            }
            for port in [22, 80, 443, 8080, 65535] {
                for address in [None, "127.0.0.1".parse().ok(), "::1".parse().ok()] {
                    let _ = ufw.verdict(address, port, Protocol::Tcp);
                }
                let _ = (ufw.routes_to(port, Protocol::Udp), ufw.nearest_allowed(port, Protocol::Tcp));
            }
        }
    }
}

/// YAML: values and mistakes with their bytes.
pub fn yaml(text: &str) {
    let (documents, mistakes) = reader::parse(text, 0);
    for mistake in &mistakes {
        inside(text, &mistake.span);
        mistake.first.iter().for_each(|first| inside(text, first));
    }
    for mut document in documents {
        let mut nodes = vec![&document.root];
        while let Some(node) = nodes.pop() {
            inside(text, &node.origin.range());
            nodes.extend(node.items());
            for (_, entry) in node.entries() {
                inside(text, &entry.key.range());
                nodes.push(&entry.node);
            }
        }
        reader::remove(&mut document.root, &document.marks);
    }
}
