//! `conflicting-keys`

rule! {
    /// Two keys contradict each other.
    ///
    /// ### What happens
    /// The file says two things, and Compose chooses neither.
    ///
    /// ### What to do
    /// Keep one of them.
    "conflicting-keys", Error, None
}
