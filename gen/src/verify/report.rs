//! The outcome of the checks, one file a form.

pub mod json;
pub mod junit;
pub mod text;

/// The form of the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people
    Text,
    /// A versioned document
    Json,
    /// A test suite for CI
    Junit,
}
