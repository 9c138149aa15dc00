//! The rendered file, held against the Compose specification's own schema.

use std::collections::HashSet;

use serde_json::Value;

use crate::compose::schema;

/// The most problems that are told.
const MAX_PROBLEMS: usize = 5;

/// What the schema says against a document, each with its place.
pub(super) fn check(document: &Value) -> Vec<String> {
    let mut keys = HashSet::new();
    schema::collect_keys(document, &mut keys);
    match schema::validator(&keys) {
        Ok(validator) if validator.is_valid(document) => Vec::new(),
        Ok(validator) => validator.iter_errors(document).take(MAX_PROBLEMS).map(|e| format!("{}: {e}", e.instance_path())).collect(),
        Err(error) => vec![format!("the schema of Compose files cannot be read: {error}")],
    }
}
