//! Puts the presets of `cbwgen init` (`presets/NAME.toml`) and an example of every rule into the program: `tests/rules/RULE/fail.*` and what lint says of it. `cbwgen explain` shows
//! them, and so does `docs/rules.md`; the tests hold them against what the program really says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let rules = root.join("../tests/rules");
    println!("cargo:rerun-if-changed={}", rules.display());
    let mut table = String::from("&[\n");
    for rule in names(&rules) {
        let examples: Vec<String> = examples(&rules.join(&rule)).iter().map(|example| entry(example)).collect();
        if !examples.is_empty() {
            let _ = writeln!(table, "({rule:?}, &[{}]),", examples.concat());
        }
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("examples.rs"), table)?;
    fs::write(out.join("presets.rs"), presets(&root.join("presets")))
}

/// Names and texts of a folder's topologies.
fn presets(folder: &Path) -> String {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut table = String::from("&[\n");
    for name in names(folder) {
        let Some(preset) = name.strip_suffix(".toml") else { continue };
        let _ = writeln!(table, "({preset:?}, include_str!({:?})),", folder.join(&name).display().to_string());
    }
    table.push(']');
    table
}

/// The names in a folder, sorted; none when it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// One topology and one Compose project of a rule's folder that lint has something to say of: files or folders.
fn examples(folder: &Path) -> Vec<PathBuf> {
    let is_topology = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
    let is_project = |path: &Path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut candidates: Vec<PathBuf> = names(folder).iter().map(|name| folder.join(name)).collect();
    candidates.retain(|path| stem(path).starts_with("fail") && output(path).is_file());
    // `fail` is the plain case, `fail-…` a special one.
    candidates.sort_by_key(|path| stem(path).len());
    let mut found: Vec<PathBuf> = candidates.iter().find(|path| is_topology(path)).cloned().into_iter().collect();
    found.extend(candidates.iter().find(|path| is_project(path)).cloned());
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What lint says of an example.
fn output(example: &Path) -> PathBuf {
    let inside = example.join("stderr");
    if inside.is_file() { inside } else { example.with_extension("stderr") }
}

/// The example as a Rust expression.
fn entry(example: &Path) -> String {
    let mut files = Vec::new();
    if example.is_dir() {
        collect(example, "", &mut files);
    } else {
        files.push((name(example), example.to_owned()));
    }
    let included = |path: &Path| format!("include_str!({:?})", path.display().to_string());
    let files: Vec<String> = files.iter().map(|(name, path)| format!("({name:?}, {})", included(path))).collect();
    format!("Example {{ files: &[{}], output: {} }},", files.join(", "), included(&output(example)))
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Every text file of a project, the Compose file first.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) {
    let mut names = names(folder);
    names.sort_by_key(|name| (!name.contains("compose"), name.clone()));
    for name in names.into_iter().filter(|name| !name.ends_with("stderr")) {
        let path = folder.join(&name);
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if fs::read_to_string(&path).is_ok_and(|text| !text.trim().is_empty()) {
            files.push((format!("{prefix}{name}"), path));
        }
    }
}
