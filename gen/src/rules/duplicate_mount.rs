//! `duplicate-mount`

rule! {
    /// Two things are mounted on one path of a container.
    ///
    /// ### What happens
    /// One would hide the other.
    ///
    /// ### What to do
    /// Mount one of them elsewhere.
    "duplicate-mount", Error, None
}
