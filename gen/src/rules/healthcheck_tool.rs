//! `healthcheck-tool`

use crate::compose::Context;
use crate::compose::images::Reference;
use crate::compose::view::Service;
use crate::finding::{Finding, Place};

rule! {
    /// A health check runs a program that the image does not have.
    ///
    /// ### What happens
    /// The check runs in the container. `scratch` and "distroless" images have no shell and no `curl`; those on Alpine have `wget` but no
    /// `curl`, the slim ones of Debian neither. "executable file not found": the container is never healthy, and whoever waits for it
    /// never starts.
    ///
    /// ### What to do
    /// Install the program in the Dockerfile, use one that is there (`wget -q --spider`), or let the program check itself.
    "healthcheck-tool", Error, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let Some(health) = service.health.as_ref().filter(|health| !health.is_disabled && health.test.len() > 1) else { continue };
        let is_shell = health.test.first().is_some_and(|(form, _)| form == "CMD-SHELL");
        let text = health.text();
        let uses = |tool: &str| text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | '"' | '\'')).any(|word| word.rsplit('/').next() == Some(tool));
        let Some((base, what)) = base(service) else { continue };
        let missing = ["curl", "wget"].into_iter().find(|tool| uses(tool) && lacks(&base, tool) && !is_added(service, tool));
        let is_empty = is_empty(&base);
        let tool = match missing {
            Some(tool) => tool,
            None if is_empty && is_shell && !is_added(service, "sh") => "sh",
            None => continue,
        };
        let origin = health.test.iter().skip(1).map(|(_, origin)| *origin).next().unwrap_or(health.origin);
        let help = if is_empty {
            "let the program check itself, as in `test: [CMD, /app/program, --check]`".to_owned()
        } else if tool == "curl" && !lacks(&base, "wget") {
            "use `wget -q --spider URL`, or install `curl` in the Dockerfile".to_owned()
        } else {
            format!("install `{tool}` in the Dockerfile, or use a program that is there")
        };
        findings.push(
            RULE.finding(
                Place::At(context.surroundings.narrow(origin, tool)),
                format!("the health check of `{}` runs `{tool}`, which {what} does not have", service.name),
                "\"executable file not found\": it is never healthy".to_owned(),
                help,
            )
            .about(service.path("healthcheck.test")),
        );
    }
}

/// The image that the container's files come from, and how to call it.
fn base(service: &Service<'_>) -> Option<(String, String)> {
    if service.build.is_some() {
        let base = service.base.clone()?;
        let what = format!("its image, built on `{base}`,");
        return Some((base, what));
    }
    let (image, _) = service.image?;
    // What is in other people's images is not known.
    let reference = Reference::new(image);
    let sure = reference.is_official() && matches!(reference.short(), "alpine" | "debian" | "ubuntu" | "busybox" | "postgres" | "redis" | "mysql" | "mariadb" | "mongo" | "valkey" | "rabbitmq" | "memcached")
        || image.contains("distroless");
    sure.then(|| (image.to_owned(), format!("`{image}`")))
}

fn is_empty(base: &str) -> bool {
    base == "scratch" || (base.contains("distroless") && !base.contains("debug"))
}

fn lacks(base: &str, tool: &str) -> bool {
    let reference = Reference::new(base);
    let tag = reference.tag.unwrap_or_default();
    if is_empty(base) {
        return true;
    }
    if !reference.is_official() {
        return false;
    }
    let short = reference.short();
    let on_alpine = short == "alpine" || tag.contains("alpine");
    match tool {
        // nginx brings curl, even on Alpine; Debian's language images that are not slim have both.
        "curl" if on_alpine => matches!(short, "alpine" | "node" | "python" | "golang" | "postgres" | "redis" | "php-never" | "ruby" | "rust" | "memcached" | "valkey"),
        "wget" if on_alpine || short == "busybox" => false,
        _ => {
            let slim = tag.contains("slim") && matches!(short, "debian" | "node" | "python" | "ruby" | "rust" | "openjdk" | "php-never");
            slim || matches!(short, "debian" | "ubuntu" | "postgres" | "redis" | "mariadb" | "valkey" | "memcached") || (short == "busybox" && tool == "curl")
        }
    }
}

/// Whether a Dockerfile installs or copies something of this name.
fn is_added(service: &Service<'_>, tool: &str) -> bool {
    service.made_by.iter().any(|text| text.contains(tool)) || service.made_by.iter().any(|text| tool != "sh" && text.contains("${") && text.contains("install"))
}
