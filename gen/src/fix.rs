//! `--fix`: edits that findings propose, made in texts.
//!
//! An edit replaces bytes and nothing else, so comments and layout survive. Of two fixes that touch the same bytes the first
//! is made; the other one's finding is looked at again in the text that results.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::lint::Located;
use crate::source::Source;

/// What became of the texts.
#[derive(Debug, Default)]
pub struct Fixed {
    /// New texts, by the index of their file.
    pub texts: BTreeMap<usize, String>,
    /// What was done in which file, in the order of the findings.
    pub done: Vec<(usize, String)>,
}

/// Makes the fixes of findings. `may` tells which files may be changed: a fix is made as a whole or not at all.
#[must_use]
pub fn apply(sources: &[Source], findings: &[Located], may: impl Fn(usize) -> bool) -> Fixed {
    let mut fixed = Fixed::default();
    let mut edits: BTreeMap<usize, Vec<(Range<usize>, &str)>> = BTreeMap::new();
    for located in findings {
        let Some(fix) = &located.finding.fix else { continue };
        let fits = |(origin, text): &(crate::source::Origin, String)| {
            let (file, range) = (origin.file as usize, origin.range());
            let source = sources.get(file).filter(|_| may(file));
            let old = source.and_then(|source| source.text.get(range.clone()));
            let free = |made: &(Range<usize>, &str)| range.end < made.0.start || made.0.end < range.start;
            old.is_some_and(|old| old != text) && edits.get(&file).is_none_or(|made| made.iter().all(free))
        };
        if fix.edits.is_empty() || !fix.edits.iter().all(fits) {
            continue;
        }
        for (origin, text) in &fix.edits {
            edits.entry(origin.file as usize).or_default().push((origin.range(), text));
        }
        fixed.done.push((located.file, fix.title.clone()));
    }
    for (file, mut edits) in edits {
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let old = &sources[file].text;
        let mut text = String::with_capacity(old.len());
        let mut at = 0;
        for (range, new) in edits {
            // Edits of one fix that overlap are a mistake of its rule: the first is made.
            if range.start >= at {
                text.push_str(&old[at..range.start]);
                text.push_str(new);
                at = range.end;
            }
        }
        text.push_str(&old[at..]);
        fixed.texts.insert(file, text);
    }
    fixed
}

/// Replaces a file's text: the new one is written beside it and renamed, so that it is whole at any moment. Its permissions stay;
/// a link stays a link. Nothing is written when the file is no longer what was looked at.
pub fn write(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let path: PathBuf = path.canonicalize()?;
    if std::fs::read(&path)? != old.as_bytes() {
        return Err(io::Error::other("it was changed in the meantime"));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".cbwgen-").suffix(".tmp").tempfile_in(folder)?;
    temporary.write_all(new.as_bytes())?;
    temporary.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, Fix, Place, Severity};
    use crate::lint::locate;
    use crate::source::Origin;

    fn found(source: &[Source], title: &str, edits: &[(u32, u32, &str)]) -> Located {
        let mut finding = Finding::new("rule", Severity::Note, Place::Bytes(0..0), title.into(), String::new(), String::new());
        let edits = edits.iter().map(|(start, end, text)| (Origin { file: 0, start: *start, end: *end }, (*text).to_owned()));
        finding.fix = Some(Fix { title: title.to_owned(), edits: edits.collect() });
        locate(finding, source, None)
    }

    #[test]
    fn a_fix_is_made_as_a_whole_or_not_at_all() {
        let sources = [Source::new("a", "one two three # why\n")];
        let findings = [
            found(&sources, "a", &[(0, 3, "1"), (8, 13, "3")]),
            found(&sources, "a again", &[(0, 3, "1"), (8, 13, "3")]),
            found(&sources, "b", &[(4, 7, "2"), (12, 13, "x")]),
            found(&sources, "past the end", &[(90, 91, "")]),
        ];
        let fixed = apply(&sources, &findings, |_| true);
        assert_eq!(fixed.texts[&0], "1 two 3 # why\n");
        assert_eq!(fixed.done, [(0, "a".to_owned())]);
        assert!(apply(&sources, &findings, |_| false).texts.is_empty());
    }

    #[test]
    fn a_file_that_changed_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "other").unwrap();
        assert!(write(&path, "old", "new").is_err());
        assert!(write(&path, "other", "new").is_ok());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
