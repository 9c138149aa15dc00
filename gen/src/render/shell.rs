//! Texts of the user in a POSIX shell script: whatever a text holds, it stays one word, and nothing in it is run.

use super::text::variable;

/// The operators of Compose's `${VAR…}`, all of which a POSIX shell reads alike.
const OPERATORS: &[&str] = &[":-", ":?", ":+", "-", "?", "+"];

/// A word in which nothing is special.
pub(super) fn literal(text: &str) -> String {
    word(text, &inside_literal(text))
}

/// A word in which Compose's own `${VAR}` stays, and every other `$` is literal.
pub(super) fn expanded(text: &str) -> String {
    word(text, &inside(text))
}

/// The same for the inside of double quotes.
pub(super) fn inside(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&inside_literal(&rest[..at]));
        rest = &rest[at..];
        if let Some(length) = variable(rest, OPERATORS, 0) {
            out.push_str(&reference(&rest[..length]));
            rest = &rest[length..];
        } else {
            out.push_str("\\$");
            rest = if rest.starts_with("$${") { &rest[2..] } else { &rest[1..] };
        }
    }
    out.push_str(&inside_literal(rest));
    out
}

/// `${VAR}` for a shell that stops at unset variables, and a default with all that is special in it escaped.
fn reference(variable_text: &str) -> String {
    let inner = &variable_text[2..variable_text.len() - 1];
    let name = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(name);
    let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else { return format!("${{{name}-}}") };
    let mut out = format!("${{{name}{operator}");
    let mut rest = &rest[operator.len()..];
    while let Some(at) = rest.find('$') {
        out.push_str(&inside_literal(&rest[..at]));
        rest = &rest[at..];
        match variable(rest, OPERATORS, 1) {
            Some(length) => {
                out.push_str(&reference(&rest[..length]));
                rest = &rest[length..];
            }
            None => {
                out.push_str("\\$");
                rest = rest.strip_prefix("$$").unwrap_or(&rest[1..]);
            }
        }
    }
    out + &inside_literal(rest) + "}"
}

fn inside_literal(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '"' | '\\' | '`' | '$').then_some('\\').into_iter().chain([c])).collect()
}

fn word(text: &str, inside: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '+' | ',' | '=' | '%');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("\"{inside}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_word_and_nothing_in_it_runs() {
        assert_eq!(literal("tcp://bro:9999"), "tcp://bro:9999");
        assert_eq!(literal(""), "\"\"");
        assert_eq!(literal("~/x"), "\"~/x\"");
        assert_eq!(literal("a \"b\" $(c) `d` \\ ${E}"), r#""a \"b\" \$(c) \`d\` \\ \${E}""#);
    }

    #[test]
    fn compose_s_variables_stay_and_need_not_be_set() {
        assert_eq!(expanded("${TZ}"), "\"${TZ-}\"");
        assert_eq!(expanded("${A:-${B}}/$C"), "\"${A:-${B-}}/\\$C\"");
        assert_eq!(expanded("${A:-`id` $$(id)}"), "\"${A:-\\`id\\` \\$(id)}\"");
        assert_eq!(expanded("pa$$word $${TZ}"), "\"pa\\$\\$word \\${TZ}\"");
    }

    /// What a shell makes of it is the text.
    #[test]
    fn a_real_shell_reads_the_same_text() {
        for text in ["", "a b", "$HOME `id` $(id) \\ \" ' ! * ~ # ; | & < >", "one\ntwo\n", "é\u{2028}\u{1f600}", "-n", "$${X} $$ $1 ${"] {
            for (word, wanted) in [(literal(text), text.to_owned()), (expanded(text), text.replace("$${", "${"))] {
                let script = format!("set -eu; printf '%s.' {word}");
                let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{wanted}."), "{script}");
            }
        }
    }
}
