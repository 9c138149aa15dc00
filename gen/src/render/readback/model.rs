//! The part of a Compose file that the plan decides, as small as it can be.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::render::view::Healthcheck;

/// A YAML document as JSON, in which no key stands twice.
pub(in crate::render) struct Unique(pub Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Unique;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Unique, E> {
                Ok(Unique(Value::Bool(value)))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }
            fn visit_string<E: de::Error>(self, value: String) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }
            fn visit_none<E: de::Error>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
                let mut values = Vec::new();
                while let Some(Unique(value)) = items.next_element()? {
                    values.push(value);
                }
                Ok(Unique(Value::Array(values)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
                let mut map = Map::new();
                while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
                    if map.contains_key(&key) {
                        return Err(de::Error::custom(format!("the key `{key}` stands twice")));
                    }
                    map.insert(key, value);
                }
                Ok(Unique(Value::Object(map)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// What a Compose file says.
#[derive(Debug)]
pub(super) struct Document {
    pub name: String,
    pub services: BTreeMap<String, Found>,
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
    pub secrets: BTreeMap<String, FoundSecret>,
}

/// What it says of one service.
#[derive(Debug)]
pub(super) struct Found {
    pub image: String,
    pub build: Option<(String, String)>,
    pub command: Option<Vec<String>>,
    pub init: bool,
    pub environment: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub depends_on: BTreeMap<String, String>,
    pub networks: BTreeMap<String, Vec<String>>,
    pub expose: Vec<String>,
    pub ports: Vec<String>,
    pub volumes: Vec<String>,
    pub tmpfs: Vec<String>,
    pub secrets: BTreeMap<String, String>,
    pub healthcheck: Option<Healthcheck>,
    pub restart: String,
    pub stop_grace_period: String,
    pub user: Option<String>,
    pub read_only: bool,
    pub cap_drop: Vec<String>,
    pub cap_add: Vec<String>,
    pub scale: u64,
    pub replicas: u64,
    pub cpus: Option<String>,
    pub memory: Option<String>,
}

/// What it says of one secret.
#[derive(Debug)]
pub(super) struct FoundSecret {
    pub file: Option<String>,
    pub environment: Option<String>,
    pub external: bool,
}

impl Document {
    /// Reads what the schema has accepted. The error names a form that Compose allows and this reader does not.
    pub fn read(value: &Value) -> Result<Self, String> {
        let names = |key: &str| value[key].as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        let mut services = BTreeMap::new();
        for (name, service) in value["services"].as_object().into_iter().flatten() {
            services.insert(name.clone(), Found::read(service).map_err(|error| format!("service `{name}`: {error}"))?);
        }
        let secrets = value["secrets"].as_object().into_iter().flatten().map(|(name, secret)| {
            let file = optional(&secret["file"]);
            let external = secret["external"].as_bool().unwrap_or(false);
            (name.clone(), FoundSecret { file, environment: optional(&secret["environment"]), external })
        });
        Ok(Self {
            name: text(&value["name"]),
            services,
            networks: names("networks"),
            volumes: names("volumes"),
            secrets: secrets.collect(),
        })
    }
}

impl Found {
    fn read(service: &Value) -> Result<Self, String> {
        let limits = &service["deploy"]["resources"]["limits"];
        let build = &service["build"];
        let number = |value: &Value| value.as_u64().unwrap_or(1);
        Ok(Self {
            image: text(&service["image"]),
            build: build.is_object().then(|| (text(&build["context"]), text(&build["dockerfile"]))),
            command: if service["command"].is_null() { None } else { Some(list(&service["command"], "command")?) },
            init: service["init"].as_bool().unwrap_or(false),
            environment: pairs(&service["environment"], '='),
            labels: pairs(&service["labels"], '='),
            depends_on: match &service["depends_on"] {
                Value::Array(names) => names.iter().map(|name| (text(name), "service_started".to_owned())).collect(),
                other => named(other, |need| text(&need["condition"])),
            },
            networks: match &service["networks"] {
                Value::Array(names) => names.iter().map(|name| (text(name), Vec::new())).collect(),
                other => named(other, |network| {
                    let mut aliases = list(&network["aliases"], "aliases").unwrap_or_default();
                    aliases.sort_unstable();
                    aliases
                }),
            },
            expose: list(&service["expose"], "expose")?,
            ports: list(&service["ports"], "ports")?,
            volumes: list(&service["volumes"], "volumes")?,
            tmpfs: match &service["tmpfs"] {
                Value::String(folder) => vec![folder.clone()],
                other => list(other, "tmpfs")?,
            },
            secrets: service["secrets"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|secret| match secret {
                    Value::Object(long) => (text(long.get("target").unwrap_or(&long["source"])), text(&long["source"])),
                    short => (text(short), text(short)),
                })
                .collect(),
            healthcheck: match &service["healthcheck"] {
                Value::Object(check) => {
                    let value = |key: &str| check.get(key).unwrap_or(&Value::Null);
                    Some(Healthcheck {
                        test: list(value("test"), "healthcheck.test")?,
                        interval: optional(value("interval")),
                        timeout: optional(value("timeout")),
                        retries: value("retries").as_u64().and_then(|retries| u16::try_from(retries).ok()),
                        start_period: optional(value("start_period")),
                    })
                }
                _ => None,
            },
            restart: text(&service["restart"]),
            stop_grace_period: text(&service["stop_grace_period"]),
            user: optional(&service["user"]),
            read_only: service["read_only"].as_bool().unwrap_or(false),
            cap_drop: list(&service["cap_drop"], "cap_drop")?,
            cap_add: list(&service["cap_add"], "cap_add")?,
            scale: number(&service["scale"]),
            replicas: number(&service["deploy"]["replicas"]),
            cpus: optional(&limits["cpus"]),
            memory: optional(&limits["memory"]),
        })
    }
}

/// A scalar as text; nothing is the empty text.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn optional(value: &Value) -> Option<String> {
    if value.is_null() { None } else { Some(text(value)) }
}

/// A list of scalars. Compose allows mappings and single texts in some places; a template must use the short form.
fn list(value: &Value, key: &str) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => Ok(items.iter().map(text).collect()),
        _ => Err(format!("write `{key}` as a list of texts, so that it can be compared with the plan")),
    }
}

/// `{ A: "b" }` or `["A=b"]`.
fn pairs(value: &Value, separator: char) -> BTreeMap<String, String> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(text)
            .map(|item| item.split_once(separator).map_or((item.clone(), String::new()), |(k, v)| (k.to_owned(), v.to_owned())))
            .collect(),
        other => named(other, text),
    }
}

fn named<T>(value: &Value, read: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), read(value))).collect()
}
