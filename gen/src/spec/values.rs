//! The values of a topology that are more than a text or a number.
//!
//! Each parses from what people write, says in one sentence what is wrong with what is not one, and describes
//! itself to the schema.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration as Time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// Gives a type that parses from text its `Deserialize` and its schema.
macro_rules! from_text {
    ($type:ident, $wanted:literal, { $($schema:tt)* }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($wanted)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", $($schema)* })
            }
        }
    };
}

mod port;

pub use port::{HostPort, ListenPort, Port, Protocol, Publish};

/// Reads what people write as a number or as a text: `9998`, `"127.0.0.1:9998"`.
pub(super) fn number_or_text<'de, D, T>(deserializer: D, wanted: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String>,
{
    struct NumberOrText<T>(&'static str, PhantomData<T>);
    impl<T: FromStr<Err = String>> Visitor<'_> for NumberOrText<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            number.to_string().parse().map_err(E::custom)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_any(NumberOrText(wanted, PhantomData))
}

/// A component's name: a lower-case DNS label (RFC 1123), because it is a host name in the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table of names can be asked with a text.
impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = crate::source::decode::shorten(text);
        if text.is_empty() {
            return Err("a name cannot be empty".to_owned());
        }
        if text.len() > 63 {
            return Err(format!("the name `{short}` is longer than 63 characters, the most that a host name's label may have"));
        }
        if text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') && !text.starts_with('-') && !text.ends_with('-')
        {
            return Ok(Self(text.to_owned()));
        }
        let better: String = text.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let better = better.trim_matches('-');
        let hint = if better.is_empty() || better.len() > 63 { String::new() } else { format!("; `{better}` would do") };
        Err(format!("`{short}` cannot be a host name: use lower-case letters, digits and `-`, not at either end{hint}"))
    }
}

from_text!(Name, "a name", {
    "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "description": "A lower-case DNS label: letters, digits and `-`."
});

/// The host name of a machine: labels with dots between them (RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_label = |label: &str| {
            let legal = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            (1..=63).contains(&label.len()) && legal && !label.starts_with('-') && !label.ends_with('-')
        };
        if text.len() <= 253 && text.split('.').all(is_label) {
            return Ok(Self(text.to_owned()));
        }
        let short = crate::source::decode::shorten(text);
        Err(format!("`{short}` cannot be a machine's host name: use letters, digits and `-`, with `.` between the parts"))
    }
}

from_text!(NodeName, "a machine's host name", {
    "pattern": "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$",
    "description": "The host name of a machine."
});

/// The name or the value of a node's label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelText(String);

impl fmt::Display for LabelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LabelText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if text.len() <= 63 && text.chars().all(legal) && ends_well(text.chars().next()) && ends_well(text.chars().next_back()) {
            return Ok(Self(text.to_owned()));
        }
        let short = crate::source::decode::shorten(text);
        Err(format!("`{short}` cannot be part of a label: use up to 63 letters, digits, `.`, `_`, `-` and `/`"))
    }
}

from_text!(LabelText, "a label's text", {
    "pattern": "^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$",
    "description": "Up to 63 letters, digits, `.`, `_`, `-` and `/`."
});

/// A length of time, for example `2s`, `500ms` or `1m30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(Time);

impl Duration {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(Time::from_millis(ms))
    }

    /// In milliseconds.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_millis();
        if ms == 0 {
            return f.write_str("0s");
        }
        let (hours, minutes, seconds, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        for (count, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s"), (rest, "ms")] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let short = crate::source::decode::shorten(text);
            let hint = if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
                format!("; it needs a unit, as in `{short}s`")
            } else {
                String::new()
            };
            format!("`{short}` is not a duration like `2s`, `500ms` or `1m30s`{hint}")
        };
        let mut rest = text;
        let mut total: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return Err(wrong()),
            };
            if unit >= smallest {
                return Err(wrong());
            }
            smallest = unit;
            rest = &rest[letters..];
            total = number.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        }
        if smallest == u64::MAX { Err(wrong()) } else { Ok(Self::from_millis(total)) }
    }
}

from_text!(Duration, "a duration like `\"2s\"` or `\"500ms\"`", {
    "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
    "minLength": 2,
    "description": "A duration: `2s`, `500ms`, `1m30s`."
});

