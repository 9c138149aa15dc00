//! The schema's errors as findings: the most telling one of each, at its place, with what could have been meant.

use std::collections::HashSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Map, Number, Value as Json};

use super::problem::Problems;
use super::schema;
use super::tree::{Node, Value};
use crate::finding::did_you_mean;
use crate::rules;
use crate::source::Origin;
use crate::source::decode::shorten;

/// Holds a merged document against the schema. What is wrong becomes [`Value::Wrong`].
pub fn validate(root: &mut Node, problems: &mut Problems) {
    let mut keys = HashSet::new();
    collect_keys(root, &mut keys);
    let validator = match schema::validator(&keys) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema of Compose files cannot be read: {error}");
            problems.refuse(&rules::syntax::RULE, root.origin, "", message, "report this as a bug");
            return;
        }
    };
    let mut wrong = Vec::new();
    // The services one by one: a large project need not be held twice.
    let services = match root.get("services").map(|node| &node.value) {
        Some(Value::Map(services)) => Some(services),
        _ => None,
    };
    let mut rest = Map::new();
    for (key, entry) in root.entries() {
        if key == "services" && services.is_some() {
            rest.insert(key.to_owned(), Json::Object(Map::new()));
        } else if let Some(value) = json(&entry.node) {
            rest.insert(key.to_owned(), value);
        }
    }
    check(&validator, &Json::Object(rest), root, problems, &mut wrong);
    for (name, entry) in services.into_iter().flatten() {
        let Some(value) = json(&entry.node) else { continue };
        let service = Json::Object(Map::from_iter([(name.clone(), value)]));
        check(&validator, &Json::Object(Map::from_iter([("services".to_owned(), service)])), root, problems, &mut wrong);
    }
    for way in wrong {
        if let Some(node) = root.at_mut(&way) {
            node.value = Value::Wrong;
        }
    }
}

