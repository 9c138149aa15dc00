//! YAML values that remember where they come from.

use indexmap::IndexMap;

use crate::source::Origin;

/// A value and the bytes that it was written in. Values that go without saying have the bytes of what implies them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// Where it was written.
    pub origin: Origin,
    /// What is written there.
    pub value: Value,
}

/// A mapping: keys in the order of the file. A large project has a million small ones: the hasher is a light one, seeded anew
/// for each run, so that no file is slow on purpose.
pub type Map = IndexMap<String, Entry, foldhash::fast::RandomState>;

/// What a [`Node`] holds: the core schema of YAML 1.2.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`, `~` or nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
    /// Something wrong that was told already: nothing more is said of it.
    Wrong,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    /// The bytes of the key.
    pub key: Origin,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A value at a place.
    #[must_use]
    pub fn new(origin: Origin, value: Value) -> Self {
        Self { origin, value }
    }

    /// A text at a place.
    #[must_use]
    pub fn text(origin: Origin, text: impl Into<String>) -> Self {
        Self::new(origin, Value::String(text.into()))
    }

    /// The value of a key, unless it is missing. A key with `null` has a value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    /// The value at the end of a way of keys.
    #[must_use]
    pub fn at(&self, way: &[&str]) -> Option<&Self> {
        way.iter().try_fold(self, |node, key| match &node.value {
            Value::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => node.get(key),
        })
    }

    /// The value at the end of a way of keys and indices, to be changed.
    pub fn at_mut(&mut self, way: &[String]) -> Option<&mut Self> {
        way.iter().try_fold(self, |node, step| match &mut node.value {
            Value::Map(map) => map.get_mut(step).map(|entry| &mut entry.node),
            Value::List(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The bytes of a key, or of this value where there is none.
    #[must_use]
    pub fn key(&self, key: &str) -> Origin {
        self.map().and_then(|map| map.get(key)).map_or(self.origin, |entry| entry.key)
    }

    /// The mapping, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.map().into_iter().flatten().map(|(key, entry)| (key.as_str(), entry))
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as Compose writes it into a text: `8080`, `true`; nothing for null, lists and mappings.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Wrong => None,
        }
    }

    /// A whole number, also in a text.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match &self.value {
            Value::Int(value) => Some(*value),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is `true`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match &self.value {
            Value::Bool(value) => *value,
            Value::String(text) => text == "true",
            _ => false,
        }
    }

    /// How many values it is, with those below it.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.items().iter().map(Self::count).sum::<usize>() + self.entries().map(|(_, entry)| entry.node.count()).sum::<usize>()
    }

    /// Whether there is nothing: `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The kind in YAML's words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "mapping",
            Value::Wrong => "mistake",
        }
    }
}