/// An amount of memory, for example `256MiB` or `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
        let fits = |(unit, _): &(u64, &str)| self.0 > 0 && self.0.is_multiple_of(*unit);
        match units.iter().find(|unit| fits(unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is not a size like `256MiB` or `1GB`", crate::source::decode::shorten(text));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit: u64 = match text[digits..].trim_start() {
            "B" => 1,
            "kB" | "KB" => 1000,
            "KiB" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "GB" => 1_000_000_000,
            "GiB" => 1 << 30,
            "TB" => 1_000_000_000_000,
            "TiB" => 1 << 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

from_text!(Size, "a size like `\"256MiB\"` or `\"1GB\"`", {
    "pattern": "^[0-9]+ ?(B|kB|KB|KiB|MB|MiB|GB|GiB|TB|TiB)$",
    "description": "A size: `256MiB` (powers of 1024), `1GB` (powers of 1000)."
});

/// A volume: `./host:/inside`, `/host:/inside:ro` or `named:/inside`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The host's folder (with a `/` or a `.` in front) or the name of a volume that the engine keeps.
    pub source: String,
    /// The folder in the container, absolute.
    pub target: String,
    /// Whether the container may only read.
    pub read_only: bool,
}

impl Volume {
    /// Whether the source is a path on the host rather than the name of a volume.
    #[must_use]
    pub fn is_bind(&self) -> bool {
        self.source.starts_with(['.', '/', '~'])
    }
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = crate::source::decode::shorten(text);
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts[..] {
            [source, target] => (source, target, "rw"),
            [source, target, mode] => (source, target, mode),
            _ => return Err(format!("`{short}` is not a volume: write `./host:/inside` or `name:/inside`")),
        };
        if source.is_empty() || text.chars().any(char::is_control) {
            return Err(format!("`{short}` names no folder of the host: write `./host:/inside` or `name:/inside`"));
        }
        if !target.starts_with('/') || target.trim_matches('/').is_empty() {
            return Err(format!("`{target}` is not a place in the container: it must be an absolute path, as in `{source}:/inside`"));
        }
        if !matches!(mode, "rw" | "ro") {
            return Err(format!("`{mode}` is not a mode of a volume: use `ro` (read only) or nothing"));
        }
        let volume = Self { source: source.to_owned(), target: target.to_owned(), read_only: mode == "ro" };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let is_name = source.starts_with(|c: char| c.is_ascii_alphanumeric()) && source.chars().all(legal);
        if !volume.is_bind() && !is_name {
            return Err(if source.contains('/') {
                format!("`{source}` is neither a path nor the name of a volume: a relative path begins with `./`, as in `./{source}`")
            } else {
                format!("`{source}` is not the name of a volume: use letters, digits, `_`, `.` and `-`")
            });
        }
        Ok(volume)
    }
}

from_text!(Volume, "a volume like `\"./host:/inside\"`", {
    "pattern": "^[^:]+:/[^:]+(:(ro|rw))?$",
    "description": "`./host:/inside` (a folder beside the topology), `/host:/inside:ro` (read only) or `name:/inside` (a volume that the engine keeps)."
});

/// The value of an environment variable, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvValue(pub String);

impl<'de> Deserialize<'de> for EnvValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = EnvValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a boolean")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<EnvValue, E> {
                if text.contains('\0') {
                    return Err(E::custom("an environment variable cannot hold the character NUL"));
                }
                Ok(EnvValue(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<EnvValue, E> {
                Ok(EnvValue(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<EnvValue, E> {
                Ok(EnvValue(number.to_string()))
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<EnvValue, E> {
                Ok(EnvValue(value.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

impl JsonSchema for EnvValue {
    fn schema_name() -> Cow<'static, str> {
        "EnvValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The variable's value. Text may hold `{{ need.host }}`, `{{ need.port }}`, `{{ need.url }}` and `{{ self.name }}` (a need `own-cache` is `own_cache` there); Compose's own `${VAR}` stays as it is.",
            "type": ["string", "number", "boolean"]
        })
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvName(pub String);

impl FromStr for EnvName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.chars().all(legal) && text.starts_with(|c: char| !c.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` cannot be the name of an environment variable: use letters, digits and `_`, no digit in front",
            crate::source::decode::shorten(text)
        ))
    }
}

from_text!(EnvName, "the name of an environment variable", { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" });

/// A command: one text, split as a shell splits words, or a list of arguments taken as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// One text.
    Line(String),
    /// Program and arguments.
    Arguments(Vec<String>),
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrList;
        impl<'de> Visitor<'de> for TextOrList {
            type Value = Command;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command like `\"node broker 9998\"` or a list like `[\"node\", \"broker\"]`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Command, E> {
                match shlex::split(text) {
                    Some(words) if !words.is_empty() => Ok(Command::Line(text.to_owned())),
                    Some(_) => Err(E::custom("a command cannot be empty")),
                    None => {
                        Err(E::custom(format!("the command `{}` has a quote that is never closed", crate::source::decode::shorten(text))))
                    }
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Command, A::Error> {
                let mut arguments = Vec::new();
                while let Some(argument) = items.next_element::<String>()? {
                    arguments.push(argument);
                }
                if arguments.is_empty() {
                    return Err(de::Error::custom("a command cannot be empty"));
                }
                Ok(Command::Arguments(arguments))
            }
        }
        deserializer.deserialize_any(TextOrList)
    }
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One text, split as a shell splits words (with a `$` in it, a shell runs it), or a list of arguments.",
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ]
        })
    }
}

/// Keys and values of Compose, as they are.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(transparent)]
pub struct Passthrough(pub serde_json::Map<String, serde_json::Value>);

impl JsonSchema for Passthrough {
    fn schema_name() -> Cow<'static, str> {
        "Passthrough".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Keys and values of Compose, as they are. Relative paths are beside the topology; an empty table stands for no value.",
            "type": "object"
        })
    }
}
