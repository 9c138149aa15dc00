//! Stand-in.

use super::Project;

/// As a Compose file.
#[must_use]
pub fn yaml(project: &Project) -> String {
    format!("name: {}\n", project.name)
}

/// As JSON.
#[must_use]
pub fn json(project: &Project) -> String {
    format!("{{\"name\": \"{}\"}}\n", project.name)
}
