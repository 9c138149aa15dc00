//! Names that Kubernetes takes: DNS labels, and names of ports.

use std::collections::{HashMap, HashSet};

/// The most characters of a DNS label (RFC 1123), which most names of Kubernetes are.
pub(super) const MAX_LABEL: usize = 63;

/// The most characters of a port's name (RFC 6335, as Kubernetes demands it).
pub(super) const MAX_PORT_NAME: usize = 15;

/// Names of one kind, of which no two are equal.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The number that was given last to a name that many wanted.
    last: HashMap<String, u32>,
}

impl Names {
    /// The wanted name as a DNS label of at most `most` characters, with a number behind it where it is taken.
    pub fn take(&mut self, wanted: &str, most: usize) -> String {
        let base = label(wanted, most);
        if self.taken.insert(base.clone()) {
            return base;
        }
        let last = self.last.entry(base.clone()).or_insert(1);
        loop {
            *last += 1;
            let suffix = format!("-{last}");
            let name = label(&base, most - suffix.len()) + &suffix;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The nearest DNS label: lower case, letters, digits and single `-`, none at either end.
fn label(text: &str, most: usize) -> String {
    let legal = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut label = String::new();
    for c in legal {
        if c != '-' || !(label.is_empty() || label.ends_with('-')) {
            label.push(c);
        }
    }
    label.truncate(most);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "x".to_owned() } else { label.to_owned() }
}

/// The name of a port: like a label, with at least one letter.
pub(super) fn port(names: &mut Names, endpoint: &str) -> String {
    if endpoint.bytes().any(|c| c.is_ascii_alphabetic()) {
        names.take(endpoint, MAX_PORT_NAME)
    } else {
        names.take(&format!("p-{endpoint}"), MAX_PORT_NAME)
    }
}

/// Whether a text is a DNS label (RFC 1123).
pub(super) fn is_label(text: &str) -> bool {
    let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether a text can be the name of a Service: a DNS label that begins with a letter (RFC 1035).
pub(super) fn is_service_name(text: &str) -> bool {
    is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether a text can be the name of a port.
pub(super) fn is_port_name(text: &str) -> bool {
    is_label(text) && text.len() <= MAX_PORT_NAME && !text.contains("--") && text.bytes().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_call_a_volume_has_a_name_of_its_own() {
        let mut names = Names::default();
        let mut take = |wanted: &str| names.take(wanted, MAX_LABEL);
        assert_eq!(take("node_Logs.d"), "node-logs-d");
        assert_eq!(take("node-logs-d"), "node-logs-d-2");
        assert_eq!(take("../.."), "x");
        let long = "a".repeat(100);
        assert_eq!(take(&long), "a".repeat(63));
        assert_eq!(take(&long), "a".repeat(61) + "-2");
    }

    #[test]
    fn ports_have_short_names_with_a_letter() {
        let mut names = Names::default();
        for (endpoint, name) in [
            ("frontend", "frontend"),
            ("80", "p-80"),
            ("a--b", "a-b"),
            ("administration-http", "administration"),
            ("administration-x", "administratio-2"),
        ] {
            let taken = port(&mut names, endpoint);
            assert_eq!(taken, name);
            assert!(is_port_name(&taken));
        }
    }

    #[test]
    fn a_service_s_name_begins_with_a_letter() {
        assert!(is_service_name("bro"));
        for wrong in ["1st", "-a", "a-", "A", "", "a.b"] {
            assert!(!is_service_name(wrong), "{wrong}");
        }
        assert!(is_label("1st") && !is_port_name("80") && !is_port_name("a--b"));
    }
}
