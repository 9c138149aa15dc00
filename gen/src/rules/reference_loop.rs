//! `reference-loop`

rule! {
    /// Files include each other, or services extend each other, in a circle.
    ///
    /// ### What happens
    /// Reading would never end.
    ///
    /// ### What to do
    /// Remove one of the references.
    "reference-loop", Error, None
}
