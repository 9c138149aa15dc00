//! `default-password`

use crate::compose::Context;
use crate::finding::{Finding, Place};
use crate::secret::is_secret_name;

rule! {
    /// A password is one that everybody guesses first.
    ///
    /// ### What happens
    /// Whoever reaches the port is in. Samples are copied, and their passwords with them.
    ///
    /// ### What to do
    /// Take it from a secret: `POSTGRES_PASSWORD_FILE: /run/secrets/db_password`, or from whoever deploys: `${DB_PASSWORD:?}`.
    "default-password", Warning, Pedantic, topology: None, compose: Some(check)
}

/// What is tried first.
const WEAK: &[&str] = &[
    "postgres", "password", "passwd", "pass", "secret", "admin", "root", "example", "changeme", "change-me", "change_me", "default", "test", "guest", "mysql",
    "mariadb", "mongo", "redis", "db", "user", "wordpress", "123456", "12345678", "1234", "12345", "qwerty", "letmein", "supersecret", "mypassword",
    "mysecretpassword", "secretpassword", "rootpassword", "somewordpress", "minioadmin", "minio", "rabbitmq", "password123", "admin123", "pass123", "dev", "toor", "app", "db-password",
];

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for (name, variable) in &service.environment {
            let Some(value) = variable.value.as_deref().filter(|_| is_secret_name(name) || name.to_ascii_uppercase().ends_with("_PASS")) else { continue };
            if is_weak(context, service.name, value, &service.environment) {
                tell(context, service, name, variable.origin, findings);
            }
        }
    }
}

fn tell(_: &Context<'_>, service: &crate::compose::view::Service<'_>, name: &str, origin: crate::source::Origin, findings: &mut Vec<Finding>) {
    findings.push(
        RULE.finding(
            Place::At(origin),
            format!("the value of `{name}` of `{}` is one that everybody guesses first", service.name),
            "whoever reaches it is in".to_owned(),
            format!("take it from a secret (`{name}_FILE: /run/secrets/{}`), or from whoever deploys: `${{{name}:?}}`", name.to_lowercase()),
        )
        .about(service.path(&format!("environment.{name}"))),
    );
}

fn is_weak(_: &Context<'_>, service: &str, value: &str, environment: &indexmap::IndexMap<String, crate::compose::view::Variable>) -> bool {
    let value = value.to_lowercase();
    let is_user = || environment.iter().any(|(name, variable)| name.to_ascii_uppercase().ends_with("USER") && variable.value.as_deref().is_some_and(|user| user.eq_ignore_ascii_case(&value)));
    !value.is_empty() && (WEAK.contains(&value.as_str()) || value == service || is_user())
}
