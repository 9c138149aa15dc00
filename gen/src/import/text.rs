//! Texts of a Compose file in the words of a topology.

use crate::render::text::interpolated;

/// A text in which variables may stand, as a topology writes it: `$$` is `$`, `$NAME` is `${NAME}`. `None` when a topology
/// would read it as something else.
pub(super) fn with_variables(text: &str) -> Option<String> {
    let (mut topology, mut compose) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        topology.push_str(&rest[..at]);
        compose.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if let Some(behind) = rest.strip_prefix('$') {
            topology.push_str(if behind.starts_with('{') { "$$" } else { "$" });
            compose.push_str("$$");
            rest = behind;
        } else if name > 0 && !rest.starts_with(|c: char| c.is_ascii_digit()) {
            let braced = format!("${{{}}}", &rest[..name]);
            topology.push_str(&braced);
            compose.push_str(&braced);
            rest = &rest[name..];
        } else {
            topology.push('$');
            compose.push('$');
        }
    }
    topology.push_str(rest);
    compose.push_str(rest);
    (interpolated(&topology) == compose).then_some(topology)
}

/// The same, where a topology takes `{{ … }}` for what is bound.
pub(super) fn template(text: &str) -> Option<String> {
    if ["{{", "{%", "{#"].iter().any(|sign| text.contains(sign)) { None } else { with_variables(text) }
}

/// A text without variables; `None` where there are some.
pub(super) fn plain(text: &str) -> Option<String> {
    (!text.contains('$')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stay_and_dollars_are_dollars() {
        for (compose, topology) in [
            ("a", "a"),
            ("$A/$B_1.x", "${A}/${B_1}.x"),
            ("${A:-b}", "${A:-b}"),
            ("${A:-${B:?say}}", "${A:-${B:?say}}"),
            ("cost: 5$$", "cost: 5$"),
            ("$$HOME", "$HOME"),
            ("$${A}", "$${A}"),
            ("p$$$$q", "p$$q"),
        ] {
            assert_eq!(with_variables(compose).as_deref(), Some(topology), "{compose}");
        }
        assert_eq!(template("{{ x }}"), None);
        assert_eq!(plain("$A"), None);
    }
}
