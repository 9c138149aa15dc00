//! What is to be linted: from the paths on the command line to topologies and Compose projects.

use std::path::{Path, PathBuf};

use anyhow::bail;
use ignore::WalkBuilder;

use crate::compose::load::{NAMES, OVERRIDES};
use crate::source::{MAX_BYTES, ReadError, Source};
use crate::spec::looks_like_topology;

/// One thing to lint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// A topology; `-` is standard input.
    Topology(PathBuf),
    /// A Compose project of these files; none: those that Compose looks for by itself.
    Project(Vec<PathBuf>),
}

/// How standard input is called.
pub(super) const STDIN: &str = "<stdin>";

/// The topology that is linted when nothing is named.
const TOPOLOGY: &str = "topology.toml";

/// What is linted when nothing is named: the topology, or the Compose project here.
pub(super) fn here(current: &Path) -> Target {
    let is_project = || NAMES.iter().any(|name| current.join(name).is_file()) || std::env::var_os("COMPOSE_FILE").is_some();
    let is_project = !current.join(TOPOLOGY).exists() && is_project();
    if is_project { Target::Project(Vec::new()) } else { Target::Topology(TOPOLOGY.into()) }
}

/// What a path stands for. Folders in it that cannot be read are told to `unreadable`.
pub(super) fn of(path: &Path, stdin: Option<&str>, unreadable: &mut Vec<anyhow::Error>) -> anyhow::Result<Vec<Target>> {
    if path.as_os_str() == "-" {
        let is_topology = stdin.is_none_or(is_toml);
        return Ok(vec![if is_topology { Target::Topology("-".into()) } else { Target::Project(vec![STDIN.into()]) }]);
    }
    if path.is_dir() {
        return below(path, unreadable);
    }
    Ok(vec![match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Target::Topology(path.to_owned()),
        Some("yaml" | "yml") => project(path),
        // A name that says nothing: the content does. What cannot be read is told by whoever reads it again.
        _ => match Source::read(path) {
            Ok(source) if !is_toml(&source.text) => project(path),
            Err(error @ ReadError::NotText { .. }) => return Err(error.into()),
            _ => Target::Topology(path.to_owned()),
        },
    }])
}

/// The project of a Compose file: with its override when it has a name that Compose looks for, and the project of the file
/// below it when it is such an override itself.
fn project(path: &Path) -> Target {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let first = |names: [&str; 4]| names.into_iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let base = if NAMES.contains(&name) {
        path.to_owned()
    } else if OVERRIDES.contains(&name)
        && let Some(base) = first(NAMES)
    {
        base
    } else {
        return Target::Project(vec![path.to_owned()]);
    };
    Target::Project(std::iter::once(base).chain(first(OVERRIDES)).collect())
}

/// Every topology and Compose project below a folder, by path. What `.gitignore` and `.ignore` name is left out, and so is
/// what is hidden.
fn below(folder: &Path, unreadable: &mut Vec<anyhow::Error>) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    // A folder is a project even when it is no repository: its `.gitignore` is obeyed all the same.
    let walk = WalkBuilder::new(folder).require_git(false).sort_by_file_name(Ord::cmp).build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                unreadable.push(anyhow::anyhow!("cannot search `{}`: {error}", folder.display()));
                continue;
            }
        };
        if entry.file_type().is_none_or(|kind| kind.is_dir()) {
            continue;
        }
        let Some(name) = entry.file_name().to_str() else { continue };
        let path = || entry.path().strip_prefix(".").unwrap_or(entry.path());
        if NAMES.contains(&name) {
            targets.push(project(path()));
        } else if name == TOPOLOGY || (Path::new(name).extension().is_some_and(|extension| extension == "toml") && is_topology(path())) {
            targets.push(Target::Topology(path().to_owned()));
        }
    }
    if targets.is_empty() && unreadable.is_empty() {
        bail!("cannot lint `{}`: there is neither a topology nor a Compose file in it", folder.display());
    }
    Ok(targets)
}

/// Whether a TOML file among others is a topology.
fn is_topology(path: &Path) -> bool {
    let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_BYTES);
    small && std::fs::read_to_string(path).is_ok_and(|text| looks_like_topology(&text))
}

/// Whether a text is TOML rather than YAML: the first line that says something tells. An empty one is TOML.
pub(super) fn is_toml(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().is_none_or(|line| {
        line.starts_with('[') || line.find('=').is_some_and(|equals| !line[..equals].contains([':', '{']) && !line.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_toml_from_yaml() {
        for text in ["", "# only\n", "name = \"a\"\n", "[broker.bro]\n", "a.b=1\n", "\u{feff}name = 'x: y'\n"] {
            assert!(is_toml(text), "{text}");
        }
        for text in ["services:\n", "---\n", "{\"services\": {}}\n", "name: a=b\n", "# a = b\nservices: {}\n", "x-a: &a\n", "- a=b\n"] {
            assert!(!is_toml(text), "{text}");
        }
    }

    #[test]
    fn a_folder_is_walked_and_overrides_belong_to_their_project() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(".gitignore", "/old/\n");
        write("a/compose.yaml", "");
        write("a/compose.override.yaml", "");
        write("a/other.yaml", "");
        write("b/docker-compose.yml", "");
        write("b/Cargo.toml", "[package]\n[service.x]\n");
        write("b/demo.toml", "name = \"demo\"\n[ broker.bro ]\n[host]\n");
        write("b/topology.toml", "");
        write("old/compose.yaml", "");
        let path = |path: &str| folder.path().join(path);
        assert_eq!(
            of(folder.path(), None, &mut Vec::new()).unwrap(),
            [
                Target::Project(vec![path("a/compose.yaml"), path("a/compose.override.yaml")]),
                Target::Topology(path("b/demo.toml")),
                Target::Project(vec![path("b/docker-compose.yml")]),
                Target::Topology(path("b/topology.toml")),
            ]
        );
        assert_eq!(
            of(&path("a/compose.override.yaml"), None, &mut Vec::new()).unwrap(),
            of(&path("a/compose.yaml"), None, &mut Vec::new()).unwrap(),
            "an override alone is no project"
        );
        assert_eq!(of(&path("a/other.yaml"), None, &mut Vec::new()).unwrap(), [Target::Project(vec![path("a/other.yaml")])]);
    }
}
