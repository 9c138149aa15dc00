//! The types behind the schema: sizes, durations, mappings that may be lists, commands.
//!
//! What Compose reads into one form has one form in the model: sizes are bytes, variables and labels are mappings. Commands and
//! durations stay as they are written; [`duration`] and [`words`] read them.

use std::time::Duration;

use super::problem::Problems;
use super::tree::{Entry, Map, Node, Value};
use crate::rules;
use crate::source::decode::shorten;

/// What a value is read as.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// `512m`: bytes.
    Bytes,
    /// `1m30s`.
    Duration,
    /// `0.5`: processors.
    Number,
    /// A command line or its words.
    Shell,
    /// Names with values; without one it is that of the environment.
    Variables,
    /// Names with texts.
    Labels,
    /// A text or a list of them.
    Strings,
    /// Texts, also written as one value of any kind.
    Texts,
    /// Names of hosts with addresses.
    Hosts,
    /// `all` or a number.
    Count,
    /// `0440`.
    Mode,
    /// A text, also written as a number.
    Text,
    /// `true` or `false`, also in quotes.
    Bool,
    /// A whole number, also in quotes.
    Int,
    /// A whole number that is not negative, and not in quotes.
    Natural,
}

/// Ways below a service.
const SERVICE: &[(&[&str], Kind)] = &[
    (&["annotations"], Kind::Labels),
    (&["attach"], Kind::Bool),
    (&["blkio_config", "device_read_bps", "*", "rate"], Kind::Bytes),
    (&["blkio_config", "device_read_iops", "*", "rate"], Kind::Bytes),
    (&["blkio_config", "device_write_bps", "*", "rate"], Kind::Bytes),
    (&["blkio_config", "device_write_iops", "*", "rate"], Kind::Bytes),
    (&["blkio_config", "weight"], Kind::Natural),
    (&["blkio_config", "weight_device", "*", "weight"], Kind::Natural),
    (&["build", "additional_contexts"], Kind::Labels),
    (&["build", "args"], Kind::Variables),
    (&["build", "cache_from"], Kind::Strings),
    (&["build", "cache_to"], Kind::Strings),
    (&["build", "extra_hosts"], Kind::Hosts),
    (&["build", "labels"], Kind::Labels),
    (&["build", "no_cache"], Kind::Bool),
    (&["build", "no_cache_filter"], Kind::Strings),
    (&["build", "platforms"], Kind::Strings),
    (&["build", "privileged"], Kind::Bool),
    (&["build", "pull"], Kind::Bool),
    (&["build", "secrets", "*", "mode"], Kind::Mode),
    (&["build", "shm_size"], Kind::Bytes),
    (&["build", "tags"], Kind::Strings),
    (&["command"], Kind::Shell),
    (&["configs", "*", "mode"], Kind::Mode),
    (&["cpus"], Kind::Number),
    (&["deploy", "labels"], Kind::Labels),
    (&["deploy", "placement", "max_replicas_per_node"], Kind::Natural),
    (&["deploy", "resources", "limits", "cpus"], Kind::Number),
    (&["deploy", "resources", "limits", "memory"], Kind::Bytes),
    (&["deploy", "resources", "limits", "pids"], Kind::Int),
    (&["deploy", "resources", "reservations", "cpus"], Kind::Number),
    (&["deploy", "resources", "reservations", "devices", "*", "count"], Kind::Count),
    (&["deploy", "resources", "reservations", "devices", "*", "options"], Kind::Labels),
    (&["deploy", "resources", "reservations", "generic_resources", "*", "discrete_resource_spec", "value"], Kind::Int),
    (&["deploy", "resources", "reservations", "memory"], Kind::Bytes),
    (&["deploy", "restart_policy", "delay"], Kind::Duration),
    (&["deploy", "restart_policy", "max_attempts"], Kind::Natural),
    (&["deploy", "restart_policy", "window"], Kind::Duration),
    (&["deploy", "rollback_config", "delay"], Kind::Duration),
    (&["deploy", "rollback_config", "monitor"], Kind::Duration),
    (&["deploy", "rollback_config", "parallelism"], Kind::Natural),
    (&["deploy", "update_config", "delay"], Kind::Duration),
    (&["deploy", "update_config", "monitor"], Kind::Duration),
    (&["deploy", "update_config", "parallelism"], Kind::Natural),
    (&["dns"], Kind::Strings),
    (&["dns_search"], Kind::Strings),
    (&["entrypoint"], Kind::Shell),
    (&["env_file", "*", "required"], Kind::Bool),
    (&["environment"], Kind::Variables),
    (&["expose", "*"], Kind::Text),
    (&["extra_hosts"], Kind::Hosts),
    (&["gpus", "*", "count"], Kind::Count),
    (&["gpus", "*", "options"], Kind::Labels),
    (&["group_add", "*"], Kind::Text),
    (&["healthcheck", "interval"], Kind::Duration),
    (&["healthcheck", "retries"], Kind::Natural),
    (&["healthcheck", "start_interval"], Kind::Duration),
    (&["healthcheck", "start_period"], Kind::Duration),
    (&["healthcheck", "timeout"], Kind::Duration),
    (&["labels"], Kind::Labels),
    (&["logging", "options"], Kind::Labels),
    (&["mem_limit"], Kind::Bytes),
    (&["mem_reservation"], Kind::Bytes),
    (&["mem_swappiness"], Kind::Bytes),
    (&["memswap_limit"], Kind::Bytes),
    (&["networks", "*", "driver_opts"], Kind::Labels),
    (&["ports", "*", "published"], Kind::Text),
    (&["ports", "*", "target"], Kind::Natural),
    (&["post_start", "*", "command"], Kind::Shell),
    (&["post_start", "*", "environment"], Kind::Variables),
    (&["post_start", "*", "privileged"], Kind::Bool),
    (&["pre_start", "*", "command"], Kind::Shell),
    (&["pre_start", "*", "environment"], Kind::Variables),
    (&["pre_start", "*", "per_replica"], Kind::Bool),
    (&["pre_start", "*", "privileged"], Kind::Bool),
    (&["pre_stop", "*", "command"], Kind::Shell),
    (&["pre_stop", "*", "environment"], Kind::Variables),
    (&["pre_stop", "*", "privileged"], Kind::Bool),
    (&["provider", "options", "*"], Kind::Texts),
    (&["secrets", "*", "mode"], Kind::Mode),
    (&["shm_size"], Kind::Bytes),
    (&["stop_grace_period"], Kind::Duration),
    (&["storage_opt"], Kind::Labels),
    (&["sysctls"], Kind::Labels),
    (&["tmpfs"], Kind::Strings),
    (&["volumes", "*", "bind", "create_host_path"], Kind::Bool),
    (&["volumes", "*", "tmpfs", "mode"], Kind::Natural),
    (&["volumes", "*", "tmpfs", "size"], Kind::Bytes),
    (&["volumes", "*", "volume", "labels"], Kind::Labels),
];

