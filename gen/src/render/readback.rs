//! What was rendered is read back: parsed by a YAML parser, checked against the schema of the Compose specification, and
//! compared with what was to be written. A template that loses something is refused before it replaces anything.
//!
//! Everything that the plan decides must be there. A template may say more, as long as nothing that the plan decides
//! changes by it: further environment variables, labels and keys are its own business, further ports are not.

mod model;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::Value;

use super::passthrough::Extra;
use super::view::{Pair, Project, Service};
pub(super) use model::Unique;
use model::{Document, Found};

/// The most differences that are told.
const MAX_DIFFERENCES: usize = 5;

/// Compares a rendered Compose file with what was to be written. The error tells what differs.
pub fn check(text: &str, project: &Project) -> Result<(), Vec<String>> {
    let mut value: Value = parse(text).map_err(|error| vec![error])?;
    let mut differences = schema::check(&value);
    if differences.is_empty() {
        take_passed_through(&mut value, project, &mut differences);
        match Document::read(&value) {
            Ok(document) => compare(&document, project, &mut differences),
            Err(error) => differences.push(error),
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(at_most(differences)) }
}

/// No more differences than anybody reads.
pub(super) fn at_most(mut differences: Vec<String>) -> Vec<String> {
    if differences.len() > MAX_DIFFERENCES {
        let rest = differences.len() - MAX_DIFFERENCES;
        differences.truncate(MAX_DIFFERENCES);
        differences.push(format!("and {rest} more"));
    }
    differences
}

/// Compares what was passed through as it is, and takes it out: the rest is what the plan decides.
fn take_passed_through(document: &mut Value, project: &Project, differences: &mut Vec<String>) {
    let mut take = |table: Option<&mut Value>, extras: &[Extra], of: &str| {
        let Some(table) = table.and_then(Value::as_object_mut).filter(|_| !extras.is_empty()) else {
            differences.extend(extras.first().map(|extra| format!("`{}`{of} is missing", extra.name)));
            return;
        };
        for extra in extras {
            match table.remove(&extra.name) {
                Some(found) if found == extra.value => {}
                Some(_) => differences.push(format!("`{}`{of} has another value", extra.name)),
                None => differences.push(format!("`{}`{of} is missing", extra.name)),
            }
        }
    };
    take(Some(document), &project.compose, "");
    take(document.get_mut("services"), &project.services_as_they_are, " among the services");
    for service in &project.services {
        let table = document.get_mut("services").and_then(|services| services.get_mut(&service.name));
        take(table, &service.compose, &format!(" of `{}`", service.name));
    }
}

/// Two keys of one name are an error: the second would replace the first.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    serde_yaml::from_str::<Unique>(text).map(|unique| unique.0).map_err(|error| format!("it is not YAML: {error}"))
}

fn compare(found: &Document, project: &Project, differences: &mut Vec<String>) {
    let mut wrong = |what: String| differences.push(what);
    if found.name != project.name {
        wrong(format!("its `name` is `{}` instead of `{}`", found.name, project.name));
    }
    let services: Vec<&str> = project.services.iter().map(|service| service.name.as_str()).collect();
    let secrets: Vec<&str> = project.secrets.iter().map(|secret| secret.name.as_str()).collect();
    for (kind, planned, found) in [
        ("service", services, found.services.keys().map(String::as_str).collect::<BTreeSet<_>>()),
        ("network", borrowed(&project.networks), found.networks.iter().map(String::as_str).collect()),
        ("volume", borrowed(&project.volumes), found.volumes.iter().map(String::as_str).collect()),
        ("secret", secrets, found.secrets.keys().map(String::as_str).collect()),
    ] {
        let planned: BTreeSet<&str> = planned.into_iter().collect();
        planned.difference(&found).for_each(|name| wrong(format!("the {kind} `{name}` is missing")));
        found.difference(&planned).for_each(|name| wrong(format!("the {kind} `{name}` was not planned")));
    }
    for secret in &project.secrets {
        let Some(found) = found.secrets.get(&secret.name) else { continue };
        let planned = (&secret.file, &secret.environment, secret.external);
        if planned != (&found.file, &found.environment, found.external) {
            wrong(format!("the secret `{}` comes from somewhere else", secret.name));
        }
    }
    for service in &project.services {
        if let Some(found) = found.services.get(&service.name) {
            compare_service(found, service, &mut wrong);
        }
    }
}

fn compare_service(found: &Found, planned: &Service, wrong: &mut dyn FnMut(String)) {
    let name = &planned.name;
    let mut values = Values { name, wrong };
    let build = planned.build.as_ref().map(|build| (build.context.clone(), build.dockerfile.clone()));
    let networks = planned.networks.iter().map(|network| (network.name.clone(), sorted(&network.aliases))).collect();
    let replicas = u64::from(planned.replicas);
    let scale = if planned.scale { replicas } else { 1 };
    values.same("image", &found.image, &planned.image);
    values.same("build", &found.build, &build);
    values.same("command", &found.command, &planned.command);
    values.same("init", &found.init, &planned.init);
    values.same("depends_on", &found.depends_on, &by_name(&planned.depends_on));
    values.same("networks", &found.networks, &networks);
    values.same("expose", &found.expose, &planned.expose);
    values.same("ports", &sorted(&found.ports), &sorted(&planned.ports));
    values.same("volumes", &sorted(&found.volumes), &sorted(&planned.volumes));
    values.same("tmpfs", &sorted(&found.tmpfs), &sorted(&planned.tmpfs));
    values.same("secrets", &found.secrets, &by_name(&planned.secrets));
    values.same("healthcheck", &found.healthcheck, &planned.healthcheck);
    values.same("restart", found.restart.as_str(), planned.restart);
    values.same("stop_grace_period", &found.stop_grace_period, &planned.stop_grace_period);
    values.same("user", &found.user, &planned.user);
    values.same("read_only", &found.read_only, &planned.read_only);
    values.same("cap_drop", &sorted(&found.cap_drop), &sorted(&planned.cap_drop));
    values.same("cap_add", &sorted(&found.cap_add), &sorted(&planned.cap_add));
    values.same("scale", &found.scale, &scale);
    values.same("deploy.replicas", &found.replicas, &replicas);
    values.same("deploy.resources.limits.cpus", &found.cpus, &planned.cpus);
    values.same("deploy.resources.limits.memory", &found.memory, &planned.memory);
    for (what, found, planned) in [("environment", &found.environment, &planned.environment), ("labels", &found.labels, &planned.labels)] {
        for pair in planned {
            match found.get(&pair.name) {
                Some(value) if *value == pair.value => {}
                Some(_) => wrong(format!("`{}` in the {what} of `{name}` has another value", pair.name)),
                None => wrong(format!("`{}` is missing in the {what} of `{name}`", pair.name)),
            }
        }
    }
}

/// Compares the values of one service.
struct Values<'a> {
    name: &'a str,
    wrong: &'a mut dyn FnMut(String),
}

impl Values<'_> {
    fn same<T: PartialEq + Debug + ?Sized>(&mut self, key: &str, found: &T, planned: &T) {
        if found != planned {
            let short = |value: &T| crate::source::decode::shorten(&format!("{value:?}"));
            (self.wrong)(format!("`{key}` of `{}` is {} instead of {}", self.name, short(found), short(planned)));
        }
    }
}

fn by_name(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Where the order says nothing.
fn sorted(items: &[String]) -> Vec<String> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items
}
