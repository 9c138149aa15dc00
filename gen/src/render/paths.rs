//! Where the files stand to each other. Compose resolves what a Compose file names from that file's own folder, so the
//! topology's paths are told anew from there. Everything is lexical, as in Compose: no link is followed.

use std::path::{Component, Path};

use super::Error;

/// An absolute folder as its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder(Vec<String>);

impl Folder {
    /// From a path; a relative one is taken from the working directory.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let path = std::path::absolute(path).map_err(|error| Error::Path { path: shown.clone(), reason: error.to_string() })?;
        let text = path.to_str().ok_or_else(|| Error::Path { path: shown, reason: "it is not UTF-8".to_owned() })?;
        Ok(Self(Vec::new()).join(text))
    }

    /// A path as seen from here: a relative one below, an absolute one by itself.
    pub fn join(&self, path: &str) -> Self {
        let mut parts = if path.starts_with('/') { Vec::new() } else { self.0.clone() };
        for part in Path::new(path).components() {
            match part {
                Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
                Component::ParentDir => drop(parts.pop()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Self(parts)
    }

    /// The folder around it.
    pub fn parent(&self) -> Self {
        self.join("..")
    }

    /// The way from here to another place: `.`, `bin`, `../logs`.
    pub fn way_to(&self, other: &Self) -> String {
        let same = self.shared(other);
        let up = std::iter::repeat_n("..", self.0.len() - same);
        let parts: Vec<&str> = up.chain(other.0[same..].iter().map(String::as_str)).collect();
        if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
    }

    /// The deepest folder that holds both.
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0[..self.shared(other)].to_vec())
    }

    fn shared(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count()
    }
}

/// A path of the host as a Compose file must write it, so that it is not taken for the name of a volume.
pub(crate) fn with_dot(path: String) -> String {
    if path.starts_with("../") || path == ".." || path == "." { path } else { format!("./{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str) -> Folder {
        Folder::new(Path::new(path)).unwrap()
    }

    #[test]
    fn ways_between_folders() {
        let out = folder("/project/generated");
        assert_eq!(out.way_to(&folder("/project")), "..");
        assert_eq!(out.way_to(&folder("/project/logs")), "../logs");
        assert_eq!(out.way_to(&out), ".");
        assert_eq!(out.way_to(&folder("/other")), "../../other");
        assert_eq!(folder("/lab").way_to(&out), "../project/generated");
        assert_eq!(folder("/project").join("../lab/./x/"), folder("/lab/x"));
        assert_eq!(folder("/project").join("/lab"), folder("/lab"));
        assert_eq!(folder("/a/b/c").common(&folder("/a/b/d/e")), folder("/a/b"));
    }

    #[test]
    fn a_path_is_no_volume_name() {
        assert_eq!(with_dot("logs".to_owned()), "./logs");
        assert_eq!(with_dot("../logs".to_owned()), "../logs");
    }
}
