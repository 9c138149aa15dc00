//! `missing-key`

rule! {
    /// A table lacks a key that it cannot do without.
    ///
    /// ### What happens
    /// The file is refused: there is no value that could be guessed.
    ///
    /// ### What to do
    /// Add the key.
    "missing-key", Error, None
}
