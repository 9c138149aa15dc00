//! What a finding is known by from one run to the next, when the lines above it have changed.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::name;
use crate::lint::Located;
use crate::secret::conceal;
use crate::source::Source;

/// A fingerprint for each finding, no two the same: made of file, rule, object and the text of the line.
pub(super) fn fingerprints(sources: &[Source], findings: &[Located]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let of = |located: &Located| {
        let line = sources.get(located.file).map_or("", |source| &source.text[source.line_range(located.start.line)]);
        let mut hash = Sha256::new();
        let parts = [name(sources, located.file), located.finding.rule, &located.finding.path, &conceal(line.trim())];
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut text = String::new();
        for byte in hash.finalize().iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
        let number = seen.entry(text.clone()).or_default();
        *number += 1;
        if *number > 1 {
            let _ = write!(text, "-{number}");
        }
        text
    };
    findings.iter().map(of).collect()
}
