//! The templates: embedded in the program, each replaceable by a file of the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, Template, UndefinedBehavior};
use serde::Serialize;

use super::{Error, text};
use crate::finding::did_you_mean;

/// The largest template that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Steps that a template may take, so that an endless loop ends: some for each component, and more than enough for few.
const FUEL: u64 = 1_000_000;
const FUEL_PER_COMPONENT: u64 = 20_000;

/// Names and texts of the embedded templates.
const EMBEDDED: &[(&str, &str)] = &[
    ("docker-compose.yml.j2", include_str!("../../../templates/docker-compose.yml.j2")),
    ("stack.yml.j2", include_str!("../../../templates/stack.yml.j2")),
    ("deploy.sh.j2", include_str!("../../../templates/deploy.sh.j2")),
    ("build.sh.j2", include_str!("../../../templates/build.sh.j2")),
    ("Dockerfile.static.j2", include_str!("../../../templates/Dockerfile.static.j2")),
    ("Dockerfile.source.j2", include_str!("../../../templates/Dockerfile.source.j2")),
    ("Dockerfile.program.j2", include_str!("../../../templates/Dockerfile.program.j2")),
    ("dockerignore.j2", include_str!("../../../templates/dockerignore.j2")),
];

/// Templates that replace embedded ones.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// By name, the file that it was read from and its text.
    replaced: BTreeMap<String, (PathBuf, String)>,
}

impl Templates {
    /// Reads the templates of a folder. A file `NAME.j2` must replace something, or it was misspelt.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let wrong = |path: &Path, reason: String| Error::Templates { path: path.display().to_string(), reason };
        let entries = std::fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))?;
        let mut replaced = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|error| wrong(folder, error.to_string()))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if path.extension().is_none_or(|extension| extension != "j2") {
                continue;
            }
            let known = EMBEDDED.iter().map(|(name, _)| *name);
            if !known.clone().any(|known| known == name) {
                let all = known.clone().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let near = did_you_mean(name, known).map_or_else(|| format!("there is {all}"), |near| format!("did you mean `{near}`?"));
                return Err(wrong(&path, format!("no template has this name; {near}")));
            }
            let metadata = std::fs::metadata(&path).map_err(|error| wrong(&path, error.to_string()))?;
            if !metadata.is_file() || metadata.len() > MAX_BYTES {
                return Err(wrong(&path, format!("it is not a file of at most {} MiB", MAX_BYTES / 1024 / 1024)));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| wrong(&path, error.to_string()))?;
            replaced.insert(name.to_owned(), (path, text));
        }
        Ok(Self { replaced })
    }

    fn text(&self, name: &str) -> &str {
        let embedded = || EMBEDDED.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
        self.replaced.get(name).map_or_else(embedded, |(_, text)| text)
    }

    /// How messages call a template: the file, or its name where it is embedded.
    pub(super) fn shown(&self, name: &str) -> String {
        self.replaced.get(name).map_or_else(|| name.to_owned(), |(path, _)| path.display().to_string())
    }
}

/// Compiled templates.
pub(super) struct Engine<'t> {
    templates: &'t Templates,
    environment: Environment<'t>,
}

impl<'t> Engine<'t> {
    /// Nothing is compiled before it is used. `components` says how much there is to write.
    pub fn new(templates: &'t Templates, components: usize) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL + FUEL_PER_COMPONENT * components as u64));
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_formatter(write);
        environment.add_filter("key", |name: &str| Value::from_safe_string(text::key(name)));
        environment.add_filter("word", |word: &str| Value::from_safe_string(text::word(word)));
        environment.add_filter("quoted", |value: &str| Value::from_safe_string(text::quoted(value)));
        environment.add_filter("block", |value: Value, indent: usize| {
            let value = serde_json::to_value(&value).unwrap_or_default();
            Value::from_safe_string(text::block(&value, indent))
        });
        environment.add_filter("run", |command: &str| Value::from_safe_string(text::run(command)));
        environment.add_filter("paths", |paths: Vec<String>| Value::from_safe_string(text::paths(&paths)));
        environment.add_filter("exec", |words: Vec<String>| Value::from_safe_string(text::list(&words)));
        Self { templates, environment }
    }

    /// Compiles a template, to be rendered as often as needed.
    pub fn template(&self, name: &'static str) -> Result<Compiled<'_>, Error> {
        let template = self.environment.template_from_named_str(name, self.templates.text(name));
        let template = template.map_err(|error| wrong(self.templates, name, &error))?;
        Ok(Compiled { name, templates: self.templates, template })
    }

    /// Renders a template with one value.
    pub fn render<T: Serialize>(&self, name: &'static str, value_name: &str, value: &T) -> Result<String, Error> {
        self.template(name)?.render(value_name, value)
    }
}

/// A compiled template.
pub(super) struct Compiled<'e> {
    name: &'static str,
    templates: &'e Templates,
    template: Template<'e, 'e>,
}

impl Compiled<'_> {
    /// Renders it with one value.
    pub fn render<T: Serialize>(&self, value_name: &str, value: &T) -> Result<String, Error> {
        let context =
            Value::from_pairs([(value_name, Value::from(Serde(value))), ("cbwgen", Value::from_pairs([("version", super::VERSION)]))]);
        self.template.render(context).map_err(|error| wrong(self.templates, self.name, &error))
    }
}

fn wrong(templates: &Templates, name: &str, error: &minijinja::Error) -> Error {
    Error::Template { template: templates.shown(name), line: error.line().unwrap_or(1), reason: reason(error) }
}

fn reason(error: &minijinja::Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it takes too many steps; is there a loop without an end?".to_owned();
    }
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Writes a value: into YAML as JSON, which is YAML too; elsewhere as it is, if it stays in its line.
fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if matches!(state.auto_escape(), AutoEscape::Json) && !value.is_safe() {
        let mut json = String::new();
        write_json(&mut json, value)?;
        return Ok(out.write_str(&json)?);
    }
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let text = value.to_string();
    if !value.is_safe() && text.chars().any(char::is_control) {
        let detail = "a line break or another control character would end the line; use a filter that quotes";
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, detail));
    }
    Ok(out.write_str(&text)?)
}

fn write_json(out: &mut String, value: &Value) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::Undefined => return Err(ErrorKind::UndefinedError.into()),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool | ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (index, item) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_json(out, &item)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&text::json(&key.to_string()));
                out.push_str(": ");
                write_json(out, &value.get_item(&key)?)?;
            }
            out.push('}');
        }
        _ => out.push_str(&text::json(&value.to_string())),
    }
    Ok(())
}
