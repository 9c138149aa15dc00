//! Files on the disk: replaced only where cbwgen wrote them and nobody else did, and whole whatever happens.

use std::fs;
use std::process::Command;
use std::time::Duration;

use cbwgen::write::{Kept, Outcome, Why, apply, diff};

use super::*;

const SMALL: &str = "name = \"p\"\n[broker.bro]\n[worker.wor]\n";
const LARGE: &str = "name = \"p\"\n[broker.bro]\n[worker.wor]\n[worker.more]\nreplicas = 3\n";

fn paths(files: &[File]) -> Vec<String> {
    files.iter().map(|file| file.path.clone()).collect()
}

#[test]
fn a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/generated");
    let files = rendered(SMALL);
    assert_eq!(apply(&out, &files, false).unwrap(), Outcome { written: paths(&files), ..Outcome::default() });
    assert_eq!(apply(&out, &files, false).unwrap(), Outcome { unchanged: paths(&files), ..Outcome::default() });
    assert_eq!(diff(&out, &files).unwrap(), "");
}

#[test]
fn what_is_no_longer_needed_goes_unless_somebody_edited_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    apply(out, &rendered(LARGE), false).unwrap();
    fs::create_dir(out.join("mine")).unwrap();
    fs::write(out.join("mine/Dockerfile"), "FROM scratch\n").unwrap();
    assert!(diff(out, &rendered(SMALL)).unwrap().contains("more/Dockerfile\n+++ /dev/null\n"));
    let outcome = apply(out, &rendered(SMALL), false).unwrap();
    assert_eq!(outcome.removed, ["more/Dockerfile"]);
    assert!(!out.join("more").exists(), "the empty folder goes too");
    assert!(out.join("mine/Dockerfile").exists());

    apply(out, &rendered(LARGE), false).unwrap();
    let edited = fs::read_to_string(out.join("more/Dockerfile")).unwrap() + "# mine\n";
    fs::write(out.join("more/Dockerfile"), &edited).unwrap();
    let outcome = apply(out, &rendered(SMALL), false).unwrap();
    assert_eq!(
        outcome.kept.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["`more/Dockerfile` is no longer needed, but it was edited by hand and is left alone"]
    );
    assert_eq!(fs::read_to_string(out.join("more/Dockerfile")).unwrap(), edited);
}

#[test]
fn an_edit_is_left_alone_and_the_new_text_put_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (out, file) = (folder.path(), folder.path().join("docker-compose.yml"));
    apply(out, &rendered(SMALL), false).unwrap();
    let edited = fs::read_to_string(&file).unwrap().replace("restart: \"unless-stopped\"", "restart: \"always\"");
    fs::write(&file, &edited).unwrap();
    for _ in 0..2 {
        let outcome = apply(out, &rendered(LARGE), false).unwrap();
        let beside = Some("docker-compose.yml.new".to_owned());
        assert_eq!(outcome.kept, [Kept { path: "docker-compose.yml".to_owned(), why: Why::Edited, beside }]);
        assert_eq!(
            outcome.kept[0].to_string(),
            "`docker-compose.yml` was edited by hand and is left alone; what it should be is in `docker-compose.yml.new`"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), edited);
        assert_eq!(fs::read_to_string(out.join("docker-compose.yml.new")).unwrap(), content(&rendered(LARGE), "docker-compose.yml"));
    }
    assert!(diff(out, &rendered(LARGE)).unwrap().contains("-    restart: \"always\"\n"));
    let outcome = apply(out, &rendered(LARGE), true).unwrap();
    assert!(outcome.is_clean() && outcome.removed == ["docker-compose.yml.new"]);
    assert_eq!(diff(out, &rendered(LARGE)).unwrap(), "");
}

#[test]
fn a_file_of_somebody_else_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (out, file) = (folder.path(), folder.path().join("docker-compose.yml"));
    fs::write(&file, "services: {}\n").unwrap();
    for force in [false, true] {
        let outcome = apply(out, &rendered(SMALL), force).unwrap();
        assert_eq!(outcome.kept[0].why, Why::Foreign);
        assert_eq!(fs::read_to_string(&file).unwrap(), "services: {}\n");
    }
}

#[test]
fn what_is_in_the_way_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = |files: &[File]| {
        let error = apply(&out, files, true).unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "FOLDER")
    };
    let files = rendered(SMALL);

    fs::write(&out, "").unwrap();
    assert_eq!(refused(&files), "cannot write `FOLDER/out`: something that is no folder is in the way");
    fs::remove_file(&out).unwrap();

    fs::create_dir_all(out.join("docker-compose.yml")).unwrap();
    assert_eq!(refused(&files), "cannot write `FOLDER/out/docker-compose.yml`: a folder of this name is in the way");
    fs::remove_dir(out.join("docker-compose.yml")).unwrap();

    std::os::unix::fs::symlink("/etc/passwd", out.join("docker-compose.yml")).unwrap();
    assert_eq!(
        refused(&files),
        "cannot write `FOLDER/out/docker-compose.yml`: it is a symbolic link, and what it points to may be somebody else's; remove the link"
    );
    fs::remove_file(out.join("docker-compose.yml")).unwrap();

    std::os::unix::fs::symlink("/tmp", out.join("bro")).unwrap();
    assert!(refused(&files).starts_with("cannot write `FOLDER/out/bro`: it is a symbolic link"));
    fs::remove_file(out.join("bro")).unwrap();

    fs::write(out.join("wor"), "").unwrap();
    assert_eq!(refused(&files), "cannot write `FOLDER/out/wor`: something that is no folder is in the way");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "nothing was written, and nothing is left of the try");

    assert!(apply(Path::new("/proc/nowhere"), &files, false).unwrap_err().to_string().starts_with("cannot make `/proc/nowhere`: "));
}

#[test]
fn files_are_as_readable_as_any() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("any"), "").unwrap();
    apply(folder.path(), &rendered(SMALL), false).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("docker-compose.yml"), mode("any"));
}

/// Kills `cbwgen render` at many moments while it goes back and forth between two topologies.
#[test]
fn a_kill_leaves_old_files_or_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("topology.toml");
    let out = folder.path().join("generated");
    let render = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cbwgen"));
        command.arg("render").arg(&spec).arg("--out").arg(&out);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    };
    // Files that differ in length, so that half of one is seen.
    let topologies = [SMALL.replace("[worker.wor]", "[worker.wor]\nreplicas = 7"), LARGE.to_owned()];
    let mut whole = Vec::new();
    for topology in &topologies {
        fs::write(&spec, topology).unwrap();
        assert!(render().status().unwrap().success());
        whole.push(files_in(&out));
    }
    for moment in 0..60_u32 {
        fs::write(&spec, &topologies[moment as usize % 2]).unwrap();
        let mut process = render().spawn().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(moment) * 400));
        process.kill().unwrap();
        process.wait().unwrap();
        for (path, text) in files_in(&out).iter().filter(|(path, _)| !path.contains(".cbwgen-")) {
            assert!(whole.iter().any(|files| files.contains(&(path.clone(), text.clone()))), "half of {path}:\n{text}");
        }
    }
    fs::write(&spec, &topologies[1]).unwrap();
    assert!(render().status().unwrap().success());
    assert_eq!(files_in(&out), whole[1], "all as it should be, and no temporary file is left");
}

/// All files below a folder, with their texts.
fn files_in(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.strip_prefix(folder).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
