//! `.dockerignore`: which files of a build context never reach the builder.

use std::ops::Range;

/// The patterns of a file, in its order: the last that matches decides.
#[derive(Debug, Default)]
pub struct Dockerignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    segments: Vec<String>,
    is_exception: bool,
    range: Range<usize>,
}

impl Dockerignore {
    /// Reads a text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut patterns = Vec::new();
        let mut start = usize::from(text.starts_with('\u{feff}')) * 3;
        for line in text.get(start..).unwrap_or_default().split('\n') {
            let range = start..start + line.trim_end().len();
            start += line.len() + 1;
            if line.starts_with('#') {
                continue;
            }
            let body = line.trim();
            let (is_exception, body) = body.strip_prefix('!').map_or((false, body), |rest| (true, rest.trim()));
            let segments = clean(body);
            if !segments.is_empty() {
                patterns.push(Pattern { segments, is_exception, range });
            }
        }
        Self { patterns }
    }

    /// The bytes of the pattern because of which a path is left out, if one does.
    #[must_use]
    pub fn excludes(&self, path: &str) -> Option<Range<usize>> {
        let segments = clean(path);
        let mut by = None;
        for pattern in &self.patterns {
            // A pattern that matches a folder matches all that is in it.
            let hit = (1..=segments.len()).any(|length| matches(&pattern.segments, &segments[..length]));
            if hit {
                by = (!pattern.is_exception).then(|| pattern.range.clone());
            }
        }
        by
    }

    /// Whether an exception may bring back something below a folder.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }
}

/// The parts of a path without `.`, `..` and empty ones.
fn clean(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Whether all parts of a pattern match all parts of a path; `**` stands for any number of parts.
fn matches(pattern: &[String], path: &[String]) -> bool {
    // One row a part of the pattern: which beginnings of the path it has used up. The time is the product of the lengths.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for segment in pattern {
        let mut next = vec![false; path.len() + 1];
        if segment == "**" {
            let first = reached.iter().position(|reached| *reached).unwrap_or(usize::MAX);
            for (at, next) in next.iter_mut().enumerate() {
                *next = at >= first;
            }
        } else {
            for (at, part) in path.iter().enumerate() {
                next[at + 1] = reached[at] && glob(segment, part);
            }
        }
        reached = next;
    }
    reached[path.len()]
}

/// `*`, `?`, `[a-z]` and `\` within one part of a path.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], text[t]),
            Some('\\') => (pattern.get(p + 1) == Some(&text[t])).then_some(2),
            Some(c) => (*c == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((back, at))) => {
                star = Some((back, at + 1));
                p = back + 1;
                t = at + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How long a class is, if it holds a character.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == ']' {
            return (found != negated).then_some(at + 1);
        }
        let mut high = low;
        at += 1;
        if pattern.get(at) == Some(&'-') && pattern.get(at + 1).is_some_and(|end| *end != ']') {
            high = pattern[at + 1];
            at += 2;
        }
        found |= low <= c && c <= high;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_work_as_in_docker() {
        let file = Dockerignore::parse("# comment\n\n*.log\n/build\n**/node_modules\ndocs/*\n!docs/README.md\n");
        for out in ["a.log", "build", "build/x/y", "node_modules", "a/b/node_modules/c", "docs/a.md", "./build/"] {
            assert!(file.excludes(out).is_some(), "{out}");
        }
        for inside in ["src/a.log", "src/build", "docs/README.md", "docs", "Dockerfile"] {
            assert!(file.excludes(inside).is_none(), "{inside}");
        }
        assert!(Dockerignore::parse("*\n!src").excludes("src/a").is_none());
        assert!(Dockerignore::parse("*").excludes("broker").is_some());
    }

    #[test]
    fn globs() {
        assert!(glob("a*b?c", "axxbyc"));
        assert!(glob("[a-c]x", "bx"));
        assert!(!glob("[^a-c]x", "bx"));
        assert!(glob("\\*", "*"));
        assert!(!glob("[", "["));
        assert!(!glob("a", ""));
        assert!(!glob(&"*a".repeat(50), &"b".repeat(5000)));
    }
}
