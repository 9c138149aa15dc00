//! `no-image`

rule! {
    /// A service has neither an image nor a build.
    ///
    /// ### What happens
    /// There is nothing that could be started.
    ///
    /// ### What to do
    /// Add `image:` or `build:`.
    "no-image", Error, None
}
