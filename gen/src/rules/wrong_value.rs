//! `wrong-value`

rule! {
    /// A value has the right type but means nothing, or contradicts another one.
    ///
    /// ### What happens
    /// The file is refused: `"2 seconds"` is no duration, 70000 is no port, and a component with `image` and `build` has
    /// two images.
    ///
    /// ### What to do
    /// Write the value in the form that the message shows.
    "wrong-value", Error, None
}
