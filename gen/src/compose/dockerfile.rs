//! Dockerfiles: instructions with their bytes, stages, and what an image of them would be.
//!
//! The reader is total: whatever it does not understand it leaves out, and says nothing. Docker's own builder says what is not a
//! Dockerfile; the rules judge what it would build.

mod image;

use std::ops::Range;

pub use image::{Image, substitute, variables};

/// A Dockerfile.
#[derive(Debug, Default)]
pub struct Dockerfile {
    /// All instructions in the order of the file.
    pub instructions: Vec<Instruction>,
    /// What each `FROM` begins.
    pub stages: Vec<Stage>,
}

/// One instruction.
#[derive(Debug)]
pub struct Instruction {
    /// In capitals: `COPY`.
    pub keyword: String,
    /// The whole of it, without the line break.
    pub range: Range<usize>,
    /// `--from=build` as `("from", "build")`.
    pub flags: Vec<(String, Word)>,
    /// What follows, as words: quotes and escapes are taken away.
    pub words: Vec<Word>,
    /// What follows, in one piece: continuation lines are joined.
    pub text: String,
    /// Whether it is a JSON array: no shell comes in between.
    pub is_exec: bool,
    /// Whether texts follow in the file itself (`<<EOF`).
    pub has_heredoc: bool,
    /// The index of its stage; `None` before the first `FROM`.
    pub stage: Option<usize>,
}

/// A word and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without quotes.
    pub text: String,
    /// Where it stands.
    pub range: Range<usize>,
}

/// What a `FROM` begins.
#[derive(Debug)]
pub struct Stage {
    /// `AS name`, in small letters.
    pub name: Option<String>,
    /// The image or the stage that it begins with, as written.
    pub base: Word,
    /// The index of the stage that it begins with.
    pub parent: Option<usize>,
    /// The index of its `FROM` among the instructions.
    pub from: usize,
}

/// A program and its arguments.
#[derive(Debug, Clone)]
pub struct Command {
    /// The words; for the shell form the words of its text.
    pub words: Vec<Word>,
    /// The text of the shell form.
    pub text: String,
    /// Whether no shell comes in between.
    pub is_exec: bool,
    /// The instruction.
    pub range: Range<usize>,
}

impl Dockerfile {
    /// Reads a text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut lines = Lines::new(text);
        while let Some(line) = lines.next_logical() {
            file.add(&line, &mut lines);
        }
        file
    }

    fn add(&mut self, line: &Logical, lines: &mut Lines<'_>) {
        let escape = lines.escape;
        let keyword_end = line.text.find(char::is_whitespace).unwrap_or(line.text.len());
        let keyword = line.text[..keyword_end].to_ascii_uppercase();
        let mut at = keyword_end;
        let mut flags = Vec::new();
        if matches!(keyword.as_str(), "FROM" | "COPY" | "ADD" | "RUN" | "HEALTHCHECK") {
            while let Some(word) = next_word(line, &mut at, escape, true) {
                let (name, value) = word.text[2..].split_once('=').unwrap_or((&word.text[2..], ""));
                flags.push((name.to_owned(), Word { text: value.to_owned(), range: word.range.clone() }));
            }
        }
        let rest = line.text[at..].trim();
        let start = at + (line.text[at..].len() - line.text[at..].trim_start().len());
        let exec = matches!(keyword.as_str(), "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" | "COPY" | "ADD" | "VOLUME")
            .then(|| json_words(line, start))
            .flatten();
        let is_exec = exec.is_some();
        let words = exec.unwrap_or_else(|| {
            let mut at = start;
            std::iter::from_fn(|| next_word(line, &mut at, escape, false)).collect()
        });
        let names = if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") { heredocs(rest) } else { Vec::new() };
        let mut range = line.range();
        for (name, strip) in &names {
            lines.skip_heredoc(name, *strip);
        }
        range.end = range.end.max(range.start);
        if keyword == "FROM" {
            let base = words.first().cloned().unwrap_or(Word { text: String::new(), range: range.clone() });
            let name =
                words.get(1).filter(|word| word.text.eq_ignore_ascii_case("as")).and(words.get(2)).map(|word| word.text.to_lowercase());
            let wanted = base.text.to_lowercase();
            let parent = self.stages.iter().rposition(|stage| stage.name.as_deref() == Some(wanted.as_str()));
            self.stages.push(Stage { name, base, parent, from: self.instructions.len() });
        }
        let stage = self.stages.len().checked_sub(1);
        let text = rest.to_owned();
        self.instructions.push(Instruction { keyword, range, flags, words, text, is_exec, has_heredoc: !names.is_empty(), stage });
    }

    /// The stage that is built: the one of a name or number, or the last.
    #[must_use]
    pub fn target(&self, target: Option<&str>) -> Option<usize> {
        match target {
            None | Some("") => self.stages.len().checked_sub(1),
            Some(name) => self.stage_named(name),
        }
    }

    /// A stage by name or number.
    #[must_use]
    pub fn stage_named(&self, name: &str) -> Option<usize> {
        let wanted = name.to_lowercase();
        let by_name = self.stages.iter().rposition(|stage| stage.name.as_deref() == Some(wanted.as_str()));
        by_name.or_else(|| name.parse().ok().filter(|index| *index < self.stages.len()))
    }
}

