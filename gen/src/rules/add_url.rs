//! `add-url`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;

rule! {
    /// A Dockerfile fetches a file with `ADD` and does not check it.
    ///
    /// ### What happens
    /// Whatever the server sends gets into the image. An archive is not unpacked, other than one of the context.
    ///
    /// ### What to do
    /// Name the digest: `ADD --checksum=sha256:… URL /path`.
    "add-url", Note, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles() {
        for add in built.dockerfile.instructions.iter().filter(|one| one.keyword == "ADD") {
            let is_checked = add.flags.iter().any(|(name, _)| name == "checksum");
            let Some(url) = add.words.iter().find(|word| word.text.starts_with("http://") || word.text.starts_with("https://")).filter(|_| !is_checked) else { continue };
            findings.push(
                RULE.finding(
                    Place::At(built.at(&url.range)),
                    "`ADD` takes a file from the network without checking it".to_owned(),
                    "whatever the server sends gets into the image".to_owned(),
                    "name its digest: `ADD --checksum=sha256:… URL /path`".to_owned(),
                )
                .about(about(built)),
            );
        }
    }
}
