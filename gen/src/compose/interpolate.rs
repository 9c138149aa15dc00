//! Puts variables into a document, and makes numbers and truth values of texts where Compose does.

use std::collections::HashMap;

use super::Variable;
use super::path::Path;
use super::problem::Problems;
use super::template::{self, Mistake};
use super::tree::{Node, Value};
use crate::finding::did_you_mean;
use crate::rules;

/// Variables by name.
pub type Environment = HashMap<String, String>;

/// The most bytes that variables may add to a document: a long one may be used often.
const MOST_FILLED_IN: usize = 16 * 1024 * 1024;

/// Resolves a whole document in place; notes each use of a variable.
pub fn interpolate(root: &mut Node, environment: &Environment, variables: &mut Vec<Variable>, problems: &mut Problems) {
    let mut room = Some(MOST_FILLED_IN);
    for_each_text(root, &Path::ROOT, &mut |node, path| {
        let Value::String(text) = &node.value else { return };
        let origin = node.origin;
        let mut resolved = Ok(None);
        if text.contains('$') {
            let was_room = room.is_some();
            let mut lookup = |name: &str, has_operator: bool| {
                let value = environment.get(name);
                room = room.and_then(|room| room.checked_sub(value.map_or(0, String::len)));
                let value = value.filter(|_| room.is_some()).cloned();
                let path = path.to_string();
                variables.push(Variable { name: name.to_owned(), value: value.clone(), has_operator, origin, path });
                value
            };
            resolved = template::substitute(text, &mut lookup).map(Some);
            if room.is_none() {
                if was_room {
                    let message = "the values of its variables make the file larger than can be held".to_owned();
                    problems.refuse(&rules::too_large::RULE, origin, path, message, "write long texts into files of their own");
                }
                node.value = Value::Wrong;
                return;
            }
        }
        let text = match resolved {
            Ok(None) => None,
            Ok(Some(text)) => Some(text),
            Err(mistake) => {
                refuse(node, path, mistake, environment, problems);
                node.value = Value::Wrong;
                return;
            }
        };
        let cast = cast(path);
        if let (Some(cast), Value::String(written)) = (cast, &node.value) {
            let text = text.as_deref().unwrap_or(written);
            match cast.apply(text) {
                Some(value) => node.value = value,
                None => {
                    let shown = crate::source::decode::shorten(text).clone();
                    let what = if shown.is_empty() { "is empty".to_owned() } else { format!("is `{shown}`") };
                    let help = if shown.is_empty() {
                        "set the variable, or write `${NAME:-default}`".to_owned()
                    } else {
                        format!("write {}", cast.wanted())
                    };
                    problems.refuse(
                        &rules::wrong_type::RULE,
                        origin,
                        path,
                        format!("`{path}` {what}, and must be {}", cast.wanted()),
                        help,
                    );
                    node.value = Value::Wrong;
                }
            }
        } else if let Some(text) = text {
            node.value = Value::String(text);
        }
    });
}

fn refuse(node: &Node, path: &Path<'_>, mistake: Mistake, environment: &Environment, problems: &mut Problems) {
    match mistake {
        Mistake::Invalid => {
            problems.refuse(
                &rules::invalid_variable::RULE,
                node.origin,
                path,
                format!("`{path}` has a `$` that begins no variable"),
                "write `${NAME}`, or `$$` for a dollar sign",
            );
        }
        Mistake::Required { name, reason } => {
            let near = did_you_mean(&name, environment.keys().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
            let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            problems.refuse(
                &rules::invalid_variable::RULE,
                node.origin,
                path,
                format!("the variable `{name}` is required and has no value{said}"),
                format!("set it in `.env` or in the environment: `{name}=…`{}", near.unwrap_or_default()),
            );
        }
    }
}

fn for_each_text(node: &mut Node, path: &Path<'_>, change: &mut dyn FnMut(&mut Node, &Path<'_>)) {
    match &mut node.value {
        Value::String(_) => change(node, path),
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                for_each_text(item, &path.index(index), change);
            }
        }
        Value::Map(map) => {
            for (key, entry) in map.iter_mut() {
                for_each_text(&mut entry.node, &path.key(key), change);
            }
        }
        _ => {}
    }
}

#[derive(Debug, Clone, Copy)]
enum Cast {
    Int,
    Float,
    Bool,
}

impl Cast {
    fn apply(self, text: &str) -> Option<Value> {
        match self {
            Self::Int => text.parse().ok().map(Value::Int),
            Self::Float => text.parse().ok().map(Value::Float),
            Self::Bool => match text.to_lowercase().as_str() {
                "true" | "y" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "n" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "`true` or `false`",
        }
    }
}

fn cast(path: &Path<'_>) -> Option<Cast> {
    let last = path.last();
    match path.depth() {
        3 if path.is(&["services", "*", "*"]) => match last {
            "cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime" | "cpu_shares" | "oom_score_adj"
            | "pids_limit" | "scale" => Some(Cast::Int),
            "cpu_percent" | "cpus" => Some(Cast::Float),
            "init" | "oom_kill_disable" | "privileged" | "read_only" | "stdin_open" | "tty" => Some(Cast::Bool),
            _ => None,
        },
        3 => match last {
            "external" if ["networks", "volumes", "secrets", "configs"].iter().any(|kind| path.is(&[kind, "*", "*"])) => Some(Cast::Bool),
            "internal" | "attachable" | "enable_ipv4" | "enable_ipv6" if path.is(&["networks", "*", "*"]) => Some(Cast::Bool),
            _ => None,
        },
        4 if path.is(&["services", "*", "*", "*"]) => {
            let of = |key: &str| path.is(&["services", "*", key, "*"]);
            match last {
                "replicas" if of("deploy") => Some(Cast::Int),
                "retries" if of("healthcheck") => Some(Cast::Int),
                "disable" if of("healthcheck") => Some(Cast::Bool),
                _ if of("ulimits") => Some(Cast::Int),
                _ => None,
            }
        }
        5 if path.is(&["services", "*", "*", "*", "*"]) => {
            let of = |outer: &str, inner: &str| path.is(&["services", "*", outer, inner, "*"]);
            match last {
                "required" | "restart" if of("depends_on", "*") => Some(Cast::Bool),
                "parallelism" if of("deploy", "update_config") || of("deploy", "rollback_config") => Some(Cast::Int),
                "max_failure_ratio" if of("deploy", "update_config") || of("deploy", "rollback_config") => Some(Cast::Float),
                "max_attempts" if of("deploy", "restart_policy") => Some(Cast::Int),
                "max_replicas_per_node" if of("deploy", "placement") => Some(Cast::Int),
                "target" if of("ports", "*") => Some(Cast::Int),
                "hard" | "soft" if of("ulimits", "*") => Some(Cast::Int),
                "read_only" if of("volumes", "*") => Some(Cast::Bool),
                _ => None,
            }
        }
        6 if path.is(&["services", "*", "volumes", "*", "volume", "nocopy"]) => Some(Cast::Bool),
        _ => None,
    }
}