/// One instruction's text in one piece, and for each of its bytes where it stands in the file.
struct Logical {
    text: String,
    places: Vec<usize>,
    end: usize,
}

impl Logical {
    fn range(&self) -> Range<usize> {
        self.places.first().copied().unwrap_or(self.end)..self.end
    }

    fn place(&self, range: Range<usize>) -> Range<usize> {
        let start = self.places.get(range.start).copied().unwrap_or(self.end);
        let end = range.end.checked_sub(1).and_then(|last| self.places.get(last)).map_or(start, |last| last + 1);
        start..end.max(start)
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
    escape: char,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let mut lines = Self { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 }, escape: '\\' };
        loop {
            let before = lines.at;
            let directive = lines.next_line().and_then(|(line, _)| {
                let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
                let name = name.trim().to_ascii_lowercase();
                name.chars().all(|c| c.is_ascii_alphanumeric()).then(|| (name, value.trim().to_owned()))
            });
            match directive {
                Some((name, value)) if matches!(name.as_str(), "escape" | "syntax" | "check") => {
                    if name == "escape" && value == "`" {
                        lines.escape = '`';
                    }
                }
                _ => {
                    lines.at = before;
                    return lines;
                }
            }
        }
    }

    /// A line without its break, and where it begins.
    fn next_line(&mut self) -> Option<(&'a str, usize)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let end = rest.find('\n').unwrap_or(rest.len());
        self.at = (start + end + 1).min(self.text.len());
        Some((rest[..end].trim_end_matches('\r'), start))
    }

    fn next_logical(&mut self) -> Option<Logical> {
        let mut logical = Logical { text: String::new(), places: Vec::new(), end: 0 };
        while let Some((line, start)) = self.next_line() {
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let body = line.trim_end();
            let continues = body.ends_with(self.escape);
            let body = if continues { &body[..body.len() - 1] } else { body };
            let skipped = if logical.text.is_empty() { body.len() - body.trim_start().len() } else { 0 };
            let kept = &body[skipped..];
            logical.text.push_str(kept);
            logical.places.extend((0..kept.len()).map(|offset| start + skipped + offset));
            logical.end = start + body.trim_end().len();
            if !continues {
                break;
            }
        }
        (!logical.text.trim().is_empty()).then_some(logical)
    }

    fn skip_heredoc(&mut self, name: &str, strip: bool) {
        while let Some((line, _)) = self.next_line() {
            let line = if strip { line.trim_start_matches('\t') } else { line };
            if line == name {
                return;
            }
        }
    }
}

