//! What a component needs, and is asked: health, limits, numbers with their ranges.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as DeriveDeserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::values::{Command, Duration, Size};

/// How the engine asks whether a component works.
#[derive(Debug, Clone)]
pub enum Healthcheck {
    /// `false`: it does not ask.
    None,
    /// A command and how often it runs.
    Check(Box<Check>),
}

/// A health check in full.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The command; it ends with 0 when the component works.
    pub command: Command,
    /// The time between two checks. Default: `5s`.
    pub interval: Option<Duration>,
    /// How long one check may take. Default: `3s`.
    pub timeout: Option<Duration>,
    /// How many failures in a row make the component unhealthy. Default: 3.
    pub retries: Option<u16>,
    /// How long failures do not count after the start. Default: `30s`.
    pub start_period: Option<Duration>,
}

impl<'de> Deserialize<'de> for Healthcheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        fn plain(command: Command) -> Healthcheck {
            Healthcheck::Check(Box::new(Check { command, interval: None, timeout: None, retries: None, start_period: None }))
        }
        impl<'de> Visitor<'de> for Any {
            type Value = Healthcheck;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command, a table like `{ command = \"…\", interval = \"5s\" }`, or `false`")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Healthcheck, E> {
                if on {
                    Err(E::custom("`true` does not say how to check: write the command, or `false` for no check"))
                } else {
                    Ok(Healthcheck::None)
                }
            }
            fn visit_str<E: de::Error>(self, line: &str) -> Result<Healthcheck, E> {
                Command::deserialize(de::value::StrDeserializer::new(line)).map(plain)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Healthcheck, A::Error> {
                Command::deserialize(de::value::SeqAccessDeserializer::new(items)).map(plain)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Healthcheck, A::Error> {
                Check::deserialize(MapAccessDeserializer::new(map)).map(|check| Healthcheck::Check(Box::new(check)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Healthcheck {
    fn schema_name() -> Cow<'static, str> {
        "Healthcheck".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (command, check) = (generator.subschema_for::<Command>(), generator.subschema_for::<Check>());
        json_schema!({ "anyOf": [ { "const": false }, command, check ] })
    }
}

/// The most that one instance may use.
#[derive(Debug, Clone, Default, PartialEq, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Processors, in parts of one: `0.5`.
    pub cpus: Option<Cpus>,
    /// Memory: `"64MiB"`.
    pub memory: Option<Size>,
}

/// A number of processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpus(pub f64);

/// Declares a number with a range and its own words.
macro_rules! ranged_number {
    ($type:ident, $wanted:literal, $low:literal, $high:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Number;
                impl Visitor<'_> for Number {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($wanted)
                    }
                    #[allow(clippy::cast_precision_loss, reason = "the range is far below 2^53")]
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        self.visit_f64(number as f64)
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$type, E> {
                        if number > $low && number <= $high {
                            Ok($type(number))
                        } else {
                            Err(E::custom(format!("`{number}` is not {}", $wanted)))
                        }
                    }
                }
                deserializer.deserialize_any(Number)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "number", "exclusiveMinimum": $low, "maximum": $high })
            }
        }
    };
}

ranged_number!(Cpus, "a number of processors like `0.5`", 0.0, 4096.0);

/// Requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throughput(pub f64);

ranged_number!(Throughput, "a number of requests per second like `100`", 0.0, 1e12);

/// A share of the time: `0.999`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

ranged_number!(Share, "a share of the time between 0 and 1, like `0.999`", 0.0, 1.0);
