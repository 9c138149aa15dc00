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
    !harmless.contains(&value.to_ascii_lowercase().as_str()) && !value.contains("${") && !value.starts_with("/run/secrets/")
}

/// A value as it may be shown.
#[must_use]
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret_name(name) && is_literal(value) { "***" } else { value }
}

/// A piece of a topology in which every literal secret is replaced by stars, byte for byte, so that places stay right.
#[must_use]
pub fn conceal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals + 1);
        shown.push_str(before);
        rest = after;
        let key = before[..equals].trim_end().trim_end_matches(['"', '\'']);
        let name = key.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
        if !is_secret_name(name) {
            continue;
        }
        let spaces = rest.len() - rest.trim_start().len();
        let value = &rest[spaces..];
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        let inside = &value[1..];
        let end = inside.find([quote, '\n']).unwrap_or(inside.len());
        if is_literal(&inside[..end]) {
            shown.push_str(&rest[..=spaces]);
            shown.push_str(&"*".repeat(end));
            rest = &inside[end..];
        }
    }
    shown.push_str(rest);
    shown
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
}
