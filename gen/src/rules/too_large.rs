//! `too-large`

rule! {
    /// A file grows beyond what can be read.
    ///
    /// ### What happens
    /// Compose refuses the file, or takes all memory with it.
    ///
    /// ### What to do
    /// Split the project with `include`, and use fewer aliases.
    "too-large", Error, None
}
