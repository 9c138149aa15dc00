//! `wrong-type`

rule! {
    /// A value is of another type than the key wants.
    ///
    /// ### What happens
    /// The file is refused: `"4"` and `4` would be guesswork.
    ///
    /// ### What to do
    /// Write the value in the form that the message shows.
    "wrong-type", Error, None
}
