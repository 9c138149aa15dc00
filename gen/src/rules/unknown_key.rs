//! `unknown-key`

rule! {
    /// A table has a key that means nothing there.
    ///
    /// ### What happens
    /// The key would have no effect, and the deployment would quietly do something else than the file says. So the
    /// file is refused.
    ///
    /// ### What to do
    /// Correct the spelling, or remove the key. `cbwgen schema` lists all keys; an editor that knows the schema offers them.
    "unknown-key", Error, None
}
