//! `missing-secret`

use std::path::Path;

use crate::compose::Context;
use crate::compose::files::Kind;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A secret or a config comes from a file or a variable that is not there.
    ///
    /// ### What happens
    /// `docker compose config` is content. `up` fails: "bind source path does not exist", or "environment variable … required by
    /// secret … is not set".
    ///
    /// ### What to do
    /// Make the file (and keep it out of version control), or set the variable before you start.
    "missing-secret", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (key, what) in [("secrets", "secret"), ("configs", "config")] {
        let used: std::collections::HashSet<&str> = context.services().flat_map(|service| crate::rules::unused_resource::named(service, key)).collect();
        for (name, entry) in context.project.model.get(key).into_iter().flat_map(Node::entries).filter(|(name, _)| used.contains(name)) {
            let node = &entry.node;
            if let Some(file) = node.get("file").filter(|file| file.str().is_some_and(|path| is_missing(context, path))) {
                let path = Path::new(file.str().unwrap_or_default());
                let shown = path.strip_prefix(&context.project.directory).unwrap_or(path).display().to_string();
                findings.push(
                    RULE.finding(
                        Place::At(file.origin),
                        format!("the file of the {what} `{name}` does not exist: `{shown}`"),
                        "`docker compose up` fails: \"bind source path does not exist\"".to_owned(),
                        format!("make the file `{shown}`, and keep it out of version control"),
                    )
                    .about(format!("{key}.{name}.file")),
                );
            }
            let variable = node.get("environment").and_then(|variable| Some((variable.str()?, variable.origin)));
            // Where a value is known, it was put beside its name.
            let is_set = node.get("content").is_some() || node.get("x-#value").is_some();
            if let Some((variable, origin)) = variable.filter(|(variable, _)| !is_set && is_unset(context, variable)) {
                findings.push(
                    RULE.finding(
                        Place::At(origin),
                        format!("the {what} `{name}` comes from the variable `{variable}`, which is not set"),
                        format!("`docker compose up` fails: \"environment variable \\\"{variable}\\\" required by {what} \\\"{name}\\\" is not set\""),
                        format!("set `{variable}` before you start, for example in `.env`"),
                    )
                    .about(format!("{key}.{name}.environment")),
                );
            }
        }
    }
}

/// Only the project's own folder is the same here and where it is deployed.
fn is_missing(context: &Context<'_>, path: &str) -> bool {
    let path = Path::new(path);
    path.starts_with(&context.project.directory) && context.files.kind(path) == Kind::Missing
}

fn is_unset(context: &Context<'_>, name: &str) -> bool {
    !context.project.environment.contains_key(name)
}