/// The next word; with `flag` only if it begins with `--`.
fn next_word(line: &Logical, at: &mut usize, escape: char, flag: bool) -> Option<Word> {
    let rest = &line.text[*at..];
    let start = *at + (rest.len() - rest.trim_start().len());
    let rest = &line.text[start..];
    if rest.is_empty() || (flag && !rest.starts_with("--")) {
        return None;
    }
    let mut text = String::new();
    let mut quote = None;
    let mut end = rest.len();
    let mut chars = rest.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                end = index;
                break;
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ if c == escape && quote != Some('\'') => match chars.peek() {
                // An escaped dollar stays escaped: variables are filled in later.
                Some((_, '$')) => text.push('\\'),
                Some(_) => {
                    text.extend(chars.next().map(|(_, c)| c));
                }
                None => text.push(c),
            },
            _ => text.push(c),
        }
    }
    *at = start + end;
    Some(Word { text, range: line.place(start..start + end) })
}

/// The words of a JSON array of texts; `None` when it is none, and Docker takes it for the shell form.
fn json_words(line: &Logical, start: usize) -> Option<Vec<Word>> {
    let text = line.text[start..].trim_end();
    let values: Vec<String> = serde_json::from_str(text).ok()?;
    let mut at = start + 1;
    let bytes = line.text.as_bytes();
    let mut words = Vec::with_capacity(values.len());
    for value in values {
        while *bytes.get(at)? != b'"' {
            at += 1;
        }
        let open = at;
        at += 1;
        while *bytes.get(at)? != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        at += 1;
        words.push(Word { text: value, range: line.place(open..at) });
    }
    Some(words)
}

/// Names of the texts that follow: `<<EOF`, `<<-"EOF"`, and whether tabs are taken from their lines.
fn heredocs(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("<<") {
        rest = &rest[at + 2..];
        // `<<<` is a here-string of a shell.
        if let Some(after) = rest.strip_prefix('<') {
            rest = after;
            continue;
        }
        let strip = rest.starts_with('-');
        let name = rest.trim_start_matches('-').trim_start_matches(['"', '\'']);
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
        if end > 0 && !name.starts_with(|c: char| c.is_ascii_digit()) {
            found.push((name[..end].to_owned(), strip));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn continuation_comments_and_places() {
        let text = "# c\nFROM debian:12 AS base\nRUN apt-get update \\\n  # why\n  && apt-get install curl\nCMD [\"/a\", \"b c\"]\n";
        let file = Dockerfile::parse(text);
        let keywords: Vec<&str> = file.instructions.iter().map(|one| one.keyword.as_str()).collect();
        assert_eq!(keywords, ["FROM", "RUN", "CMD"]);
        let cmd = &file.instructions[2];
        assert!(cmd.is_exec);
        assert_eq!(&text[cmd.words[1].range.clone()], "\"b c\"");
        assert_eq!(&text[file.stages[0].base.range.clone()], "debian:12");
        assert!(file.instructions[1].text.contains("&& apt-get install curl"));
        assert_eq!(&text[file.instructions[1].words[1].range.clone()], "update");
    }

    #[test]
    fn heredocs_are_no_instructions_and_the_escape_can_change() {
        let file = Dockerfile::parse("# escape=`\nFROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY a `\n b /c/\n");
        let keywords: Vec<&str> = file.instructions.iter().map(|one| one.keyword.as_str()).collect();
        assert_eq!(keywords, ["FROM", "RUN", "COPY"]);
        assert_eq!(file.instructions[2].words.len(), 3);
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in [
            "",
            "\\",
            "FROM",
            "FROM \\\n",
            "COPY [\"a\", \"\\",
            "RUN <<",
            "RUN <<EOF",
            "ENV",
            "ENV a",
            "ENV =",
            "\u{feff}FROM ü AS ö\nCMD [\"ä\\\"\"]",
            "#\n# escape=`\n`\n",
            "HEALTHCHECK",
            "HEALTHCHECK CMD",
            "HEALTHCHECK ü€",
            "EXPOSE 1-65535 a-b",
            "FROM a AS a\nFROM a AS a",
        ] {
            let file = Dockerfile::parse(text);
            for stage in 0..file.stages.len() {
                let _ = file.image(stage, &HashMap::new());
            }
        }
    }
}
