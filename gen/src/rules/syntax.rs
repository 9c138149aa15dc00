//! `syntax`

rule! {
    /// The file is not valid TOML.
    ///
    /// ### What happens
    /// Nothing is checked or written: it cannot be known what the file says.
    ///
    /// ### What to do
    /// Correct the line that is shown. Every syntax error of the file is told in one run; the first is the one to trust.
    "syntax", Error, None
}
