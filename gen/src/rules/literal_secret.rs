//! `literal-secret`

use crate::finding::{Finding, Place, below};
use crate::plan::{ImageSource, Origin};
use crate::rules::Context;
use crate::secret::{is_literal, is_secret_name};
use crate::source::{Pointer, pointer};

rule! {
    /// A password or a key stands in the topology.
    ///
    /// ### What happens
    /// It ends in the generated files and in the version history, `docker inspect` shows it to everybody who may ask the
    /// engine, and a secret in a build stays in the image for ever. The reports of cbwgen never show its value.
    ///
    /// ### What to do
    /// Keep it in a file that is not checked in, or let whoever deploys give it: `"${DB_PASSWORD}"`. If it was ever checked in,
    /// change it: the history still has it.
    ///
    /// ### Example
    /// ```toml
    /// [service.db]
    /// image = "mariadb:11.4"
    /// secrets = { db_password = { file = "./db_password.txt" } }
    /// env = { MARIADB_PASSWORD_FILE = "/run/secrets/db_password" }
    /// ```
    "literal-secret", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut judge = |key: &str, value: &str, table: Pointer, in_image: bool| {
        if !is_secret_name(key) || !is_literal(value) {
            return;
        }
        let name = key.to_lowercase();
        let secret = format!("`secrets = {{ {name} = {{ file = \"./{name}.txt\" }} }}`");
        let (ends, help) = if in_image {
            ("the image", format!("take it out of the build; give it to the component when it starts, by {secret}"))
        } else {
            ("the generated files", format!("use {secret}, which the program finds in `/run/secrets/{name}`, or `\"${{{key}}}\"`"))
        };
        findings.push(RULE.finding(
            Place::Key(below(&table, key)),
            format!("the value of `{key}` is a secret in plain text"),
            format!("it ends in {ends} and in the version history, for everybody to read"),
            help,
        ));
    };
    for component in context.plan.components.values() {
        let user = component.env.iter().filter(|(_, variable)| variable.origin == Origin::User);
        for (key, variable) in user {
            judge(key, &variable.value, below(&component.pointer, "env"), false);
        }
        let ImageSource::Program(program) = &component.image else { continue };
        for (key, value) in &program.env {
            judge(key, value, below(&below(&component.pointer, "build"), "env"), true);
        }
    }
    for (name, image) in &context.plan.images {
        for (key, value) in &image.env {
            judge(&key.0, &value.0, pointer(["image", name.as_str(), "env"]), true);
        }
    }
}
