//! `shallow-healthcheck`

use std::collections::HashSet;

use crate::compose;
use crate::finding::{Finding, Place, Severity};
use crate::plan::{Component, Target};
use crate::rules::{Context, list};

rule! {
    /// A database is "healthy" without anybody having logged in.
    ///
    /// ### What happens
    /// `mariadb-admin ping` and `mysqladmin ping` end with 0 as soon as a server answers, and be it "access denied"; `pg_isready` does
    /// not log in either; and `redis-cli ping` ends with 0 when it is refused for want of a password. Over the socket they even find the server that an image runs only to
    /// set itself up. Whoever waits for this database starts, and says "Error establishing a database connection".
    ///
    /// ### What to do
    /// Ask what the application asks: over TCP, with its own user, password and database.
    ///
    /// ### Example
    /// ```toml
    /// healthcheck = "mariadb -h 127.0.0.1 -u app -p\"$(cat /run/secrets/DB_PASSWORD)\" -e 'SELECT 1' app"
    /// ```
    "shallow-healthcheck", Warning, Default, topology: Some(check), compose: Some(check_compose)
}

/// A check that logs nobody in, and what would.
struct Shallow {
    /// The words that are found, and underlined.
    words: &'static str,
    what_it_says: &'static str,
    better: &'static str,
    severity: Severity,
}

const MYSQL: &str = "`mariadb -h 127.0.0.1 -u USER -p\"$(cat /run/secrets/NAME)\" -e 'SELECT 1' DATABASE`";

/// The shallow check in the text of a health check.
fn shallow(text: &str, asks_password: bool) -> Option<Shallow> {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&' | '|' | '(' | ')')).filter(|word| !word.is_empty()).collect();
    let runs = |tool: &str| words.iter().any(|word| word.rsplit('/').next() == Some(tool));
    let pings = words.contains(&"ping");
    // A second command may log in.
    let logs_in = ["mariadb", "mysql", "psql"].into_iter().any(runs);
    let (words, what_it_says, better, severity) = if logs_in {
        return None;
    } else if runs("mariadb-admin") && pings {
        ("mariadb-admin", "is content when the server answers \"access denied\"", MYSQL, Severity::Warning)
    } else if runs("mysqladmin") && pings {
        ("mysqladmin", "is content when the server answers \"access denied\"", MYSQL, Severity::Warning)
    } else if runs("pg_isready") {
        let psql = "`PGPASSWORD=\"$(cat /run/secrets/NAME)\" psql -h 127.0.0.1 -U USER -d DATABASE -c 'SELECT 1'`";
        ("pg_isready", "does not log in: any user, password and database will do", psql, Severity::Note)
    } else if runs("redis-cli") && pings && asks_password && !["PONG", "-a", "--pass", "REDISCLI_AUTH"].iter().any(|word| text.contains(word)) {
        let redis = "`REDISCLI_AUTH=\"$(cat /run/secrets/NAME)\" redis-cli ping | grep -q PONG`";
        ("redis-cli", "is content when the server answers \"NOAUTH\"", redis, Severity::Warning)
    } else {
        return None;
    };
    Some(Shallow { words, what_it_says, better, severity })
}

fn message(name: &str, shallow: &Shallow, waiting: &[&str]) -> (String, String, String) {
    (
        format!("the health check of `{name}` {}", shallow.what_it_says),
        format!("{} would start with wrong credentials, or too early, and fail where `{name}` is \"healthy\"", list(waiting.iter().copied())),
        format!("ask over TCP as the application does: {}", shallow.better),
    )
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for component in context.plan.deployed() {
        let Some(health) = &component.healthcheck else { continue };
        let asks_password = asks_password(component.command.as_deref().unwrap_or_default());
        let Some(shallow) = shallow(&health.test[1..].join(" "), asks_password) else { continue };
        let is_bound = |other: &&Component| other.bindings.iter().any(|binding| matches!(&binding.target, Target::Component { name, .. } if *name == component.name));
        let waiting: Vec<&str> = context.plan.deployed().filter(is_bound).map(|other| other.name.as_str()).collect();
        if waiting.is_empty() {
            continue;
        }
        let (message, consequence, help) = message(&component.name, &shallow, &waiting);
        let mut finding = RULE.finding(Place::value_of(&component.pointer, "healthcheck"), message, consequence, help);
        finding.severity = shallow.severity;
        findings.push(finding);
    }
}

fn check_compose(context: &compose::Context<'_>, findings: &mut Vec<Finding>) {
    // Once for all: a project may have thousands of services.
    let waits = context.services().flat_map(|service| service.depends_on.iter().filter(|need| need.condition == "service_healthy").map(move |need| (need.name, service.name)));
    let waits: Vec<(&str, &str)> = waits.collect();
    let awaited: HashSet<&str> = waits.iter().map(|(name, _)| *name).collect();
    for service in context.services().filter(|service| awaited.contains(service.name)) {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled && health.test.len() > 1) else { continue };
        let command: Vec<String> = service.command.iter().flat_map(|command| &command.words).map(|(word, _)| word.clone()).collect();
        let Some(shallow) = shallow(&health.text(), asks_password(&command)) else { continue };
        let waiting: Vec<&str> = waits.iter().filter(|(name, _)| *name == service.name).map(|(_, who)| *who).collect();
        let (message, consequence, help) = message(service.name, &shallow, &waiting);
        let origin = health.test.iter().skip(1).find(|(word, _)| word.contains(shallow.words)).map_or(health.origin, |(_, origin)| *origin);
        let place = Place::At(context.surroundings.narrow(origin, shallow.words));
        let mut finding = RULE.finding(place, message, consequence, help).about(service.path("healthcheck.test"));
        finding.severity = shallow.severity;
        findings.push(finding);
    }
}

fn asks_password(command: &[String]) -> bool {
    command.iter().any(|word| word.contains("requirepass"))
}
