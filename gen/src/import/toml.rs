//! TOML as people write it: short values in their line, long ones in tables and lines of their own.

use std::fmt::Write;

use serde_json::{Map, Value};
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

/// The longest line that holds a whole table or list.
const WIDTH: usize = 100;

/// A document that grows from top to bottom.
pub(super) struct Document {
    text: String,
}

impl Document {
    pub fn new() -> Self {
        Self { text: String::new() }
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// A comment in a line of its own.
    pub fn comment(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let _ = writeln!(self.text, "# {text}");
    }

    /// `key = value`, with a comment behind it.
    pub fn key(&mut self, name: &str, value: &Value, comment: &str) {
        let behind = if comment.is_empty() { String::new() } else { format!(" # {comment}") };
        let _ = writeln!(self.text, "{} = {}{behind}", key(name), inline(value));
    }

    /// `[a.b]`
    pub fn table(&mut self, way: &[&str]) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "[{}]", way.iter().map(|step| key(step)).collect::<Vec<_>>().join("."));
    }

    /// A table with all its keys; what is too long for a line becomes a table of its own below.
    pub fn section(&mut self, way: &[&str], entries: &Map<String, Value>) {
        let long = |(name, value): &(&String, &Value)| {
            value.as_object().is_some_and(|map| !map.is_empty()) && (way.len() < 2 || key(name).len() + inline(value).len() + 3 > WIDTH)
        };
        let (tables, lines): (Vec<_>, Vec<_>) = entries.iter().partition(long);
        if !lines.is_empty() || tables.is_empty() {
            self.table(way);
        }
        for (name, value) in lines {
            let line = format!("{} = {}", key(name), inline(value));
            match value {
                Value::Array(items) if line.chars().count() > WIDTH => {
                    let _ = writeln!(self.text, "{} = [", key(name));
                    for item in items {
                        let _ = writeln!(self.text, "    {},", inline(item));
                    }
                    self.text.push_str("]\n");
                }
                _ => {
                    let _ = writeln!(self.text, "{line}");
                }
            }
        }
        for (name, value) in tables {
            let way: Vec<&str> = way.iter().copied().chain([name.as_str()]).collect();
            if let Value::Object(entries) = value {
                self.section(&way, entries);
            }
        }
    }
}

fn key(name: &str) -> String {
    TomlKeyBuilder::new(name).as_default().to_toml_key()
}

/// A value in one line. TOML has no `null`: an empty table stands for it.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "{}".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.to_string(),
            None => number.as_f64().map_or_else(|| format!("\"{number}\""), float),
        },
        Value::String(text) => TomlStringBuilder::new(text).as_default().to_toml_value(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A number that stays one with a fraction when it is read.
fn float(number: f64) -> String {
    let text = number.to_string();
    if text.contains(['.', 'e', 'n', 'i']) { text } else { text + ".0" }
}
