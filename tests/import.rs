//! Compose projects become topologies that render to the same projects: each folder of `tests/import`.
//!
//! `compose.args` in it, if there, are Compose's own options. `expected.toml` is the topology, `expected.stderr` what is said on
//! the way; `SNAPSHOTS=overwrite cargo test -p cbwgen --test import` writes both anew. The models are compared as `cbwgen compose
//! config` prints them, and as Compose does where it is (`CBW_COMPOSE` names it).

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "what cannot be read fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::data::DataFormat;
use snapbox::{Data, assert_data_eq};

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/import");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// A copy of a fixture, under its own name: projects are named after their folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if !name.starts_with("expected.") {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/root").env("NO_COLOR", "1");
    command.output().unwrap()
}

fn model(program: &Path, words: &[&str], folder: &Path, files: &[&str]) -> serde_json::Value {
    let arguments: Vec<&str> = match words {
        // Compose's options stand in front of its command.
        [] => files.iter().copied().chain(["config", "--format", "json"]).collect(),
        words => words.iter().chain(files).copied().chain(["--format", "json"]).collect(),
    };
    let output = run(program, folder, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn compose() -> Option<PathBuf> {
    let usual = ["/var/lib/cbw-engine/config/cli-plugins", "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"];
    let usual = usual.iter().map(|folder| Path::new(folder).join("docker-compose"));
    let found = std::env::var_os("CBW_COMPOSE").map(PathBuf::from).into_iter().chain(usual).find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped in part: there is no `docker-compose`; `CBW_COMPOSE` names it");
    }
    found
}

#[test]
fn what_is_imported_renders_to_the_same_project() {
    let cbwgen = Path::new(env!("CARGO_BIN_EXE_cbwgen"));
    let compose = compose();
    let fixtures = folders();
    assert!(fixtures.len() >= 4);
    for fixture in fixtures {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join(fixture.file_name().unwrap());
        copy(&fixture, &folder);
        let said = std::fs::read_to_string(folder.join("compose.args")).unwrap_or_default();
        let files: Vec<&str> = said.split_whitespace().collect();

        let output = run(cbwgen, &folder, &[&["import"], &files[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let expected = |name: &str| Data::read_from(&fixture.join(name), Some(DataFormat::Text)).raw();
        assert_data_eq!(std::fs::read_to_string(folder.join("topology.toml")).unwrap(), expected("expected.toml"));
        assert_data_eq!(String::from_utf8(output.stderr).unwrap(), expected("expected.stderr"));

        let output = run(cbwgen, &folder, &["render"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let mut rendered = vec!["-f", "generated/docker-compose.yml"];
        if folder.join(".env").exists() {
            rendered.extend(["--env-file", ".env"]);
        }
        let words = ["compose", "config"];
        assert_eq!(model(cbwgen, &words, &folder, &rendered), model(cbwgen, &words, &folder, &files), "{}", folder.display());
        if let Some(compose) = &compose {
            assert_eq!(model(compose, &[], &folder, &rendered), model(compose, &[], &folder, &files), "{}", folder.display());
        }
    }
}

#[test]
fn a_topology_that_is_there_is_left_alone() {
    let cbwgen = Path::new(env!("CARGO_BIN_EXE_cbwgen"));
    let folder = tempfile::tempdir().unwrap();
    let topology = folder.path().join("topology.toml");
    std::fs::write(folder.path().join("compose.yaml"), "services:\n  web:\n    image: nginx:1.27\n").unwrap();
    std::fs::write(&topology, "# mine\n").unwrap();
    let output = run(cbwgen, folder.path(), &["import"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: `topology.toml` is there already; `--force` overwrites it, `--out FILE` writes another one, `--stdout` prints it\n"
    );
    assert_eq!(std::fs::read_to_string(&topology).unwrap(), "# mine\n");
    let output = run(cbwgen, folder.path(), &["import", "--stdout"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\n[service.web]\nimage = \"nginx:1.27\"\n"));
    assert_eq!(run(cbwgen, folder.path(), &["import", "--force"]).status.code(), Some(0));
    assert!(std::fs::read_to_string(&topology).unwrap().contains("[service.web]"));
}

#[test]
fn what_compose_refuses_is_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("compose.yaml"), "services:\n  web:\n    image: nginx:1.27\n    restrat: always\n").unwrap();
    let output = run(Path::new(env!("CARGO_BIN_EXE_cbwgen")), folder.path(), &["import"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.ends_with("error: nothing was imported: Compose would refuse this project\n"), "{said}");
    assert!(!folder.path().join("topology.toml").exists());
}
