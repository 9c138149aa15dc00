//! `{{ need.host }}`, `{{ need.port }}`, `{{ need.url }}` and `{{ self.name }}` in environment values and commands.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};

use super::Binding;

/// Compiled once: a topology may have thousands of templates.
static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();

/// The most that one text may grow to, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Puts what is bound into a text. The error says what is wrong, in words for a message.
pub(super) fn fill(text: &str, name: &str, bindings: &[Binding]) -> Result<String, String> {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(text.to_owned());
    }
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
    });
    if text.contains("{%") {
        return Err("only `{{ … }}` is understood here, no `{% … %}`".to_owned());
    }
    let mut values: BTreeMap<String, Value> = bindings
        .iter()
        .map(|binding| {
            let value = context! { host => binding.host.clone(), port => binding.port, url => binding.url() };
            // In a template `own-cache` would be a subtraction; in variables too it is `OWN_CACHE_HOST`.
            (binding.need.replace('-', "_"), value)
        })
        .collect();
    values.insert("self".to_owned(), context! { name => name });
    let filled = environment.render_str(text, Value::from_pairs(values.clone())).map_err(|error| match error.kind() {
        ErrorKind::UndefinedError => {
            let known = values.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!("`{}` uses something that is not bound here; there is {known}", crate::source::decode::shorten(text))
        }
        _ => format!("`{}` is not a template: {}", crate::source::decode::shorten(text), error.detail().unwrap_or("it cannot be read")),
    })?;
    if filled.len() > MAX_BYTES { Err(format!("it grows beyond {} KiB", MAX_BYTES / 1024)) } else { Ok(filled) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Target;

    fn db() -> Vec<Binding> {
        let target = Target::Component { name: "mariadb".into(), endpoint: "sql".into() };
        vec![Binding { need: "db".into(), target, host: "mariadb".into(), port: 3306 }]
    }

    #[test]
    fn what_is_bound_is_put_in() {
        assert_eq!(fill("{{ db.host }}:{{ db.port }}", "web", &db()).unwrap(), "mariadb:3306");
        assert_eq!(fill("{{ self.name }} {{ db.url }}", "web", &db()).unwrap(), "web tcp://mariadb:3306");
        assert_eq!(fill("${HOME} stays", "web", &db()).unwrap(), "${HOME} stays");
        let own_cache = vec![Binding { need: "own-cache".into(), ..db().remove(0) }];
        assert_eq!(fill("{{ own_cache.port }}", "web", &own_cache).unwrap(), "3306");
    }

    #[test]
    fn what_is_not_bound_is_told() {
        assert_eq!(
            fill("{{ cache.host }}", "web", &db()).unwrap_err(),
            "`{{ cache.host }}` uses something that is not bound here; there is `db`, `self`"
        );
        assert!(fill("{{ db.host", "web", &db()).is_err());
        assert!(fill("{{ range(1000000000) }}", "web", &db()).is_err());
    }
}