/// Ways below the other resources.
const RESOURCE: &[(&[&str], Kind)] = &[(&["driver_opts"], Kind::Labels), (&["ipam", "options"], Kind::Labels), (&["labels"], Kind::Labels)];

/// Gives every value its one form.
pub fn check(root: &mut Node, problems: &mut Problems) {
    let Some(root) = root.map_mut() else { return };
    for (section, ways) in
        [("services", SERVICE), ("networks", RESOURCE), ("volumes", RESOURCE), ("secrets", RESOURCE), ("configs", RESOURCE)]
    {
        for (name, entry) in root.get_mut(section).and_then(|entry| entry.node.map_mut()).into_iter().flatten() {
            let path = format!("{section}.{name}");
            for (key, entry) in entry.node.map_mut().into_iter().flatten() {
                // The ways stand in the order of the alphabet.
                let from = ways.partition_point(|(way, _)| way[0] < key.as_str());
                for (way, kind) in ways[from..].iter().take_while(|(way, _)| way[0] == key) {
                    visit(&mut entry.node, &way[1..], &mut |node| convert(node, *kind, way, &path, problems));
                }
            }
        }
    }
}

fn visit(node: &mut Node, way: &[&str], change: &mut dyn FnMut(&mut Node)) {
    let Some((first, rest)) = way.split_first() else { return change(node) };
    match &mut node.value {
        Value::List(items) if *first == "*" => items.iter_mut().for_each(|item| visit(item, rest, change)),
        Value::Map(map) if *first == "*" => map.values_mut().for_each(|entry| visit(&mut entry.node, rest, change)),
        Value::Map(map) => {
            if let Some(entry) = map.get_mut(*first) {
                visit(&mut entry.node, rest, change);
            }
        }
        _ => {}
    }
}

