//! What is written for a topology: each `tests/render/NAME.toml` with all its files for Compose in `NAME.out`, and what another
//! target has different in `NAME.TARGET.out`.
//!
//! `SNAPSHOTS=overwrite cargo test -p cbwgen --test render` writes the expected files anew.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

#[path = "render/any_text.rs"]
mod any_text;
#[path = "render/targets.rs"]
mod targets;
#[path = "render/templates.rs"]
mod templates;
#[path = "render/write.rs"]
mod write;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cbwgen::lint::load;
use cbwgen::plan::Plan;
use cbwgen::render::{Error, File, Options, Seal, Target, Templates, VERSION, render};
use cbwgen::source::Source;
use cbwgen::topology::WhatIf;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn plan(topology: &str) -> Plan {
    load(Source::new("topology.toml", topology), "project", &WhatIf::default()).plan
}

/// As if the topology were in `/project` and the files went to `/project/generated`.
fn render_for(target: Target, plan: &Plan, templates: Templates) -> Result<Vec<File>, Error> {
    let options = Options::new(Path::new("/project/topology.toml"), Path::new("/project/generated"), templates)?;
    render(plan, target, &options)
}

fn render_with(plan: &Plan, templates: Templates) -> Result<Vec<File>, Error> {
    render_for(Target::Compose, plan, templates)
}

fn rendered(topology: &str) -> Vec<File> {
    render_with(&plan(topology), Templates::default()).unwrap()
}

fn content<'f>(files: &'f [File], path: &str) -> &'f str {
    &files.iter().find(|file| file.path == path).unwrap().content
}

#[test]
fn what_is_written_is_what_is_expected() {
    for entry in std::fs::read_dir(root().join("tests/render")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let plan = plan(&std::fs::read_to_string(&path).unwrap());
        let compose = render_with(&plan, Templates::default()).unwrap();
        assert_expected(&compose, &path.with_extension("out"));
        for target in Target::ALL.iter().filter(|target| **target != Target::Compose) {
            let mut files = render_for(*target, &plan, Templates::default()).unwrap();
            files.retain(|file| !compose.contains(file));
            assert_expected(&files, &path.with_extension(format!("{target}.out")));
        }
    }
}

fn assert_expected(files: &[File], expected: &Path) {
    let mut all = String::new();
    for file in files {
        assert_eq!(Seal::of(file.content.as_bytes()), Seal::Intact);
        // The header and the version are of the day.
        let body = file.content.splitn(3, '\n').last().unwrap().replace(&format!("\"{VERSION}\""), "\"[VERSION]\"");
        writeln!(all, "# ==> {} <==\n{body}", file.path).unwrap();
    }
    let expected = snapbox::Data::read_from(expected, Some(snapbox::data::DataFormat::Text));
    snapbox::Assert::new().action_env("SNAPSHOTS").normalize_paths(false).eq(all, expected);
}

#[test]
fn the_same_topology_gives_the_same_bytes() {
    for example in ["topology.toml", "examples/cbw.toml", "examples/external-client.toml", "examples/nodejs.toml", "examples/swarm.toml"] {
        let text = std::fs::read_to_string(root().join(example)).unwrap();
        assert_eq!(rendered(&text), rendered(&text));
    }
}

#[test]
fn paths_are_told_from_where_the_files_are() {
    let plan = plan(
        "[broker.bro]\nbuild = { from = \"debian:12\", copy = [\"../lab/broker.js\"], command = \"x\" }\nvolumes = [\"./logs:/logs\"]",
    );
    for (out, logs, context, dockerfile) in [
        ("/home/me/project/generated", "../logs", "../../lab", "../project/generated/bro/Dockerfile"),
        ("/home/me/project", "./logs", "../lab", "../project/bro/Dockerfile"),
        ("/srv/out", "../../home/me/project/logs", "../../home/me/lab", "../../../srv/out/bro/Dockerfile"),
    ] {
        let options = Options::new(Path::new("/home/me/project/topology.toml"), Path::new(out), Templates::default()).unwrap();
        let files = render(&plan, Target::Compose, &options).unwrap();
        let compose = content(&files, "docker-compose.yml");
        for line in [format!("- \"{logs}:/logs\""), format!("context: \"{context}\""), format!("dockerfile: \"{dockerfile}\"")] {
            assert!(compose.contains(&line), "{line} is not in\n{compose}");
        }
    }
}

#[test]
fn what_no_dockerfile_can_hold_is_told() {
    let build = |keys: &str| format!("[broker.bro]\nbuild = {{ from = \"debian:12\", command = \"x\", {keys} }}");
    for (keys, message) in [
        (
            r#"env = { A = "one\ntwo" }"#,
            "`env` of `bro` cannot be written into a Dockerfile: `one two` holds a line break or another control character, which no Dockerfile can",
        ),
        (r#"apt = ["curl; true"]"#, "`apt` of `bro` cannot be written into a Dockerfile: `curl; true` is not the name of a Debian package"),
        (
            r#"workdir = "/a\nRUN x""#,
            "`workdir` of `bro` cannot be written into a Dockerfile: `/a RUN x` holds a line break or another control character, which no Dockerfile can",
        ),
    ] {
        let error = render_with(&plan(&build(keys)), Templates::default()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn many_components_are_rendered() {
    let mut topology = "[broker.bro]\n".to_owned();
    for number in 0..2_000 {
        writeln!(topology, "[worker.w{number}]").unwrap();
    }
    assert_eq!(rendered(&topology).len(), 2_003);
}
