//! `cbwgen` turns a short `topology.toml` into a deployment that was checked before it was written.
//!
//! One road, in reading order: [`source`] (text with positions) → [`spec`] (as written) → [`topology`] (as meant) → [`plan`]
//! (everything resolved) → [`lint`] ([`rules`] make [`finding`]s) → [`report`], or → [`render`]. Every step but the first and the
//! last is a pure function.
//!
//! What was deployed is looked at in [`live`] and proven in [`verify`]; [`run`] deploys without containers.

pub mod cli;
pub mod compose;
pub mod docs;
pub mod facts;
pub mod finding;
pub mod firewall;
pub mod fix;
pub mod graph;
pub mod import;
pub mod lint;
pub mod live;
pub mod lsp;
pub mod plan;
pub mod prepare;
pub mod presets;
pub mod render;
pub mod report;
pub mod rules;
pub mod run;
pub mod schema;
pub mod secret;
pub mod source;
pub mod spec;
pub mod topology;
pub mod verify;
pub mod write;
