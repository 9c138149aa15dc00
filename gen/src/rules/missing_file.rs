//! `missing-file`

use crate::finding::Finding;
use crate::rules::Context;

rule! {
    /// A file that the deployment needs is not there.
    ///
    /// ### What happens
    /// The build of an image, or the start of the container that wants the file, ends with an error: after everything before
    /// it was built and started.
    ///
    /// ### What to do
    /// Create the file, or correct the path. Paths are relative to the topology.
    "missing-file", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for missing in context.missing_files {
        findings.push(RULE.finding(
            missing.place.clone(),
            format!("there is no `{}`, needed for {}", missing.path, missing.what_for),
            "the deployment stops there, half done".to_owned(),
            "create it, or correct the path: it is relative to the topology".to_owned(),
        ));
    }
}
