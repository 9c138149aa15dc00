//! `eaten-dollar`

use crate::compose::Context;
use crate::compose::surroundings::Surroundings;
use crate::compose::view::Service;
use crate::compose::{Project, Variable};
use crate::finding::{Finding, Fix, Place};
use crate::secret::is_secret_name;
use crate::source::Origin;

rule! {
    /// A `$` that was meant for the container, or for itself, is taken by Compose.
    ///
    /// ### What happens
    /// Compose replaces `$NAME` when it reads the file, from the environment of whoever starts it, not from that of the container. The
    /// name is not set there, so nothing is put in: the check asks `localhost:`, the password `pa$word` becomes `pa`.
    ///
    /// ### What to do
    /// Write two dollar signs: `$$NAME`. One of them arrives.
    ///
    /// ### Example
    /// ```yaml
    /// services:
    ///   web:
    ///     environment: { PORT: "80" }
    ///     healthcheck: { test: [CMD-SHELL, "curl -f http://localhost:$$PORT"] }
    /// ```
    "eaten-dollar", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let all = context.surroundings;
    for variable in eaten(context.project) {
        let Some((service, rest)) = place(all, variable) else { continue };
        let dollar = dollar(all, variable);
        let key = rest.split('.').next().unwrap_or_default();
        let text = all.text_of(variable.origin);
        let (message, consequence) = match key {
            "healthcheck" | "command" | "entrypoint" if service.environment.contains_key(&variable.name) => (
                format!("`${}` is replaced by Compose, which does not know it, not in the container of `{}`", variable.name, service.name),
                "nothing is put there; the variable of the container is never asked".to_owned(),
            ),
            "environment" if is_glued(text, &variable.name) && is_secret_name(&name_of(rest, text)) => (
                // The name is a piece of the secret: it is not told.
                format!("a `$` in the secret `{}` of `{}` is taken for the beginning of a variable", name_of(rest, text), service.name),
                "there is no such variable, so the secret arrives without this part".to_owned(),
            ),
            _ => continue,
        };
        let help = if key == "environment" { "write two dollar signs: `$$`".to_owned() } else { format!("write two dollar signs: `$${}`", variable.name) };
        let mut finding = RULE
            .finding(Place::At(dollar.unwrap_or(variable.origin)), message, consequence, help)
            .about(&variable.path);
        finding.related.extend(service.environment.get(&variable.name).map(|own| (Place::At(own.key), "the container's variable".to_owned())));
        finding.fix = dollar.map(|place| Fix {
            title: "double the dollar sign".to_owned(),
            edits: vec![(Origin { end: place.start, ..place }, "$".to_owned())],
        });
        findings.push(finding);
    }
    env_files(context, findings);
}

/// Whether the name of a variable is a piece of a secret, which must not be told.
pub(crate) fn is_piece(all: &Surroundings<'_>, variable: &Variable) -> bool {
    let text = all.text_of(variable.origin);
    is_glued(text, &variable.name) && is_secret_name(&name_of(&variable.path, text))
}

/// Variables that are not set, where the text says nothing of that.
pub(crate) fn eaten(project: &Project) -> impl Iterator<Item = &Variable> {
    project.variables.iter().filter(|variable| variable.value.is_none() && !variable.has_operator)
}

/// The service, and the way below it.
fn place<'s, 'p, 'v>(all: &'s Surroundings<'p>, variable: &'v Variable) -> Option<(&'s Service<'p>, &'v str)> {
    let rest = variable.path.strip_prefix("services.")?;
    // A service's name may have dots: the longest that fits.
    let ends = rest.match_indices('.').map(|(at, _)| at);
    ends.filter_map(|at| Some((all.services.get(&rest[..at])?, &rest[at + 1..]))).next_back()
}

/// The bytes of `$NAME` or `${NAME}`.
fn dollar(all: &Surroundings<'_>, variable: &Variable) -> Option<Origin> {
    let text = all.text_of(variable.origin);
    let at = [format!("${{{}}}", variable.name), format!("${}", variable.name)].into_iter().find_map(|word| {
        let (at, _) = text.match_indices(word.as_str()).find(|(at, _)| !text[..*at].ends_with('$'))?;
        Some((at, word.len()))
    })?;
    let start = variable.origin.start.checked_add(u32::try_from(at.0).ok()?)?;
    Some(Origin { start, end: start.checked_add(u32::try_from(at.1).ok()?)?, ..variable.origin })
}

/// Whether the name stands without braces among other letters: `pa$word`.
fn is_glued(text: &str, name: &str) -> bool {
    let Some(at) = text.find(&format!("${name}")) else { return false };
    text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '!' | '@' | '#' | '%' | '^' | '&' | '*'))
        || text[at + 1 + name.len()..].starts_with(['!', '@', '#', '%', '^', '&', '*'])
}

/// The name of the variable that is given its value: the key, or what stands before `=`.
fn name_of(rest: &str, text: &str) -> String {
    let last = rest.rsplit('.').next().unwrap_or_default();
    if last.parse::<usize>().is_err() {
        return last.to_owned();
    }
    text.trim_start_matches(['"', '\'']).split('=').next().unwrap_or_default().to_owned()
}

/// Compose replaces variables in env files, too, unless they stand in single quotes.
fn env_files(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut told = std::collections::HashSet::new();
    for service in context.services() {
        let from_files = service.environment.iter().filter(|(_, variable)| variable.from == crate::compose::view::From::EnvFile);
        for (name, variable) in from_files {
            let Some(value) = variable.value.as_deref().filter(|value| value.contains('$') && is_secret_name(name)) else { continue };
            let before = Origin { start: variable.origin.start.saturating_sub(1), end: variable.origin.start, ..variable.origin };
            let part = value.split('$').nth(1).unwrap_or_default();
            let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(part.len());
            let part = &part[..end];
            let is_name = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let quoted = context.surroundings.text_of(before) == "'";
            if quoted || !is_name || !is_glued(value, part) || value.contains("\\$") || service.environment.contains_key(part) || !told.insert(variable.origin) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(variable.origin),
                    format!("a `$` in the secret `{name}` is taken for the beginning of a variable"),
                    "Compose replaces variables in env files, too: the secret arrives without this part".to_owned(),
                    "put the value in single quotes: in them nothing is replaced".to_owned(),
                )
                .about(service.path("env_file")),
            );
        }
    }
}