fn collect_keys<'n>(node: &'n Node, keys: &mut HashSet<&'n str>) {
    match &node.value {
        Value::Map(map) => {
            for (key, entry) in map {
                keys.insert(key);
                collect_keys(&entry.node, keys);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

/// A tree as JSON, without what is wrong already.
fn json(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Number((*value).into()),
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::String(value) => Json::String(value.clone()),
        // Items keep their numbers: what is wrong is told once, and not again as something else.
        Value::List(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(map) => Json::Object(map.iter().filter_map(|(key, entry)| Some((key.clone(), json(&entry.node)?))).collect()),
        Value::Wrong => return None,
    })
}

fn check(validator: &Validator, document: &Json, root: &Node, problems: &mut Problems, wrong: &mut Vec<Vec<String>>) {
    if validator.is_valid(document) {
        return;
    }
    let mut told: HashSet<Vec<String>> = HashSet::new();
    let errors: Vec<ValidationError<'_>> = validator.iter_errors(document).collect();
    for error in &errors {
        for way in tell(error, root, problems, &mut told) {
            wrong.push(way);
        }
    }
}

fn way(error: &ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().as_str();
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

fn depth(error: &ValidationError<'_>) -> usize {
    let length = error.instance_path().as_str().matches('/').count();
    let extra =
        matches!(error.kind(), ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::UnevaluatedProperties { .. });
    2 * length + usize::from(extra)
}

/// The most telling errors below one: those that are deepest in the document.
fn deepest<'e>(error: &'e ValidationError<'_>) -> Vec<&'e ValidationError<'e>> {
    let (ValidationErrorKind::AnyOf { context }
    | ValidationErrorKind::OneOfNotValid { context }
    | ValidationErrorKind::OneOfMultipleValid { context }) = error.kind()
    else {
        return vec![error];
    };
    let all: Vec<_> = context.iter().flatten().flat_map(deepest).collect();
    match all.iter().map(|error| depth(error)).max() {
        None => vec![error],
        Some(most) => all.into_iter().filter(|error| depth(error) == most).collect(),
    }
}

/// Tells an error; the ways to what is wrong.
fn tell(error: &ValidationError<'_>, root: &Node, problems: &mut Problems, told: &mut HashSet<Vec<String>>) -> Vec<Vec<String>> {
    let errors = deepest(error);
    let Some(first) = errors.first() else { return Vec::new() };
    let place = way(first);
    // Several branches fail at one place: what they want together.
    let types: Vec<&str> = errors.iter().flat_map(|error| wanted(error)).collect();
    let node = at(root, &place);
    let shown = place.join(".");
    if types.len() > 1 || matches!(first.kind(), ValidationErrorKind::Type { .. }) {
        if !told.insert(place.clone()) {
            return Vec::new();
        }
        let mut types = types;
        types.sort_unstable();
        types.dedup();
        let wanted = either(&types);
        let (kind, value) = node.map_or(("value", None), |node| (node.kind(), node.scalar()));
        let value = value.map_or(String::new(), |value| format!(" (`{}`)", shorten(&value)));
        let lasts = matches!(
            place.last().map(String::as_str),
            Some("interval" | "timeout" | "start_period" | "start_interval" | "stop_grace_period" | "delay" | "monitor" | "window")
        );
        let help = match (types.as_slice(), node.and_then(Node::scalar)) {
            (_, Some(value)) if lasts => format!("write a duration: `{}s`", shorten(&value)),
            (types, Some(value)) if types.contains(&"string") && node.is_some_and(|node| node.str().is_none()) => {
                format!("write it in quotes: `\"{}\"`", shorten(&value))
            }
            (types, Some(value)) if types.contains(&"list") => format!("write `[{}]`", shorten(&value)),
            _ => format!("write {}", a(&wanted)),
        };
        let origin = origin(root, &place);
        let name = if shown.is_empty() { "the file".to_owned() } else { format!("`{shown}`") };
        problems.refuse(
            &rules::wrong_type::RULE,
            origin,
            &shown,
            format!("{name} is {}{value}, and must be {}", a(kind), a(&wanted)),
            help,
        );
        return vec![place];
    }
    let mut wrong = Vec::new();
    for error in errors {
        let place = way(error);
        if let ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } =
            error.kind()
        {
            // What is wrong below a known key makes the schema forget that it knows the key.
            let known = known_keys(schema::whole(), &place);
            for key in unexpected.iter().filter(|key| !known.contains(*key)) {
                let mut whole = place.clone();
                whole.push(key.clone());
                if told.insert(whole.clone()) {
                    unknown_key(root, &place, key, problems);
                    wrong.push(whole);
                }
            }
            continue;
        }
        if let ValidationErrorKind::FalseSchema = error.kind() {
            let unknown = |(key, parent): &(&String, &[String])| !known_keys(schema::whole(), parent).contains(*key);
            if let Some((key, parent)) = place.split_last().filter(unknown).filter(|_| told.insert(place.clone())) {
                unknown_key(root, parent, key, problems);
                wrong.push(place.clone());
            }
            continue;
        }
        if !told.insert(place.clone()) {
            continue;
        }
        other(error, &place, root, problems);
        wrong.push(place);
        break;
    }
    wrong
}

fn other(error: &ValidationError<'_>, place: &[String], root: &Node, problems: &mut Problems) {
    let shown = place.join(".");
    let origin = origin(root, place);
    let value = at(root, place).and_then(Node::scalar).unwrap_or_default();
    let value = shorten(&value).clone();
    let (rule, message, help) = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            (&rules::missing_key::RULE, format!("`{shown}` has no `{key}`"), format!("add `{key}: …`"))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let near = did_you_mean(&value, options.iter().copied());
            let help = near.map_or_else(|| format!("write {}", alternatives(&options)), |near| format!("did you mean `{near}`?"));
            (&rules::wrong_value::RULE, format!("`{shown}` is `{value}`, and must be {}", alternatives(&options)), help)
        }
        ValidationErrorKind::Pattern { pattern } => {
            let options: Vec<&str> =
                pattern.trim_start_matches("^(").trim_end_matches(")$").split('|').filter(|word| !word.contains(['(', '['])).collect();
            let near = did_you_mean(&value, options.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| format!("write a text of the form `{pattern}`"));
            (&rules::wrong_value::RULE, format!("`{shown}` is `{value}`, which does not have the form `{pattern}`"), help)
        }
        ValidationErrorKind::Minimum { limit } => {
            (&rules::wrong_value::RULE, format!("`{shown}` is {value}, and must be {limit} or more"), format!("write {limit} or more"))
        }
        ValidationErrorKind::Maximum { limit } => {
            (&rules::wrong_value::RULE, format!("`{shown}` is {value}, and must be {limit} or less"), format!("write {limit} or less"))
        }
        ValidationErrorKind::UniqueItems => {
            (&rules::wrong_value::RULE, format!("`{shown}` has an item twice"), "remove one of them".to_owned())
        }
        _ => {
            let mut text = error.to_string();
            if text.len() > 200 {
                text = format!("`{shown}` is not what the Compose specification allows");
            }
            (&rules::wrong_value::RULE, text.replace('"', "`"), "see the Compose file reference".to_owned())
        }
    };
    problems.refuse(rule, origin, shown, message, help);
}

