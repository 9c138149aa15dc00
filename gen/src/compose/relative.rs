//! The relative paths of a Compose file as it is written, short syntax included, told anew from another folder.
//!
//! `paths` does the same for the long syntax once variables were put in; here they are not, and stay.

use serde_json::{Map, Value};

use super::paths::{is_remote, is_windows};

/// Changes every relative path of a document; `prefix` leads from the new folder to the old one, as in `..`, and `join` puts a
/// path behind it, cleanly.
pub fn retell(document: &mut Map<String, Value>, prefix: &str, join: &dyn Fn(&str) -> String) {
    let way = Way { prefix, join };
    for service in members(document, "services") {
        way.service(service);
    }
    for kind in ["configs", "secrets"] {
        members(document, kind).for_each(|resource| way.path(resource.get_mut("file")));
    }
    for volume in members(document, "volumes") {
        let local = volume.get("driver").is_none_or(|driver| driver == "local");
        let options = volume.get_mut("driver_opts").and_then(Value::as_object_mut).filter(|_| local);
        if let Some(options) = options.filter(|options| options.get("o").is_some_and(|o| o == "bind")) {
            way.path(options.get_mut("device"));
        }
    }
}

fn members<'v>(document: &'v mut Map<String, Value>, kind: &str) -> impl Iterator<Item = &'v mut Map<String, Value>> {
    document.get_mut(kind).and_then(Value::as_object_mut).into_iter().flatten().filter_map(|(_, member)| member.as_object_mut())
}

struct Way<'a> {
    prefix: &'a str,
    join: &'a dyn Fn(&str) -> String,
}

impl Way<'_> {
    fn service(&self, service: &mut Map<String, Value>) {
        match service.get_mut("build") {
            Some(Value::Object(build)) => {
                self.context(build.get_mut("context"));
                match build.get_mut("additional_contexts") {
                    Some(Value::Object(contexts)) => contexts.values_mut().for_each(|context| self.context(Some(context))),
                    Some(Value::Array(contexts)) => {
                        for context in contexts {
                            let Value::String(text) = context else { continue };
                            let Some((name, path)) = text.split_once('=') else { continue };
                            let mut path = Value::String(path.to_owned());
                            self.context(Some(&mut path));
                            *text = format!("{name}={}", path.as_str().unwrap_or_default());
                        }
                    }
                    _ => {}
                }
            }
            build => self.context(build),
        }
        for key in ["env_file", "label_file"] {
            match service.get_mut(key) {
                Some(Value::Array(files)) => files.iter_mut().for_each(|file| match file {
                    Value::Object(file) => self.path(file.get_mut("path")),
                    file => self.path(Some(file)),
                }),
                file => self.path(file),
            }
        }
        for watch in list(service.get_mut("develop").and_then(|develop| develop.get_mut("watch"))) {
            self.path(watch.get_mut("path"));
        }
        for volume in list(service.get_mut("volumes")) {
            match volume {
                Value::String(text) if text.starts_with(['.', '$']) => {
                    // The path ends where the place in the container begins; what a variable holds is not looked into.
                    let end = if text.starts_with('$') { text.len() } else { text.find(':').unwrap_or(0) };
                    let (source, rest) = text.split_at(end);
                    if !source.is_empty() {
                        *text = self.changed(source) + rest;
                    }
                }
                Value::Object(volume) if volume.get("type").is_some_and(|kind| kind == "bind") => self.path(volume.get_mut("source")),
                _ => {}
            }
        }
    }

    fn context<'v>(&self, context: impl Into<Option<&'v mut Value>>) {
        let context = context.into();
        if context.as_ref().is_some_and(|context| !context.as_str().is_some_and(is_remote)) {
            self.path(context);
        }
    }

    fn path<'v>(&self, path: impl Into<Option<&'v mut Value>>) {
        if let Some(Value::String(path)) = path.into() {
            *path = self.changed(path);
        }
    }

    /// A path from the new folder. The relative default of a variable (`${DATA:-./data}`) is a path too.
    fn changed(&self, path: &str) -> String {
        if path.is_empty() || path.starts_with(['/', '~']) || is_windows(path) {
            return path.to_owned();
        }
        if let Some(variable) = path.strip_prefix("${") {
            let name = variable.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let rest = &variable[name..];
            let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
            return match default.filter(|default| default.starts_with('.')) {
                Some(default) => format!("{}{}/{default}", &path[..path.len() - default.len()], self.prefix),
                None => path.to_owned(),
            };
        }
        match (path.starts_with('$'), path.contains('$')) {
            (true, _) => path.to_owned(),
            (false, true) => format!("{}/{}", self.prefix, path.strip_prefix("./").unwrap_or(path)),
            (false, false) => (self.join)(path),
        }
    }
}

fn list<'v>(value: impl Into<Option<&'v mut Value>>) -> &'v mut [Value] {
    match value.into() {
        Some(Value::Array(items)) => items,
        _ => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_path_is_found_and_nothing_else_is() {
        let mut document = json!({
            "services": { "a": {
                "build": { "context": "web", "additional_contexts": ["x=./x", "y=https://example.org/y.git"], "dockerfile": "Dockerfile" },
                "env_file": ["a.env", { "path": "./b.env" }],
                "volumes": ["./data:/data:ro", "named:/n", "${DATA:-./d}:/e", "$X/y:/f", "./$X:/g", "/abs:/h", { "type": "bind", "source": "i", "target": "/i" }],
            }, "b": { "build": "https://example.org/x.git" } },
            "secrets": { "s": { "file": "s.txt" } },
        });
        retell(document.as_object_mut().unwrap(), "..", &|path| format!("../{}", path.trim_start_matches("./")));
        assert_eq!(
            document,
            json!({
                "services": { "a": {
                    "build": { "context": "../web", "additional_contexts": ["x=../x", "y=https://example.org/y.git"], "dockerfile": "Dockerfile" },
                    "env_file": ["../a.env", { "path": "../b.env" }],
                    "volumes": ["../data:/data:ro", "named:/n", "${DATA:-.././d}:/e", "$X/y:/f", "../$X:/g", "/abs:/h", { "type": "bind", "source": "../i", "target": "/i" }],
                }, "b": { "build": "https://example.org/x.git" } },
                "secrets": { "s": { "file": "../s.txt" } },
            })
        );
    }
}
