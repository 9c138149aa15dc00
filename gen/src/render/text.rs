//! Texts of the user in the words of Compose and of a Dockerfile: whatever a text holds, it stays one value.

use std::fmt::Write;

use serde_json::Value;

/// A JSON string that YAML 1.1 and 1.2 and a Dockerfile's exec form read alike: what YAML takes for a line break or does
/// not allow in a file (YAML 1.2, section 5.1) is escaped too.
#[must_use]
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key of a mapping: bare where every YAML reader takes it for a text, quoted elsewhere (`on` is a boolean in YAML 1.1).
#[must_use]
pub fn key(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if bare { text.to_owned() } else { json(text) }
}

/// A value of a mapping in YAML's block style, with what separates it from its key: tables and lists in lines of their own,
/// indented by so many spaces; texts in quotes.
#[must_use]
pub fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write_block(&mut out, value, indent);
    out
}

fn write_block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => {}
        Value::Object(map) if map.is_empty() => out.push_str(" {}"),
        Value::Object(map) => {
            for (name, value) in map {
                let _ = write!(out, "\n{:indent$}{}:", "", key(name));
                write_block(out, value, indent + 2);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for item in items {
                let _ = write!(out, "\n{:indent$}- {}", "", flow(item));
            }
        }
        value => {
            let _ = write!(out, " {}", flow(value));
        }
    }
}

/// A value in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => json(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{}: {}", json(key), flow(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text that Compose must not change: every `$` doubled (Compose specification, "Interpolation").
#[must_use]
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A text in which Compose's own `${VAR}` stays and every other `$` is literal. `$${VAR}` stands for the text `${VAR}`.
#[must_use]
pub fn interpolated(text: &str) -> String {
    keep_variables(text, "$$", OPERATORS)
}

/// Whether Compose replaces something in a text that the reader of stack files refuses: it knows no `${VAR:+x}`.
#[must_use]
pub fn has_alternative(text: &str) -> bool {
    interpolated(text) != keep_variables(text, "$$", &[":-", ":?", "-", "?"])
}

/// What may stand between a variable's name and a text (Compose specification, "Interpolation"), the longer first.
const OPERATORS: &[&str] = &[":-", ":?", ":+", "-", "?", "+"];

/// What a text is where nobody sets a variable: Compose's `${VAR:-default}` is the default, `${VAR:+other}` nothing. What has no
/// default stays as it is written, and `$${VAR}` is the text `${VAR}`.
#[must_use]
pub fn unset(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = variable(rest, OPERATORS, 0).unwrap_or(1);
        let (written, after) = rest.split_at(length);
        match operator(written) {
            Some((":-" | "-", default)) => out.push_str(&unset(default)),
            Some((":+" | "+", _)) => {}
            _ => out.push_str(written),
        }
        rest = if length == 1 && after.starts_with("${") { &after[1..] } else { after };
    }
    out.push_str(rest);
    out
}

/// Compose's variables in a text, as they are written: `${TZ:-UTC}`.
#[must_use]
pub fn variables(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at..];
        let length = match variable(rest, OPERATORS, 0) {
            Some(length) => {
                found.push(&rest[..length]);
                length
            }
            None if rest.starts_with("$${") => 2,
            None => 1,
        };
        rest = &rest[length..];
    }
    found
}

/// The operator of a variable and what stands behind it: `:-` and `UTC` of `${TZ:-UTC}`.
fn operator(variable: &str) -> Option<(&'static str, &str)> {
    let inner = variable.strip_prefix("${")?.strip_suffix('}')?;
    let name = inner.bytes().take_while(|c| c.is_ascii_alphanumeric() || *c == b'_').count();
    OPERATORS.iter().find_map(|operator| Some((*operator, inner[name..].strip_prefix(operator)?)))
}

/// A value of a Dockerfile's `ENV` or `LABEL`, in quotes: `${VAR}` stays, for the builder; any other `$` is literal.
#[must_use]
pub fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", keep_variables(&escaped, "\\$", &[":-", ":+"]))
}

/// A word of a Dockerfile instruction, in quotes where it needs them.
#[must_use]
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '+' | ',' | '=');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// `RUN`'s argument: the line itself, or the same for a shell in exec form where the builder would read more into it than
/// a command: another line, a here-document, a flag, a list.
#[must_use]
pub fn run(command: &str) -> String {
    let command = command.trim();
    let special = command.starts_with(['[', '-', '#'])
        || command.ends_with(['\\', '`'])
        || command.contains("<<")
        || command.chars().any(char::is_control);
    if special { format!("[\"/bin/sh\", \"-c\", {}]", json(command)) } else { command.to_owned() }
}

/// A Dockerfile's exec form.
#[must_use]
pub fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| json(word)).collect::<Vec<_>>().join(", "))
}

/// `COPY`'s paths, taken as they are: in exec form where a space or a sign would mean something to the builder.
#[must_use]
pub fn paths(paths: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | ',' | '=' | '*' | '?' | '~');
    if paths.iter().all(|path| !path.is_empty() && !path.starts_with('-') && path.chars().all(plain)) {
        return paths.join(" ");
    }
    let escaped = paths.iter().map(|path| {
        path.chars().flat_map(|c| matches!(c, '\\' | '"' | '\'' | '$').then_some('\\').into_iter().chain([c])).collect::<String>()
    });
    list(&escaped.collect::<Vec<_>>())
}

