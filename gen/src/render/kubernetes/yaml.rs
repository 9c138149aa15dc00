//! Manifests as YAML. Every text is quoted: Kubernetes reads YAML 1.1, which takes `on`, `1_000` and `012` for something else.

use serde_json::Value;

use crate::render::text;

/// Several documents in one file, each with a comment above it where it has one.
pub(super) fn documents<'v>(documents: impl IntoIterator<Item = (Option<&'v str>, &'v Value)>) -> String {
    let mut out = String::new();
    for (comment, document) in documents {
        out.push_str("---\n");
        if let Some(comment) = comment {
            out.push_str("# ");
            out.push_str(comment);
            out.push('\n');
        }
        entries(&mut out, document, 0, false);
    }
    out
}

/// One document.
pub(super) fn document(document: &Value) -> String {
    let mut out = String::new();
    entries(&mut out, document, 0, false);
    out
}

/// What is nothing is not said: keys whose value is null go away, at any depth.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        scalar => scalar,
    }
}

/// The lines of a mapping or a sequence. `inline`: the first one stands behind the dash of an item.
fn entries(out: &mut String, value: &Value, indent: usize, mut inline: bool) {
    let mut begin = |out: &mut String| {
        if !std::mem::take(&mut inline) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                begin(out);
                out.push_str(&text::key(key));
                out.push(':');
                if is_short(value) {
                    out.push(' ');
                    flow(out, value);
                    out.push('\n');
                } else {
                    out.push('\n');
                    entries(out, value, indent + 2, false);
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                begin(out);
                out.push_str("- ");
                entries(out, item, indent + 2, true);
            }
        }
        short => {
            begin(out);
            flow(out, short);
            out.push('\n');
        }
    }
}

/// Whether a value stands on the line of its key: a scalar, or a list of scalars.
fn is_short(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
        _ => true,
    }
}

fn flow(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => out.push_str(&text::json(text)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                flow(out, item);
            }
            out.push(']');
        }
        Value::Object(_) => out.push_str("{}"),
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifests_look_as_people_write_them() {
        let value = without_nulls(json!({
            "kind": "Pod",
            "metadata": { "labels": { "app.kubernetes.io/name": "on" }, "annotations": null },
            "spec": { "containers": [{ "name": "a", "args": ["-v", "1_000"], "env": [] }, { "name": "b" }], "selector": {} },
        }));
        let expected = r#"---
# a pod
kind: "Pod"
metadata:
  labels:
    app.kubernetes.io/name: "on"
spec:
  containers:
    - name: "a"
      args: ["-v", "1_000"]
      env: []
    - name: "b"
  selector: {}
"#;
        assert_eq!(documents([(Some("a pod"), &value)]), expected);
        assert_eq!(serde_yaml::from_str::<Value>(&document(&value)).unwrap(), value);
    }
}
