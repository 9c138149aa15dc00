//! The way to a value while a tree is walked: `services.web.ports.0`.

use std::fmt;

/// A way that borrows its keys; made while descending, at no cost.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    up: Option<&'a Path<'a>>,
    step: Step<'a>,
    depth: usize,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The document itself.
    pub const ROOT: Path<'static> = Path { up: None, step: Step::Root, depth: 0 };

    /// One key deeper.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> Self {
        Self { up: Some(self), step: Step::Key(key), depth: self.depth + 1 }
    }

    /// One item deeper.
    #[must_use]
    pub fn index(&'a self, index: usize) -> Self {
        Self { up: Some(self), step: Step::Index(index), depth: self.depth + 1 }
    }

    /// Whether it is this way; `*` stands for any step.
    #[must_use]
    pub fn is(&self, pattern: &[&str]) -> bool {
        if self.depth != pattern.len() {
            return false;
        }
        let mut at = Some(self);
        for wanted in pattern.iter().rev() {
            let Some(path) = at else { return false };
            if *wanted != "*" && !matches!(path.step, Step::Key(key) if key == *wanted) {
                return false;
            }
            at = path.up;
        }
        true
    }

    /// How many steps it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The last key.
    #[must_use]
    pub fn last(&self) -> &'a str {
        match self.step {
            Step::Key(key) => key,
            Step::Root | Step::Index(_) => "",
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            up.fmt(f)?;
            if up.depth > 0 {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) => f.write_str(key),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_way_is_shown_and_matched() {
        let services = Path::ROOT.key("services");
        let web = services.key("web");
        let ports = web.key("ports");
        let first = ports.index(0);
        assert_eq!(first.to_string(), "services.web.ports.0");
        assert!(first.is(&["services", "*", "ports", "*"]));
        assert!(!first.is(&["services", "*", "ports"]));
        assert!(!first.is(&["services", "*", "volumes", "*"]));
    }
}
