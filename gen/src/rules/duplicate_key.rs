//! `duplicate-key`

rule! {
    /// A mapping has a key twice.
    ///
    /// ### What happens
    /// YAML allows a key once. Where a tool accepts two, one of them is lost in silence.
    ///
    /// ### What to do
    /// Remove one of them, or rename it.
    "duplicate-key", Error, None
}