/// Replaces each `$` by `dollar` but those that begin `${VAR}`; `$${` becomes `dollar` and `{`.
fn keep_variables(text: &str, dollar: &str, operators: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = variable(rest, operators, 0) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            out.push_str(dollar);
            rest = if rest.starts_with("$${") { &rest[2..] } else { &rest[1..] };
        }
    }
    out.push_str(rest);
    out
}

/// How deep variables may stand in each other's defaults: `${A:-${B}}` is two deep.
const MAX_DEPTH: usize = 8;

/// The bytes of the variable that a text begins with: `${NAME}`, or with a default or another operator.
pub(super) fn variable(text: &str, operators: &[&str], depth: usize) -> Option<usize> {
    let inner = text.strip_prefix("${").filter(|_| depth < MAX_DEPTH)?;
    let name = inner.bytes().take_while(|c| c.is_ascii_alphanumeric() || *c == b'_').count();
    if name == 0 || inner.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let mut at = 2 + name;
    if text[at..].starts_with('}') {
        return Some(at + 1);
    }
    let operator = operators.iter().find(|operator| text[at..].starts_with(**operator))?;
    at += operator.len();
    loop {
        match *text.as_bytes().get(at)? {
            b'}' => return Some(at + 1),
            b'$' if text[at..].starts_with("$$") => at += 2,
            b'$' => at += variable(&text[at..], operators, depth + 1)?,
            b'{' | b'"' | b'\\' | b'\n' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_s_variables_stay_and_other_dollars_are_literal() {
        assert_eq!(interpolated("${TZ}"), "${TZ}");
        assert_eq!(interpolated("${TZ:-UTC} ${A:-${B}}"), "${TZ:-UTC} ${A:-${B}}");
        assert_eq!(interpolated("pa$$word $HOME"), "pa$$$$word $$HOME");
        assert_eq!(interpolated("$${TZ}"), "$${TZ}");
        assert_eq!(interpolated("${} ${1} ${a b} ${"), "$${} $${1} $${a b} $${");
        assert_eq!(literal("exec node broker ${PORT} $1"), "exec node broker $${PORT} $$1");
    }

    #[test]
    fn stack_files_know_fewer_operators() {
        for text in ["${A:+b}", "${A:-${B+c}}"] {
            assert!(has_alternative(text), "{text}");
        }
        for text in ["${A:-b} ${A:?b} $${A:+b}", "a+b", "${A}"] {
            assert!(!has_alternative(text), "{text}");
        }
    }

    #[test]
    fn where_nobody_sets_a_variable_its_default_is_its_value() {
        for (text, value) in [
            ("${TZ:-UTC}/${A:-${B-b}}", "UTC/b"),
            ("a${X:+x}b", "ab"),
            ("redis:${TAG}", "redis:${TAG}"),
            ("${TAG:?must be set}", "${TAG:?must be set}"),
            ("pa$$word $HOME $", "pa$$word $HOME $"),
            ("$${TZ:-UTC}", "${TZ:-UTC}"),
        ] {
            assert_eq!(unset(text), value, "{text}");
        }
        assert_eq!(variables("${TZ:-UTC} $${NO} $HOME ${A:-${B}}"), ["${TZ:-UTC}", "${A:-${B}}"]);
    }

    #[test]
    fn keys_that_yaml_would_take_for_something_else_are_quoted() {
        assert_eq!(key("bro-backend"), "bro-backend");
        for word in ["on", "No", "1", "1e3", "-a", "", "a b", "a: b", "<<"] {
            assert_eq!(key(word), format!("\"{word}\""));
        }
    }

    #[test]
    fn a_text_is_one_line_of_a_yaml_file() {
        assert_eq!(json("a\n\"b\"\\\u{7f}\u{85}\u{2028}é\u{1f600}"), "\"a\\n\\\"b\\\"\\\\\\u007f\\u0085\\u2028é\u{1f600}\"");
    }

    #[test]
    fn a_dockerfile_s_values_are_quoted() {
        assert_eq!(quoted(r#"say "hi" \ $1 ${PATH}:/x"#), r#""say \"hi\" \\ \$1 ${PATH}:/x""#);
        assert_eq!(word("/app"), "/app");
        assert_eq!(word("/my app"), "\"/my app\"");
    }

    #[test]
    fn commands_that_a_dockerfile_would_misread_are_given_to_a_shell_as_they_are() {
        assert_eq!(run("npm ci && true"), "npm ci && true");
        assert_eq!(run("a\nb"), r#"["/bin/sh", "-c", "a\nb"]"#);
        assert_eq!(run("--mount=type=bind x"), r#"["/bin/sh", "-c", "--mount=type=bind x"]"#);
        assert_eq!(run("cat <<EOF"), r#"["/bin/sh", "-c", "cat <<EOF"]"#);
        assert_eq!(run("echo \\"), r#"["/bin/sh", "-c", "echo \\"]"#);
    }
}
