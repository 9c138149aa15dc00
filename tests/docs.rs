//! Everything that is made of the code is checked in, and is what the code says today.
//! `SNAPSHOTS=overwrite cargo test -p cbwgen --test docs` writes it again.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use snapbox::{Data, assert_data_eq, data::DataFormat};
use std::path::Path;

fn checked_in(path: &str) -> Data {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Data::read_from(&root.join(path), Some(DataFormat::Text)).raw()
}

#[test]
fn rules_page() {
    assert_data_eq!(cbwgen::docs::rules_page(), checked_in("docs/rules.md"));
}

#[test]
fn command_line_page() {
    assert_data_eq!(cbwgen::cli::page(), checked_in("docs/cli.md"));
}

#[test]
fn topology_schema() {
    assert_data_eq!(cbwgen::schema::schema(), checked_in("schemas/topology.schema.json"));
}

/// The picture in the README is what lint really prints.
#[test]
fn picture_of_a_lint_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cbwgen"))
        .args(["lint", "topology.toml", "--scale", "bro=2", "--color", "always"])
        .current_dir(&root)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let picture = anstyle_svg::Term::new().render_svg(&format!("$ cbwgen lint --scale bro=2\n{text}"));
    assert_data_eq!(picture, checked_in("docs/lint-error.svg"));
}

/// The picture of the reference in the README.
#[test]
fn picture_of_the_reference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_cbwgen")).args(["graph", "topology.toml"]).current_dir(&root).output().unwrap();
    assert_data_eq!(String::from_utf8(output.stdout).unwrap(), checked_in("docs/topology.svg"));
}

/// An editor that knows the schema accepts what the program accepts: every example is valid against it.
#[test]
fn examples_are_valid_against_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schema = serde_json::from_str(&cbwgen::schema::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folders = [root.clone(), root.join("examples"), root.join("examples/bad")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let is_topology = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|extension| extension == "toml")
            && !["Cargo.toml", "clippy.toml", "deny.toml", "rustfmt.toml"].iter().any(|name| path.ends_with(name))
    };
    let mut seen = 0;
    for path in files.filter(is_topology) {
        let value: serde_json::Value = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 4);
}

/// Every key of every type is described to an editor.
#[test]
fn every_key_has_a_description() {
    fn look(path: &str, value: &serde_json::Value, without: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(|p| p.as_object()) {
            for (key, property) in properties {
                if property.get("description").is_none() && property.get("$ref").is_none() {
                    without.push(format!("{path}.{key}"));
                }
            }
        }
        for (key, definition) in value.get("$defs").and_then(|d| d.as_object()).into_iter().flatten() {
            look(key, definition, without);
        }
    }
    let schema: serde_json::Value = serde_json::from_str(&cbwgen::schema::schema()).unwrap();
    let mut without = Vec::new();
    look("", &schema, &mut without);
    assert_eq!(without, Vec::<String>::new());
}

/// What the reader refuses in Compose projects has examples too: `tests/rules/RULE/fail.yaml`, and what a user then reads.
#[test]
fn examples_of_the_reader_are_what_it_says() {
    use cbwgen::compose::files::Disk;
    use cbwgen::compose::load::Options;
    use cbwgen::lint::{project, settings::Settings};

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rules").canonicalize().unwrap();
    let is_reader = |rule: &&&cbwgen::rules::Rule| rule.check.is_none() && rule.compose.is_none();
    let mut seen = 0;
    for rule in cbwgen::rules::ALL.iter().filter(is_reader) {
        let current = folder.join(rule.name);
        for name in ["fail.yaml", "pass.yaml"].into_iter().filter(|name| current.join(name).exists()) {
            let options = Options { files: vec![name.into()], current: current.clone(), ..Options::default() };
            let linted = project::lint(&options, &Disk { current: current.clone() }, None, &Settings::default()).unwrap();
            let said = cbwgen::report::text::report(&linted.sources, &linted.findings, false);
            if name == "fail.yaml" {
                assert!(linted.findings.iter().all(|located| located.finding.rule == rule.name), "{said}");
                assert_data_eq!(said, Data::read_from(&current.join("fail.stderr"), None).raw());
                seen += 1;
            } else {
                assert!(linted.findings.iter().all(|located| !located.finding.refused), "{said}");
            }
        }
    }
    assert!(seen >= 8);
}

/// `cbwgen explain` shows every rule at work, without the repository.
#[test]
fn every_rule_has_an_example() {
    for rule in cbwgen::rules::ALL {
        let examples = cbwgen::docs::examples(rule);
        assert!(!examples.is_empty(), "`{}`", rule.name);
        for example in examples {
            assert!(example.output.contains(&format!("[{}]", rule.name)), "`{}`", rule.name);
        }
    }
}

/// `cbwgen init` has no preset that the page does not know.
#[test]
fn every_preset_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/components.md")).unwrap();
    for (name, _) in cbwgen::presets::ALL {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

/// The code blocks of a language in a page.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    page.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn integrations_are_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/integrations.md")).unwrap();
    for yaml in blocks(&page, "yaml") {
        serde_yaml::from_str::<serde_json::Value>(yaml).unwrap();
    }
    for toml in blocks(&page, "toml") {
        toml::from_str::<toml::Table>(toml).unwrap();
    }
    let tasks: serde_json::Value = serde_json::from_str(blocks(&page, "json")[0]).unwrap();
    let matcher = tasks["tasks"][0]["problemMatcher"]["pattern"]["regexp"].as_str().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cbwgen"))
        .args(["lint", "examples/bad", "--format", "short"])
        .current_dir(&root)
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let matcher = regex::Regex::new(matcher).unwrap();
    assert!(output.lines().count() >= 6);
    for line in output.lines() {
        let found = matcher.captures(line).unwrap_or_else(|| panic!("{line}"));
        assert!(root.join(&found[1]).exists());
        assert!(cbwgen::rules::by_name(&found[5]).is_some());
    }
}

/// The hooks name files that `cbwgen lint` takes, and options that it has.
#[test]
fn hooks_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: Vec<serde_json::Value> = serde_yaml::from_str(&text).unwrap();
    for hook in hooks {
        let files = regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
        for name in ["topology.toml", "a/compose.yaml", "docker-compose.yml", "a/docker-compose.override.yml"] {
            assert!(files.is_match(name), "{name}");
        }
        for name in ["my-topology.toml", "compose.yaml.j2", "xcompose.yaml"] {
            assert!(!files.is_match(name), "{name}");
        }
        let words: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').skip(1).collect();
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_cbwgen")).args(words).arg("topology.toml").current_dir(&root).output().unwrap();
        assert!(output.status.success());
    }
}
