//! What was rendered is read back: parsed by a YAML parser, checked against the schema of the Compose specification, and
//! compared with what was to be written. A template that loses something is refused before it replaces anything.
//!
//! Everything that the plan decides must be there. A template may say more, as long as nothing that the plan decides
//! changes by it: further environment variables, labels and keys are its own business, further ports are not.

mod model;
mod schema;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

use super::view::{Project, Service};
use model::{Document, Found};

/// The most differences that are told.
const MAX_DIFFERENCES: usize = 5;

/// Compares a rendered Compose file with what was to be written. The error tells what differs.
pub fn check(text: &str, project: &Project) -> Result<(), Vec<String>> {
    let value: Value = parse(text).map_err(|error| vec![error])?;
    let mut differences = schema::check(&value);
    if differences.is_empty() {
        match Document::read(&value) {
            Ok(document) => compare(&document, project, &mut differences),
            Err(error) => differences.push(error),
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    if differences.len() > MAX_DIFFERENCES {
        let rest = differences.len() - MAX_DIFFERENCES;
        differences.truncate(MAX_DIFFERENCES);
        differences.push(format!("and {rest} more"));
    }
    Err(differences)
}

/// Two keys of one name are an error: the second would replace the first.
fn parse(text: &str) -> Result<Value, String> {
    serde_yaml::from_str::<model::Unique>(text).map(|unique| unique.0).map_err(|error| format!("it is not YAML: {error}"))
}

fn compare(found: &Document, project: &Project, differences: &mut Vec<String>) {
    let mut wrong = |what: String| differences.push(what);
    if found.name != project.name {
        wrong(format!("its `name` is `{}` instead of `{}`", found.name, project.name));
    }
    let names = |names: &[String]| names.iter().map(|name| (name.clone(), ())).collect::<BTreeMap<_, _>>();
    let secrets: Vec<String> = project.secrets.iter().map(|secret| secret.name.clone()).collect();
    for (kind, planned, found) in [
        ("service", names(&project.services.iter().map(|service| service.name.clone()).collect::<Vec<_>>()), names(&found.service_names())),
        ("network", names(&project.networks), names(&found.networks)),
        ("volume", names(&project.volumes), names(&found.volumes)),
        ("secret", names(&secrets), names(&found.secrets.keys().cloned().collect::<Vec<_>>())),
    ] {
        for (name, ()) in &planned {
            if !found.contains_key(name) {
                wrong(format!("the {kind} `{name}` is missing"));
            }
        }
        for (name, ()) in &found {
            if !planned.contains_key(name) {
                wrong(format!("the {kind} `{name}` was not planned"));
            }
        }
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
    let mut same = |key: &str, found: &dyn Debug, planned: &dyn Debug| {
        let (found, planned) = (format!("{found:?}"), format!("{planned:?}"));
        if found != planned {
            let short = crate::source::decode::shorten;
            wrong(format!("`{key}` of `{name}` is {} instead of {}", short(&found), short(&planned)));
        }
    };
    let pairs = |pairs: &[super::view::Pair]| -> BTreeMap<String, String> {
        pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect()
    };
    let sorted = |items: &[String]| {
        let mut items = items.to_vec();
        items.sort_unstable();
        items
    };
    same("image", &found.image, &planned.image);
    same("build", &found.build, &planned.build.as_ref().map(|build| (build.context.clone(), build.dockerfile.clone())));
    same("command", &found.command, &planned.command);
    same("init", &found.init, &planned.init);
    same("depends_on", &found.depends_on, &pairs(&planned.depends_on));
    same("networks", &found.networks, &planned.networks.iter().map(|n| (n.name.clone(), sorted(&n.aliases))).collect::<BTreeMap<_, _>>());
    same("ports", &sorted(&found.ports), &sorted(&planned.ports));
    same("volumes", &sorted(&found.volumes), &sorted(&planned.volumes));
    same("tmpfs", &sorted(&found.tmpfs), &sorted(&planned.tmpfs));
    same("secrets", &found.secrets, &pairs(&planned.secrets));
    same("healthcheck", &found.healthcheck, &planned.healthcheck);
    same("restart", &found.restart, &planned.restart);
    same("stop_grace_period", &found.stop_grace_period, &planned.stop_grace_period);
    same("user", &found.user, &planned.user);
    same("read_only", &found.read_only, &planned.read_only);
    same("cap_drop", &sorted(&found.cap_drop), &sorted(&planned.cap_drop));
    same("cap_add", &sorted(&found.cap_add), &sorted(&planned.cap_add));
    same("scale", &found.scale, &planned.replicas);
    same("deploy.replicas", &found.replicas, &planned.replicas);
    same("deploy.resources.limits", &(&found.cpus, &found.memory), &(&planned.cpus, &planned.memory));
    for (what, found, planned) in
        [("environment", &found.environment, &planned.environment), ("labels", &found.labels, &planned.labels)]
    {
        for pair in planned {
            match found.get(&pair.name) {
                Some(value) if *value == pair.value => {}
                Some(_) => wrong(format!("`{}` in the {what} of `{name}` has another value", pair.name)),
                None => wrong(format!("`{}` is missing in the {what} of `{name}`", pair.name)),
            }
        }
    }
}
