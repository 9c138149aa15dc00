//! `.env` files and those of `env_file`, as Compose reads them.

use indexmap::IndexMap;

use super::template;

/// Why an env file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// A variable of an env file with the line that it stands on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is set to.
    pub value: String,
    /// Where its name stands.
    pub line: usize,
}

/// The most bytes that variables may add to a file: each line may be twice the one above it.
const MOST_FILLED_IN: usize = 1024 * 1024;

/// Reads a text. Values may use variables that stand above them or that `lookup` knows; names without a value are looked up.
pub fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<IndexMap<String, Line>, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1, found: IndexMap::new(), lookup, room: MOST_FILLED_IN };
    while reader.statement()? {}
    // Names that begin with a digit are no variables.
    reader.found.retain(|name, _| !name.starts_with(|first: char| first.is_ascii_digit()));
    Ok(reader.found)
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
    found: IndexMap<String, Line>,
    lookup: &'t dyn Fn(&str) -> Option<String>,
    room: usize,
}

/// Blanks inside of a line.
fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

impl Reader<'_> {
    fn mistake<T>(&self, message: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake { message: message.into(), line: self.line })
    }

    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    /// Reads one `NAME=value`; false at the end.
    fn statement(&mut self) -> Result<bool, Mistake> {
        loop {
            let start = self.rest.len() - self.rest.trim_start().len();
            self.skip(start);
            if !self.rest.starts_with('#') {
                break;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        if self.rest.is_empty() {
            return Ok(false);
        }
        if let Some(behind) = self.rest.strip_prefix("export").filter(|behind| behind.starts_with(char::is_whitespace)) {
            self.skip(self.rest.len() - behind.trim_start_matches(is_blank).len());
        }
        let line = self.line;
        let (name, inherited) = self.name()?;
        if name.contains(' ') {
            return self.mistake("a name cannot contain a space");
        }
        if inherited {
            if let Some(value) = (self.lookup)(&name) {
                self.found.insert(name, Line { value, line });
            }
            return Ok(true);
        }
        let value = self.value()?;
        self.found.insert(name, Line { value, line });
        Ok(true)
    }

    /// The name, and whether it stands alone.
    fn name(&mut self) -> Result<(String, bool), Mistake> {
        for (at, character) in self.rest.char_indices() {
            match character {
                '=' | ':' | '\n' => {
                    let name = self.rest[..at].trim_end().to_owned();
                    self.skip(at + 1);
                    let blanks = self.rest.len() - self.rest.trim_start_matches(is_blank).len();
                    self.skip(blanks);
                    return Ok((name, character == '\n'));
                }
                '_' | '.' | '-' | '[' | ']' => {}
                _ if is_blank(character) || character.is_alphanumeric() => {}
                _ => return self.mistake(format!("unexpected `{}` in a name", character.escape_debug())),
            }
        }
        // A name at the very end, without a line break, has no name in Compose's eyes.
        self.skip(self.rest.len());
        Ok((String::new(), false))
    }

    fn value(&mut self) -> Result<String, Mistake> {
        let Some(quote) = self.rest.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
            let line = self.rest.split('\n').next().unwrap_or_default();
            let value = line.split(" #").next().unwrap_or_default().trim_end();
            let value = self.expand(value)?;
            self.skip((line.len() + 1).min(self.rest.len()));
            return Ok(value);
        };
        let mut value = String::new();
        let mut escaped = false;
        for (at, character) in self.rest.char_indices().skip(1) {
            if character == quote && !escaped {
                if quote == '"' {
                    value = self.expand(&unescape(&value))?;
                }
                self.skip(at + 1);
                return Ok(value);
            }
            if character == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && character != quote {
                value.push('\\');
            }
            escaped = false;
            value.push(character);
        }
        self.mistake("a quoted value has no end")
    }

    fn expand(&mut self, value: &str) -> Result<String, Mistake> {
        let mut room = Some(self.room);
        let mut lookup = |name: &str, _: bool| {
            let value = (self.lookup)(name).or_else(|| self.found.get(name).map(|line: &Line| line.value.clone()))?;
            room = room.and_then(|room| room.checked_sub(value.len()));
            room.map(|_| value)
        };
        let expanded = template::substitute(value, &mut lookup);
        self.room = match room {
            Some(room) => room,
            None => return self.mistake("the values grow without measure: variables are put into variables"),
        };
        expanded.or_else(|mistake| match mistake {
            template::Mistake::Invalid => self.mistake("the value has a `${` without an end; `$$` is a dollar sign"),
            template::Mistake::Required { name, .. } => self.mistake(format!("the variable `{name}` is required and has no value")),
        })
    }
}

/// The escapes of double quotes.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        result.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let Some(next) = behind.chars().next() else {
            result.push('\\');
            return result;
        };
        let digits = behind.bytes().skip(1).take(3).take_while(u8::is_ascii_digit).count();
        let plain = match next {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' | '"' => Some(next),
            '0' if digits == 3 => u8::from_str_radix(&behind[1..4], 8).ok().map(char::from),
            _ => None,
        };
        match (next, plain) {
            // A dollar sign that is meant as one, for the expansion that follows.
            ('$', _) => result.push_str("$$"),
            (_, Some(character)) => result.push(character),
            _ => {
                result.push('\\');
                result.push(next);
            }
        }
        let length = if next == '0' && plain.is_some() { 4 } else { next.len_utf8() };
        rest = &behind[length..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        let lookup = |name: &str| (name == "HOST").then(|| "host".to_owned());
        parse(text, &lookup).unwrap().into_iter().map(|(name, line)| (name, line.value)).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn values_are_those_of_compose() {
        assert_eq!(of("A=1\n# c\n\nexport B = two words # c\nC: yes\n"), [pair("A", "1"), pair("B", "two words"), pair("C", "yes")]);
        assert_eq!(of("A=\"a\\nb\"\nB='a\\nb $A'\n"), [pair("A", "a\nb"), pair("B", "a\\nb $A")]);
        assert_eq!(of("A=x\nB=${A}y$HOST\nHOST\nNOPE\n"), [pair("A", "x"), pair("B", "xyhost"), pair("HOST", "host")]);
        assert_eq!(of("A=\"two\nlines\"\nB=2"), [pair("A", "two\nlines"), pair("B", "2")]);
        assert_eq!(of("A=\"\\$5\"\n1A=x\nE=\n"), [pair("A", "$5"), pair("E", "")]);
    }

    #[test]
    fn mistakes_have_a_line() {
        let mistake = |text: &str| parse(text, &|_| None).unwrap_err();
        assert_eq!(mistake("A=1\nB C=2\n"), Mistake { message: "a name cannot contain a space".to_owned(), line: 2 });
        assert_eq!(mistake("A=1\n\nB='x\n").line, 3);
        let doubled: String = (0..40).flat_map(|n| [format!("A{}=", n + 1), format!("$A{n}$A{n}\n")]).collect();
        assert_eq!(mistake(&format!("A0=0123456789\n{doubled}")).line, 17);
        assert_eq!(mistake("{=1\n").message, "unexpected `{` in a name");
    }
}
