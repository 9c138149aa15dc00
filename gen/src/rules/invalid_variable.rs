//! `invalid-variable`

rule! {
    /// A variable cannot be put in: its `$` is malformed, or it is required and has no value.
    ///
    /// ### What happens
    /// Nothing is started: Compose cannot tell what the text means.
    ///
    /// ### What to do
    /// Write `${NAME}`, or `$$` for a dollar sign; set required variables in `.env` or in the environment.
    "invalid-variable", Error, None
}
