//! Ports, inside and on the host.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::number_or_text;

/// The transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, the default.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Reads a port number.
fn port_number(text: &str) -> Result<u16, String> {
    match text.parse::<u32>() {
        Ok(number @ 1..=65535) if text.bytes().all(|c| c.is_ascii_digit()) => Ok(u16::try_from(number).unwrap_or(u16::MAX)),
        _ => Err(format!("`{}` is not a port: ports are numbers from 1 to 65535", crate::source::decode::shorten(text))),
    }
}

/// A port that a program listens on: 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Port;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number from 1 to 65535")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Port, E> {
                port_number(&number.to_string()).map(Port).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535, "description": "A port number." })
    }
}

/// A port with its protocol: `80` or `"53/udp"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenPort {
    /// 1 to 65535.
    pub port: u16,
    /// TCP when not said.
    pub protocol: Protocol,
}

impl FromStr for ListenPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), Protocol::Tcp),
            Some((number, "udp")) => (number, Protocol::Udp),
            Some((_, other)) => {
                return Err(format!("`{}` is not a protocol: use `tcp` or `udp`", crate::source::decode::shorten(other)));
            }
        };
        Ok(Self { port: port_number(number)?, protocol })
    }
}

impl<'de> Deserialize<'de> for ListenPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number_or_text(deserializer, "a port like `80` or `\"53/udp\"`")
    }
}

impl JsonSchema for ListenPort {
    fn schema_name() -> Cow<'static, str> {
        "ListenPort".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A port that the program listens on: `80`, `\"53/udp\"`.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65535 },
                { "type": "string", "pattern": "^[0-9]{1,5}(/(tcp|udp))?$" }
            ]
        })
    }
}

/// Where on the host an endpoint is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort {
    /// One address of the host; `None` means all of them.
    pub address: Option<IpAddr>,
    /// 1 to 65535; `None` means the endpoint's own number.
    pub port: Option<u16>,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let short = crate::source::decode::shorten(text);
        let wrong = || format!("`{short}` is not an address of this host: write a port, `\"127.0.0.1:9998\"` or `\"[::1]:9998\"`");
        let Some((host, port)) = text.rsplit_once(':') else {
            return port_number(text).map(|port| Self { address: None, port: Some(port) });
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let address: IpAddr = match inner {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.into(),
            None => host.parse::<std::net::Ipv4Addr>().map_err(|_| wrong())?.into(),
        };
        let address = Some(address).filter(|address| *address != IpAddr::from([0, 0, 0, 0]));
        Ok(Self { address, port: Some(port_number(port)?) })
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number_or_text(deserializer, "a host port like `9998` or `\"127.0.0.1:9998\"`")
    }
}

/// What is published: endpoint to host port, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish(pub IndexMap<String, HostPort>);

impl<'de> Deserialize<'de> for Publish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableOrNames;
        impl<'de> Visitor<'de> for TableOrNames {
            type Value = Publish;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table like `{ frontend = 9998 }` or an array like `[\"frontend\"]`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Publish, A::Error> {
                let mut entries = IndexMap::new();
                while let Some((endpoint, port)) = map.next_entry::<String, HostPort>()? {
                    entries.insert(endpoint, port);
                }
                Ok(Publish(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Publish, A::Error> {
                let mut entries = IndexMap::new();
                while let Some(endpoint) = names.next_element::<String>()? {
                    entries.insert(endpoint, HostPort { address: None, port: None });
                }
                Ok(Publish(entries))
            }
        }
        deserializer.deserialize_any(TableOrNames)
    }
}

impl JsonSchema for Publish {
    fn schema_name() -> Cow<'static, str> {
        "Publish".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Endpoints that can be reached from outside, each with its host port: `{ frontend = 9998 }` (all interfaces), `{ frontend = \"127.0.0.1:9998\" }`, or `[\"frontend\"]` (same number).",
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": { "anyOf": [
                        { "type": "integer", "minimum": 1, "maximum": 65535 },
                        { "type": "string" }
                    ] }
                },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}
