//! TOML with positions: text to [`Node`]s.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::{Entry, Node, Value};

/// Something that is not TOML, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What the parser says, in lower case, on one line.
    pub message: String,
    /// The bytes that it speaks of.
    pub span: Range<usize>,
}

/// The most syntax errors that are told of one file: after the first few the rest are their echo.
const MAX_ERRORS: usize = 20;

/// Reads a document. The tree holds what could be understood; the errors say what could not.
#[must_use]
pub fn parse(text: &str) -> (Node, Vec<SyntaxError>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut errors: Vec<SyntaxError> = errors
        .into_iter()
        .map(|error| SyntaxError { message: error.message().lines().collect::<Vec<_>>().join("; "), span: error.span().unwrap_or(0..0) })
        .collect();
    errors.sort_by_key(|error| (error.span.start, error.span.end));
    errors.dedup();
    errors.truncate(MAX_ERRORS);
    let span = table.span();
    let mut number_errors = Vec::new();
    let root = Node { span, value: convert_table(table.into_inner(), &mut number_errors) };
    errors.extend(number_errors);
    (root, errors)
}

fn convert_table(table: DeTable<'_>, errors: &mut Vec<SyntaxError>) -> Value {
    let entries = table.into_iter().map(|(key, value)| {
        let entry = Entry { key: key.span(), node: convert(value, errors) };
        (key.into_inner().into_owned(), entry)
    });
    Value::Table(entries.collect())
}

fn convert(value: Spanned<DeValue<'_>>, errors: &mut Vec<SyntaxError>) -> Node {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or_else(
            |_| {
                errors.push(SyntaxError { message: "the number does not fit 64 bits".to_owned(), span: span.clone() });
                Value::Integer(0)
            },
            Value::Integer,
        ),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Array(items) => Value::Array(items.into_iter().map(|item| convert(item, errors)).collect()),
        DeValue::Table(table) => convert_table(table, errors),
    };
    Node { span, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::pointer;

    #[test]
    fn keys_and_values_keep_their_bytes() {
        let text = "name = \"x\"\n\n[broker.bro]\npublish = { frontend = 9998 }\n";
        let (root, errors) = parse(text);
        assert_eq!(errors, []);
        let key = |way: &[String]| &text[root.key_span(way)];
        let value = |way: &[String]| &text[root.value_span(way)];
        assert_eq!(key(&pointer(["broker", "bro"])), "bro");
        assert_eq!(value(&pointer(["broker", "bro"])), "[broker.bro]");
        assert_eq!(value(&pointer(["broker", "bro", "publish"])), "{ frontend = 9998 }");
        assert_eq!(key(&pointer(["broker", "bro", "publish", "frontend"])), "frontend");
        assert_eq!(value(&pointer(["broker", "bro", "publish", "frontend"])), "9998");
        assert_eq!(value(&pointer(["broker", "bro", "backend"])), "bro", "what is not there is shown at what holds it");
    }

    #[test]
    fn every_syntax_error_is_told() {
        let (_, errors) = parse("a = \nb = 1\nc = [1\n");
        assert!(errors.len() >= 2, "{errors:?}");
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        let (_, errors) = parse(&"[".repeat(1_000_000));
        assert!(!errors.is_empty());
        let (_, errors) = parse(&format!("a = {}", "[".repeat(1_000_000)));
        assert!(!errors.is_empty());
    }
}
