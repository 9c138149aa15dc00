//! The JSON Schema of a topology, made of the types that read it.

/// Where the schema says that it is; a name, not an address to fetch.
const ID: &str = "topology.schema.json";

/// The schema as text, with a line break at its end.
#[must_use]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(crate::spec::Spec);
    schema.insert("$id".to_owned(), ID.into());
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
