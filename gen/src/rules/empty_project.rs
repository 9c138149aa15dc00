//! `empty-project`

rule! {
    /// A Compose project says nothing.
    ///
    /// ### What happens
    /// There is nothing to start.
    ///
    /// ### What to do
    /// Add `services:`.
    "empty-project", Error, None
}
