//! Variables in texts: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+instead}`, `$$`.
//!
//! Compose file specification, section "Interpolation". Defaults may have variables of their own.

/// Why a text cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// `${` without an end, or without a name.
    Invalid,
    /// `${NAME:?reason}` without a value.
    Required {
        /// The variable.
        name: String,
        /// What the text says of it; may be empty.
        reason: String,
    },
}

/// The deepest nesting of defaults.
const MAX_DEPTH: usize = 50;

/// Puts in the values of variables. `lookup` is told the name and whether the text says what to do without a value.
pub fn substitute(text: &str, lookup: &mut dyn FnMut(&str, bool) -> Option<String>) -> Result<String, Mistake> {
    if text.contains('$') { nested(text, lookup, 0) } else { Ok(text.to_owned()) }
}

fn nested(text: &str, lookup: &mut dyn FnMut(&str, bool) -> Option<String>, depth: usize) -> Result<String, Mistake> {
    if depth > MAX_DEPTH {
        return Err(Mistake::Invalid);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.bytes().next() {
            Some(b'$') => {
                result.push('$');
                rest = &after[1..];
            }
            Some(b'{') => {
                let (value, length) = braced(&after[1..], lookup, depth)?;
                result.push_str(&value);
                rest = &after[1 + length..];
            }
            Some(byte) if is_name_start(byte) => {
                let name = &after[..name_length(after)];
                result.push_str(&lookup(name, false).unwrap_or_default());
                rest = &after[name.len()..];
            }
            _ => {
                result.push('$');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    Ok(result)
}

fn is_name_start(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

fn name_length(text: &str) -> usize {
    text.bytes().take_while(|byte| is_name_start(*byte) || byte.is_ascii_digit()).count()
}

/// What stands behind `${`: its value, and how many bytes it has with the closing brace.
fn braced(text: &str, lookup: &mut dyn FnMut(&str, bool) -> Option<String>, depth: usize) -> Result<(String, usize), Mistake> {
    if !text.bytes().next().is_some_and(is_name_start) {
        return Err(Mistake::Invalid);
    }
    let (name, behind) = text.split_at(name_length(text));
    if behind.starts_with('}') {
        return Ok((lookup(name, false).unwrap_or_default(), name.len() + 1));
    }
    let operator = [":?", "?", ":-", "-", ":+", "+"].into_iter().find(|operator| behind.starts_with(operator));
    let operator = operator.ok_or(Mistake::Invalid)?;
    let end = closing_brace(text).ok_or(Mistake::Invalid)?;
    let word = text.get(name.len() + operator.len()..end).ok_or(Mistake::Invalid)?;
    let value = lookup(name, true);
    let is_there = value.as_ref().is_some_and(|value| !operator.starts_with(':') || !value.is_empty());
    let value = match (operator.trim_start_matches(':'), is_there) {
        ("-", false) | ("+", true) => nested(word, lookup, depth + 1)?,
        ("?", false) => {
            let reason = nested(word, lookup, depth + 1)?;
            return Err(Mistake::Required { name: name.to_owned(), reason });
        }
        _ => value.unwrap_or_default(),
    };
    Ok((value, end + 1))
}

/// The byte of the brace that ends an expression: the one that balances, or else the last of the line. As in Compose, the
/// character behind an opening brace is not looked at.
fn closing_brace(text: &str) -> Option<usize> {
    let line = text.split('\n').next().unwrap_or_default().as_bytes();
    let mut open = 1_u32;
    let mut at = 1;
    while at < line.len() {
        match line[at] {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    line.iter().rposition(|byte| *byte == b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, Mistake> {
        substitute(text, &mut |name, _| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn every_operator() {
        for (text, expected) in [
            ("$A${A}-$$A", "aa-$A"),
            ("${X:-d}${X-d}${A:-d}${EMPTY:-d}${EMPTY-d}", "ddad"),
            ("${A:+x}${A+x}${EMPTY:+x}|${EMPTY+x}${X+x}", "xx|x"),
            ("${X:-${A}}${X:-${Y:-z}}", "az"),
            ("${X:-{}}", "{}"),
            ("${A:?no}${A?no}", "aa"),
            ("cost: 5$ and $5 and $", "cost: 5$ and $5 and $"),
            ("${X:-a}b${X:-c}", "abc"),
            ("plain", "plain"),
        ] {
            assert_eq!(of(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let required = |reason: &str| Err(Mistake::Required { name: "X".to_owned(), reason: reason.to_owned() });
        assert_eq!(of("${X:?set a}"), required("set a"));
        assert_eq!(of("${X?}"), required(""));
        for text in ["${", "${}", "${A", "${1}", "${A!x}", "${A:-x"] {
            assert_eq!(of(text), Err(Mistake::Invalid), "{text}");
        }
        assert_eq!(of(&"${X:-".repeat(10_000)), Err(Mistake::Invalid));
    }
}