fn convert(node: &mut Node, kind: Kind, way: &[&str], owner: &str, problems: &mut Problems) {
    let path = || format!("{owner}.{}", way.join("."));
    let text = node.str().map(str::to_owned);
    let mut refuse = |node: &mut Node, message: String, help: &str| {
        problems.refuse(&rules::wrong_value::RULE, node.origin, path(), message, help);
        node.value = Value::Wrong;
    };
    match (kind, text) {
        (Kind::Bytes, Some(text)) => match bytes(&text) {
            Some(bytes) => node.value = Value::Int(bytes),
            None => {
                let message = format!("`{}` is no size", shorten(&text));
                refuse(node, message, "write bytes, or a number with `k`, `m` or `g`, as in `512m`");
            }
        },
        (Kind::Duration, Some(text)) if duration(&text).is_none() => {
            let message = format!("`{}` is no duration", shorten(&text));
            refuse(node, message, "write a number with `ms`, `s`, `m` or `h`, as in `30s` or `1m30s`");
        }
        (Kind::Number, Some(text)) => match text.parse::<f64>() {
            Ok(number) => node.value = Value::Float(number),
            Err(_) => {
                let message = format!("`{}` is no number of processors", shorten(&text));
                refuse(node, message, "write a number, as in `0.5`");
            }
        },
        (Kind::Shell, Some(text)) => {
            if let Err(error) = words(&text) {
                refuse(node, format!("the command cannot be read: {error}"), "close the quote, or write the command as a list");
            }
        }
        (Kind::Count, Some(text)) => {
            if text.to_lowercase() == "all" {
                node.value = Value::Int(-1);
            } else if let Ok(count) = text.parse() {
                node.value = Value::Int(count);
            } else {
                let message = format!("`{}` is no number of devices", shorten(&text));
                refuse(node, message, "write `all` or a number");
            }
        }
        (Kind::Mode, Some(text)) => match i64::from_str_radix(&text, 8) {
            Ok(mode) => node.value = Value::Int(mode),
            Err(_) => {
                let message = format!("`{}` is no mode of a file", shorten(&text));
                refuse(node, message, "write it in octal, as in `\"0440\"`");
            }
        },
        (Kind::Bool, Some(text)) => match text.to_lowercase().as_str() {
            "true" | "y" | "yes" | "on" => node.value = Value::Bool(true),
            "false" | "n" | "no" | "off" => node.value = Value::Bool(false),
            _ => {
                let message = format!("`{}` is neither `true` nor `false`", shorten(&text));
                refuse(node, message, "write `true` or `false`");
            }
        },
        (Kind::Int, Some(text)) => match text.parse() {
            Ok(number) => node.value = Value::Int(number),
            Err(_) => {
                let message = format!("`{}` is no whole number", shorten(&text));
                refuse(node, message, "write a whole number");
            }
        },
        (Kind::Natural, Some(text)) => {
            let message = format!("`{}` is a text, and must be a number", shorten(&text));
            refuse(node, message, "write a number, without quotes");
        }
        (Kind::Natural, None) if node.int().is_some_and(|number| number < 0) => {
            let message = format!("{} is less than 0", node.int().unwrap_or(0));
            refuse(node, message, "write 0 or more");
        }
        (Kind::Text, None) => {
            if let Some(text) = node.scalar() {
                node.value = Value::String(text);
            }
        }
        (Kind::Texts, _) => {
            let items = if matches!(node.value, Value::List(_)) { node.items() } else { std::slice::from_ref(&*node) };
            let texts = items.iter().map(|item| Node::text(item.origin, item.scalar().unwrap_or_default())).collect();
            node.value = Value::List(texts);
        }
        (Kind::Strings, Some(text)) => node.value = Value::List(vec![Node::text(node.origin, text)]),
        (Kind::Variables | Kind::Labels, _) => {
            if let Err((origin, name)) = mapping(node, matches!(kind, Kind::Variables)) {
                let message = format!("the name of the variable `{}` ends in a space", shorten(name.trim_end()));
                problems.refuse(&rules::wrong_value::RULE, origin, path(), message, "remove the space before `=`");
            }
        }
        (Kind::Hosts, _) => {
            if let Some((origin, host)) = wrong_host(node) {
                let message = format!("the host `{}` has no address", shorten(&host));
                problems.refuse(&rules::wrong_value::RULE, origin, path(), message, "write `NAME=ADDRESS`");
            }
        }
        _ => {}
    }
}

/// Makes a mapping of `[A=b]` and of `{A: 1}`. Variables without a value have none, labels an empty one.
fn mapping(node: &mut Node, variables: bool) -> Result<(), (crate::source::Origin, String)> {
    let mut wrong = Ok(());
    match &mut node.value {
        Value::List(items) => {
            let mut map = Map::default();
            for item in std::mem::take(items) {
                let Some(text) = item.scalar() else { continue };
                let origin = item.origin;
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, Value::String(value.to_owned())),
                    None if variables => (text.as_str(), Value::Null),
                    None => (text.as_str(), Value::String(String::new())),
                };
                if variables && name.ends_with(char::is_whitespace) && wrong.is_ok() {
                    wrong = Err((origin, name.to_owned()));
                }
                map.insert(name.to_owned(), Entry { key: origin, node: Node::new(origin, value) });
            }
            node.value = Value::Map(map);
        }
        Value::Map(map) => {
            for entry in map.values_mut() {
                match entry.node.scalar() {
                    Some(text) => entry.node.value = Value::String(text),
                    None if entry.node.is_null() && !variables => entry.node.value = Value::String(String::new()),
                    None => {}
                }
            }
        }
        _ => {}
    }
    wrong
}

