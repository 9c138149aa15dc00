//! From a tree of [`Node`]s to typed values through serde, collecting *every* mistake.
//!
//! Serde stops at the first error. So [`decode`] takes the value that was wrong out of the tree and
//! decodes again, until what is left is right: all keys of a topology are optional but a few, and a key
//! that is missing only because its value was wrong is not told twice.

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::{Node, Pointer, Value};

/// What is wrong with a value, in terms that a message can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// A key that this table does not have.
    UnknownKey {
        /// The key as written.
        key: String,
        /// All keys that there are.
        known: &'static [&'static str],
    },
    /// A key that must be there.
    MissingKey(&'static str),
    /// A number where a text is wanted, and the like.
    WrongType {
        /// What was found, in words.
        found: String,
        /// What is wanted, in words.
        wanted: String,
    },
    /// The right type, but not a value that means anything; the text says what is wrong.
    WrongValue(String),
}

/// A [`Mistake`] and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// From the root to the value; for an unknown key, to that key.
    pub pointer: Pointer,
    /// Whether the key is wrong, not its value.
    pub at_key: bool,
    /// What is wrong.
    pub mistake: Mistake,
}

/// The most mistakes that are told of one component.
const MAX_MISTAKES: usize = 200;

/// Decodes a tree, or as much of it as is right, and all mistakes in the order in which they were met.
/// `start` is the way from the root of the file to this tree. `None` when a value that is needed is missing.
#[must_use]
pub fn decode<T: serde::de::DeserializeOwned>(mut root: Node, start: &Pointer) -> (Option<T>, Vec<Located>) {
    let mut mistakes: Vec<Located> = Vec::new();
    while mistakes.len() < MAX_MISTAKES {
        match T::deserialize(&root) {
            Ok(value) => return (Some(value), mistakes),
            Err(error) => {
                let mut way = error.way;
                way.reverse();
                let pointer: Pointer = start.iter().cloned().chain(way.iter().cloned()).collect();
                let missing_since_removed = |key: &str| {
                    mistakes.iter().any(|other| other.pointer.strip_prefix(&*pointer).is_some_and(|rest| rest == [key.to_owned()]))
                };
                match &error.mistake {
                    Mistake::MissingKey(key) if missing_since_removed(key) => {}
                    _ => mistakes.push(Located { pointer, at_key: error.at_key, mistake: error.mistake }),
                }
                if root.remove(&way).is_none() {
                    return (None, mistakes);
                }
            }
        }
    }
    (None, mistakes)
}

/// Serde's error type here: a mistake and the way to it, innermost step first.
#[derive(Debug)]
pub struct Error {
    mistake: Mistake,
    way: Vec<String>,
    at_key: bool,
}

impl Error {
    fn new(mistake: Mistake) -> Self {
        Self { mistake, way: Vec::new(), at_key: false }
    }

    fn below(mut self, step: impl Into<String>) -> Self {
        self.way.push(step.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.mistake)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(Mistake::WrongValue(message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::new(Mistake::WrongType { found: in_words(found), wanted: wanted_in_words(&wanted.to_string()) })
    }

    fn invalid_value(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::new(Mistake::WrongType { found: in_words(found), wanted: wanted_in_words(&wanted.to_string()) })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = crate::finding::did_you_mean(variant, expected.iter().copied())
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let known = expected.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Self::new(Mistake::WrongValue(format!("`{variant}` is not one of {known}{hint}")))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Mistake::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Mistake::MissingKey(key))
    }
}

/// What was found, as a person would say it.
fn in_words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("the boolean `{value}`"),
        de::Unexpected::Signed(value) => format!("the number `{value}`"),
        de::Unexpected::Unsigned(value) => format!("the number `{value}`"),
        de::Unexpected::Float(value) => format!("the number `{value}`"),
        de::Unexpected::Str(text) => format!("the text `{}`", shorten(text)),
        de::Unexpected::Map => "a table".to_owned(),
        de::Unexpected::Seq => "an array".to_owned(),
        other => other.to_string(),
    }
}

/// Serde's own words for plain types are those of Rust.
fn wanted_in_words(wanted: &str) -> String {
    match wanted {
        "a boolean" => "`true` or `false`",
        "a string" => "a text",
        "a map" => "a table",
        "a sequence" => "an array",
        "u16" | "u32" | "u64" => "a whole number",
        structure if structure.starts_with("struct ") => "a table",
        own => own,
    }
    .to_owned()
}

/// A text of any length, short enough for a message and on one line.
#[must_use]
pub fn shorten(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Table(table) => visitor.visit_map(Entries { entries: table.iter(), current: None }),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Removed => visitor.visit_unit(),
            Value::Datetime(text) => {
                Err(Error::new(Mistake::WrongType { found: format!("the date or time `{text}`"), wanted: Wanted(&visitor).to_string() }))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What a visitor expects, in its own words.
struct Wanted<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> std::fmt::Display for Wanted<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }
}

struct Entries<'de> {
    entries: indexmap::map::Iter<'de, String, super::Entry>,
    current: Option<(&'de str, &'de Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, entry)) = self.entries.next() else { return Ok(None) };
        self.current = Some((key, &entry.node));
        let deserializer: de::value::BorrowedStrDeserializer<'de, Error> = de::value::BorrowedStrDeserializer::new(key);
        seed.deserialize(deserializer).map(Some).map_err(|mut error| {
            error.at_key = true;
            error.below(key)
        })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        // Serde asks for a value only after its key; an empty text stands for nothing at all.
        let Some((key, node)) = self.current.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(node).map_err(|error| error.below(key))
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((index, node)) = self.items.find(|(_, node)| node.value != Value::Removed) else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| error.below(index.to_string()))
    }
}
