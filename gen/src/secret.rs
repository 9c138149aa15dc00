//! What must not be printed: values of keys that are secrets by their name.

/// The last words of names that hold secrets.
const WORDS: &[&str] =
    &["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "API_KEY", "PRIVATE_KEY", "SECRET_KEY", "ACCESS_KEY"];

/// Whether a variable of this name holds a secret: `DB_PASSWORD`, `token`, but not `MAX_TOKENS` or `PASSWORD_FILE`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// Whether a value is a secret itself, not a reference to one, a switch or a path.
#[must_use]
pub fn is_literal(value: &str) -> bool {
    let harmless = ["", "yes", "no", "true", "false", "on", "off", "0", "1"];
    !harmless.contains(&value.to_ascii_lowercase().as_str()) && !is_reference(value) && !value.starts_with("/run/secrets/")
}

/// Whether a value, or a part of it, is what a variable says: `${NAME}`, `$NAME`.
fn is_reference(value: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    value.contains("${") || value.strip_prefix('$').is_some_and(|name| name.starts_with(begins))
}

/// A value as it may be shown.
#[must_use]
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret_name(name) && is_literal(value) { "***" } else { value }
}

/// A piece of a file in which every literal secret is replaced by stars, byte for byte, so that places stay right: values of
/// `DB_PASSWORD = "…"` (TOML), `DB_PASSWORD: …` (YAML) and `DB_PASSWORD=…` (lists, env files, Dockerfiles).
#[must_use]
pub fn conceal(text: &str) -> String {
    text.split_inclusive('\n').map(conceal_line).collect()
}

fn conceal_line(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(mark) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(mark + 1);
        shown.push_str(before);
        rest = after;
        let key = before[..mark].trim_end().trim_end_matches(['"', '\'']);
        let name = key.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
        let spaces = rest.len() - rest.trim_start().len();
        // In `a:b` the colon is no mark of YAML: images, ports and paths have it.
        if !is_secret_name(name) || (before.ends_with(':') && spaces == 0) {
            continue;
        }
        let (quotes, length) = secret_length(&rest[spaces..], shown.contains(['{', '[']), shown.matches('"').count() % 2 == 1);
        if length > 0 && is_literal(&rest[spaces + quotes..spaces + quotes + length]) {
            shown.push_str(&rest[..spaces + quotes]);
            shown.push_str(&"*".repeat(length));
            rest = &rest[spaces + quotes + length..];
        }
    }
    shown.push_str(rest);
    shown
}

/// Where in a text that begins with a value the value is: how many bytes of quotes are before it, and its length.
/// `flow`: inside of brackets; `quoted`: inside of a text.
fn secret_length(value: &str, flow: bool, quoted: bool) -> (usize, usize) {
    let inside = |text: &str, end: &[char]| text.find(end).unwrap_or(text.len());
    match value.chars().next() {
        // A table, a list, a text that follows: what is a secret in them has a key of its own.
        Some('{' | '[' | '|' | '>') => (0, 0),
        Some(quote @ ('"' | '\'')) if !quoted => (1, inside(&value[1..], &[quote, '\n'])),
        _ => {
            let end = if flow { &['"', '\'', '\r', '\n', ',', '}', ']'][..] } else { &['"', '\'', '\r', '\n'] };
            let plain = &value[..inside(value, end)];
            let plain = plain.split(" #").next().unwrap_or_default().trim_end();
            (0, plain.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets() {
        for name in ["DB_PASSWORD", "password", "GITHUB_TOKEN", "API_KEY", "JWT_SECRET"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["MAX_TOKENS", "PASSWORD_FILE", "KEY", "TOKENIZER", "MYSQL_ALLOW_EMPTY_PASSWORDS"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn only_the_secret_is_starred_and_nothing_moves() {
        let text = "env = { DB_PASSWORD = \"häm=ster\", A = \"b\", TOKEN = \"${TOKEN}\" }\n";
        let shown = conceal(text);
        assert_eq!(shown, "env = { DB_PASSWORD = \"*********\", A = \"b\", TOKEN = \"${TOKEN}\" }\n");
        assert_eq!(shown.len(), text.len());
        assert_eq!(conceal("PASSWORD = 'open"), "PASSWORD = '****");
    }

    #[test]
    fn compose_files_keep_their_secrets_too() {
        for (text, expected) in [
            ("  DB_PASSWORD: hunter2 # why\n", "  DB_PASSWORD: ******* # why\n"),
            ("  DB_PASSWORD: \"hunter2\"\r\n", "  DB_PASSWORD: \"*******\"\r\n"),
            ("  - DB_PASSWORD=hun ter2\n", "  - DB_PASSWORD=********\n"),
            ("  - \"DB_PASSWORD=hunter2\"\n", "  - \"DB_PASSWORD=*******\"\n"),
            ("  - 'DB_PASSWORD=hunter2'\n", "  - 'DB_PASSWORD=*******'\n"),
            ("e: {A: b, TOKEN: abc, B: c}", "e: {A: b, TOKEN: ***, B: c}"),
            ("ENV API_KEY=abc", "ENV API_KEY=***"),
        ] {
            assert_eq!(conceal(text), expected);
        }
        for text in [
            "  DB_PASSWORD: ${DB_PASSWORD}\n",
            "  DB_PASSWORD:\n    x: y\n",
            "  DB_PASSWORD_FILE: /run/secrets/db\n",
            "  image: secret:1.2\n",
            "  secrets: [a]\n",
            "secrets = { db_password = { file = \"./db_password.txt\" } }\n",
            "  db_password: {file: ./db_password.txt}\n",
            "  - DB_PASSWORD\n",
            "  TOKEN: $TOKEN\n",
        ] {
            assert_eq!(conceal(text), text);
        }
    }
}
