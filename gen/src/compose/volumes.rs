//! The short syntax of `volumes`: `[SOURCE:]TARGET[:OPTIONS]`.

use super::tree::{Entry, Map, Node, Value};
use crate::source::Origin;

/// What a short syntax says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// Where it is: a path or a name; nothing for an anonymous volume.
    pub source: String,
    /// Where the container sees it.
    pub target: String,
    /// `ro`
    pub read_only: bool,
    /// `nocopy`
    pub no_copy: bool,
    /// `rshared` and the like.
    pub propagation: Option<String>,
    /// `z` or `Z`.
    pub selinux: Option<String>,
}

/// Reads a short syntax. Errors say what is wrong.
pub fn parse(spec: &str) -> Result<Volume, String> {
    if spec.is_empty() {
        return Err("it is empty".to_owned());
    }
    if spec.len() <= 2 {
        return Ok(Volume { target: spec.to_owned(), ..Volume::default() });
    }
    let parts = split(spec);
    if parts.iter().any(|part| part.is_empty()) {
        return Err("there is nothing between two colons".to_owned());
    }
    let mut volume = Volume::default();
    match parts.as_slice() {
        [target] => volume.target = clean(target),
        [source, target] => (volume.source, volume.target) = ((*source).to_owned(), clean(target)),
        [source, target, options] => {
            (volume.source, volume.target) = ((*source).to_owned(), clean(target));
            for option in options.split(',') {
                match option {
                    "ro" => volume.read_only = true,
                    "rw" => volume.read_only = false,
                    "nocopy" => volume.no_copy = true,
                    "z" | "Z" => volume.selinux = Some(option.to_owned()),
                    "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => volume.propagation = Some(option.to_owned()),
                    _ => {}
                }
            }
        }
        _ => return Err("it has too many colons".to_owned()),
    }
    Ok(volume)
}

/// Splits at colons, but not at those of `C:` and of `${NAME:-default}`.
fn split(spec: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut variables) = (0, 0_u32);
    for (at, character) in spec.char_indices() {
        let part = &spec[start..at];
        match character {
            '$' if spec[at + 1..].starts_with('{') => variables += 1,
            '}' if variables > 0 => variables -= 1,
            ':' if variables == 0 && !is_drive(part) => {
                parts.push(part);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&spec[start..]);
    parts
}

fn is_drive(part: &str) -> bool {
    let mut characters = part.chars();
    characters.next().is_some_and(char::is_alphabetic) && characters.next().is_none()
}

/// Whether a source is a path of the host.
#[must_use]
pub fn is_path(source: &str) -> bool {
    let drive = source.split_once(':').is_some_and(|(drive, _)| is_drive(drive));
    source.starts_with(['.', '/', '~']) || source.starts_with(r"\\") || drive
}

/// A path without `.`, `..` and doubled slashes, as Go's `path.Clean` makes it.
#[must_use]
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// The long syntax.
#[must_use]
pub fn long(volume: Volume, origin: Origin) -> Node {
    let node = |value: Value| Node::new(origin, value);
    let entry = |node: Node| Entry { key: origin, node };
    let text = |text: String| node(Value::String(text));
    let mut map = Map::default();
    let mut put = |key: &str, node: Node| {
        map.insert(key.to_owned(), entry(node));
    };
    let bind = is_path(&volume.source);
    put("type", text(if bind { "bind" } else { "volume" }.to_owned()));
    // Two letters are an anonymous volume without options.
    let plain = volume.source.is_empty() && volume.target.len() <= 2;
    if !volume.source.is_empty() {
        put("source", text(volume.source));
    }
    put("target", text(volume.target));
    if volume.read_only {
        put("read_only", node(Value::Bool(true)));
    }
    let mut options = Map::default();
    for (key, value) in [("selinux", volume.selinux), ("propagation", volume.propagation)] {
        if let Some(value) = value {
            options.insert(key.to_owned(), entry(text(value)));
        }
    }
    if bind {
        options.insert("create_host_path".to_owned(), entry(node(Value::Bool(true))));
    }
    if !options.is_empty() {
        put("bind", node(Value::Map(options)));
    }
    if !bind && !plain {
        let nocopy = ("nocopy".to_owned(), entry(node(Value::Bool(true))));
        put("volume", node(Value::Map(volume.no_copy.then_some(nocopy).into_iter().collect())));
    }
    node(Value::Map(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_form() {
        let of = |spec: &str| parse(spec).map(|volume| (volume.source, volume.target, volume.read_only));
        let expected = |source: &str, target: &str, read_only: bool| Ok((source.to_owned(), target.to_owned(), read_only));
        assert_eq!(of("/data"), expected("", "/data", false));
        assert_eq!(of("data:/data/"), expected("data", "/data", false));
        assert_eq!(of("./x:/data:ro"), expected("./x", "/data", true));
        assert_eq!(of(r"C:\x:/data"), expected(r"C:\x", "/data", false));
        assert_eq!(of("${A:-x}:/data"), expected("${A:-x}", "/data", false));
        assert!(of("aa::bb").is_err() && of("aa:bb:cc:dd").is_err() && of("").is_err());
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, cleaned) in [("/a//b/../c/.", "/a/c"), ("a/../..", ".."), ("", "."), ("/..", "/"), ("./x/", "x")] {
            assert_eq!(clean(path), cleaned);
        }
    }
}
