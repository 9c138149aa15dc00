//! `secret-in-image`

use crate::compose::Context;
use crate::compose::dockerfile::variables;
use crate::finding::{Finding, Place};
use crate::rules::unknown_stage::about;
use crate::secret::{is_literal, is_secret_name};

rule! {
    /// A password or a key is built into an image.
    ///
    /// ### What happens
    /// `docker history` shows the values of `ARG` and `ENV` to everybody who has the image, for ever.
    ///
    /// ### What to do
    /// In a build use `RUN --mount=type=secret`, in a container a secret.
    "secret-in-image", Warning, Pedantic, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let tell = |name: &str, place, how: &str| {
        RULE.finding(
            Place::At(place),
            format!("the secret `{name}` is built into the image by {how}"),
            "`docker history` shows it to everybody who has the image".to_owned(),
            format!("use `RUN --mount=type=secret,id={}`, or give it to the container as a secret", name.to_lowercase()),
        )
    };
    for built in context.dockerfiles() {
        for instruction in &built.dockerfile.instructions {
            match instruction.keyword.as_str() {
                "ENV" => {
                    let secrets = variables(instruction).into_iter().filter(|(name, value)| is_secret_name(name) && is_literal(&value.text) && !value.text.starts_with('$'));
                    findings.extend(secrets.map(|(name, value)| tell(&name, built.at(&value.range), "`ENV`").about(about(built))));
                }
                "ARG" => {
                    let names = instruction.words.iter().filter(|word| is_secret_name(word.text.split('=').next().unwrap_or_default()));
                    findings.extend(names.map(|word| tell(word.text.split('=').next().unwrap_or_default(), built.at(&word.range), "`ARG`").about(about(built))));
                }
                _ => {}
            }
        }
    }
    for service in context.services() {
        for (name, value, origin) in service.build.iter().flat_map(|build| &build.args) {
            if is_secret_name(name) && value.as_deref().is_some_and(is_literal) {
                findings.push(tell(name, *origin, "a build argument").about(service.path(&format!("build.args.{name}"))));
            }
        }
    }
}