fn unknown_key(root: &Node, parent: &[String], key: &str, problems: &mut Problems) {
    let mut whole = parent.to_vec();
    whole.push(key.to_owned());
    let owner = if parent.is_empty() { "a Compose file".to_owned() } else { format!("`{}`", parent.join(".")) };
    let origin = at(root, parent).map_or(root.origin, |node| node.key(key));
    let schema = schema::whole();
    let known = known_keys(schema, parent);
    if parent == ["services"] {
        problems.refuse(
            &rules::wrong_value::RULE,
            origin,
            whole.join("."),
            format!("`{key}` is no name of a service"),
            "use letters, digits, `.`, `_` and `-`",
        );
        return;
    }
    let service_key = parent.is_empty() && known_keys(schema, &["services".to_owned(), "x".to_owned()]).contains(key);
    let help = match did_you_mean(key, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if service_key => format!("`{key}` belongs to a service: put it below `services:` and a name"),
        None if parent.is_empty() => "services stand below `services:`; a name that begins with `x-` is your own".to_owned(),
        None => "remove it; a name that begins with `x-` is your own".to_owned(),
    };
    problems.refuse(&rules::unknown_key::RULE, origin, whole.join("."), format!("{owner} has no key `{}`", shorten(key)), help);
}

/// All keys that the schema knows at a place, in the order of the alphabet.
fn known_keys(schema: &Json, place: &[String]) -> std::collections::BTreeSet<String> {
    let mut here = vec![schema];
    for step in place {
        here = flatten(schema, here).into_iter().flat_map(|schema| below(schema, step)).collect();
    }
    let properties = flatten(schema, here).into_iter().filter_map(|schema| schema["properties"].as_object());
    properties.flat_map(Map::keys).cloned().collect()
}

/// A schema with those that it is made of.
fn flatten<'s>(root: &'s Json, mut open: Vec<&'s Json>) -> Vec<&'s Json> {
    let mut all = Vec::new();
    while let Some(schema) = open.pop() {
        if all.len() > 1000 {
            break;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            open.push(&root["$defs"][name]);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            open.extend(schema[key].as_array().into_iter().flatten());
        }
        all.push(schema);
    }
    all
}

fn below<'s>(schema: &'s Json, step: &str) -> Vec<&'s Json> {
    if let Some(property) = schema["properties"].get(step) {
        return vec![property];
    }
    let mut found: Vec<&Json> = schema["patternProperties"].as_object().into_iter().flatten().map(|(_, schema)| schema).collect();
    found.extend([&schema["additionalProperties"], &schema["items"]].into_iter().filter(|schema| schema.is_object()));
    found
}

fn at<'n>(root: &'n Node, place: &[String]) -> Option<&'n Node> {
    let steps: Vec<&str> = place.iter().map(String::as_str).collect();
    root.at(&steps)
}

/// The bytes of a value; those of its key where the value is a whole block.
fn origin(root: &Node, place: &[String]) -> Origin {
    let value = at(root, place);
    let key = || {
        let (last, parent) = place.split_last()?;
        at(root, parent)?.map()?.get(last).map(|entry| entry.key)
    };
    match value.map(|node| &node.value) {
        Some(Value::Map(_) | Value::Null) | None => key().or(value.map(|node| node.origin)).unwrap_or(root.origin),
        Some(_) => value.map_or(root.origin, |node| node.origin),
    }
}

/// What an error wants for a type, in the words of YAML.
fn wanted(error: &ValidationError<'_>) -> Vec<&'static str> {
    let name = |kind: JsonType| match kind {
        JsonType::Array => "list",
        JsonType::Boolean => "boolean",
        JsonType::Integer => "integer",
        JsonType::Null => "null",
        JsonType::Number => "number",
        JsonType::Object => "mapping",
        JsonType::String => "string",
    };
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => vec![name(*kind)],
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => kinds.iter().map(name).collect(),
        _ => Vec::new(),
    }
}

/// With its article.
pub(super) fn a(kind: &str) -> String {
    match kind {
        _ if kind.starts_with("null") => kind.to_owned(),
        _ if kind.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

/// `string`, `list or mapping`.
fn either(types: &[&str]) -> String {
    match types.split_last() {
        None => "value".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

fn alternatives(options: &[&str]) -> String {
    let options: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
    match options.split_last() {
        None => "something else".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