fn wrong_host(node: &Node) -> Option<(crate::source::Origin, String)> {
    let bad = |name: &str| name.is_empty() || name.contains([':', '=']);
    match &node.value {
        Value::List(items) => items.iter().find_map(|item| {
            let text = item.scalar()?;
            let host = text.split_once('=').or_else(|| text.split_once(':')).map(|(host, _)| host.to_owned());
            host.is_none_or(|host| bad(&host)).then_some((item.origin, text))
        }),
        Value::Map(map) => map.iter().find(|(name, _)| bad(name)).map(|(name, entry)| (entry.key, name.clone())),
        _ => None,
    }
}

/// A size in bytes: `1024`, `512m`, `1.5 GiB`.
#[must_use]
pub fn bytes(text: &str) -> Option<i64> {
    if let Ok(bytes) = text.parse() {
        return Some(bytes);
    }
    let end = text.rfind(|character: char| character.is_ascii_digit() || matches!(character, '.' | ' '))? + 1;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.strip_suffix(' ').unwrap_or(number).parse().ok()?;
    let unit = unit.to_lowercase();
    let factor = match unit.chars().next() {
        None => 1.0,
        Some('b') if unit.len() == 1 => 1.0,
        Some(first) => {
            if !matches!(&unit[first.len_utf8()..], "" | "b" | "ib") {
                return None;
            }
            let power = "kmgtp".find(first)?;
            1024_f64.powi(i32::try_from(power + 1).unwrap_or(1))
        }
    };
    let bytes = number * factor;
    #[expect(clippy::cast_possible_truncation, reason = "fractions of a byte are cut, as Compose does")]
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes as i64)
}

/// A duration: `1m30s`, `1.5h`, `2d`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    if body == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = body;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                "w" => 604_800.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    if body.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

/// The words of a command line, as Compose splits them: quotes and backslashes, and no shell.
pub fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut begun = false;
    let (mut single, mut double, mut escaped) = (false, false, false);
    for character in text.chars() {
        if escaped {
            word.push(character);
            (escaped, begun) = (false, true);
            continue;
        }
        match character {
            '\\' if single => word.push('\\'),
            '\\' => escaped = true,
            '\'' if !double => (single, begun) = (!single, true),
            '"' if !single => (double, begun) = (!double, true),
            ' ' | '\t' | '\r' | '\n' if !single && !double => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            // The splitter of Compose stops at what a shell would interpret.
            ';' | '&' | '|' | '<' | '>' if !single && !double => {
                if !(character == '>' && word.bytes().next().is_some_and(|first| first.is_ascii_digit())) || begun {
                    break_word(&mut words, &mut word, &mut begun);
                }
                return Ok(words);
            }
            _ => {
                word.push(character);
                begun = true;
            }
        }
    }
    break_word(&mut words, &mut word, &mut begun);
    if single || double || escaped { Err("a quote or a backslash has no end") } else { Ok(words) }
}

fn break_word(words: &mut Vec<String>, word: &mut String, begun: &mut bool) {
    if *begun {
        words.push(std::mem::take(word));
        *begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_stand_in_the_order_of_the_alphabet() {
        assert!(SERVICE.is_sorted_by_key(|(way, _)| way[0]) && RESOURCE.is_sorted_by_key(|(way, _)| way[0]));
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1024", Some(1024)),
            ("512m", Some(512 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("2kb", Some(2048)),
            ("10b", Some(10)),
            ("lots", None),
            ("2gigabyte", None),
            ("-1m", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [("1m30s", Some(90_000)), ("500ms", Some(500)), ("1.5h", Some(5_400_000)), ("2d", Some(172_800_000))] {
            assert_eq!(duration(text).map(|duration| duration.as_millis()), expected, "{text}");
        }
        for text in ["", "10", "1x", "s", "1.2.3s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn commands() {
        assert_eq!(words(r#"sh -c "a b" 'c d' e\ f """#).unwrap(), ["sh", "-c", "a b", "c d", "e f", ""]);
        assert!(words("a 'b").is_err());
    }
}
