//! Mistakes of the reader as findings.

use crate::finding::{Finding, Place, Severity, did_you_mean};
use crate::rules;
use crate::source::decode::{Located, Mistake, shorten};
use crate::source::toml::SyntaxError;

/// What people write when they know Compose, and how it is called here.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("environment", "env"),
    ("depends_on", "needs"),
    ("links", "needs"),
    ("scale", "replicas"),
    ("instances", "replicas"),
    ("timeout", "deadline"),
    ("expose", "ports"),
    ("cmd", "command"),
    ("mem_limit", "resources"),
    ("deploy", "resources"),
    ("host_port", "publish"),
    ("restart_policy", "restart"),
];

/// Keys that belong to one role only.
const ROLE_KEYS: &[(&str, &[&str])] = &[
    ("broker", &["frontend", "backend", "deadline", "retries", "queue"]),
    ("worker", &["service_time"]),
    ("client", &["requests", "outside"]),
    ("logger", &["port", "volume"]),
];

/// A text that is not TOML.
#[must_use]
pub fn syntax(error: SyntaxError) -> Finding {
    Finding::new(
        rules::syntax::RULE.name,
        Severity::Error,
        Place::Bytes(error.span),
        error.message,
        "nothing is checked or written: the file is not valid TOML".to_owned(),
        "correct the line; `https://toml.io` describes the format".to_owned(),
    )
}

/// A value or a key that the topology does not know.
#[must_use]
pub fn finding(located: Located) -> Finding {
    let Located { pointer, at_key, mistake } = located;
    let table = match pointer.as_slice() {
        [] | [_] => "the topology".to_owned(),
        [kind, _] if kind == "host" || kind == "defaults" || kind == "sla" => format!("`[{kind}]`"),
        [kind, name, ..] => format!("`[{kind}.{}]`", shorten(name)),
    };
    let (rule, message, consequence, help) = match mistake {
        Mistake::UnknownKey { key, known } => unknown_key(&key, known, &table, pointer.first().map(String::as_str)),
        Mistake::MissingKey(key) => (
            rules::missing_key::RULE.name,
            format!("the key `{key}` is missing"),
            format!("{table} cannot be deployed without it"),
            format!("add `{key} = …`"),
        ),
        Mistake::WrongType { found, wanted } => (
            rules::wrong_type::RULE.name,
            format!("{found} where {wanted} is wanted"),
            format!("{table} is refused: a value of another type would have to be guessed"),
            format!("write {wanted}"),
        ),
        Mistake::WrongValue(message) => (
            rules::wrong_value::RULE.name,
            message,
            format!("{table} is refused: nothing can be derived from this value"),
            "correct the value; `cbwgen schema` describes every key".to_owned(),
        ),
    };
    let place = if at_key { Place::Key(pointer) } else { Place::Value(pointer) };
    Finding::new(rule, Severity::Error, place, message, consequence, help)
}

fn unknown_key(key: &str, known: &[&str], table: &str, kind: Option<&str>) -> (&'static str, String, String, String) {
    let short = shorten(key);
    let other = OTHER_NAMES.iter().find(|(name, here)| *name == key && known.contains(here)).map(|(_, here)| *here);
    let owner = ROLE_KEYS.iter().find(|(role, keys)| Some(*role) != kind && keys.contains(&key)).map(|(role, _)| *role);
    let help = match (other.or_else(|| did_you_mean(key, known.iter().copied())), owner) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(role)) => format!("`{short}` is a key of `[{role}.NAME]`; remove it here"),
        (None, None) => {
            let known = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!("remove it; the keys here are {known}")
        }
    };
    (
        rules::unknown_key::RULE.name,
        format!("unknown key `{short}` in {table}"),
        "it would have no effect, so the file is refused".to_owned(),
        help,
    )
}
