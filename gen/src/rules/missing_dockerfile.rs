//! `missing-dockerfile`

use crate::compose::Context;
use crate::finding::{Finding, Place, did_you_mean};

rule! {
    /// A service is built with a Dockerfile that is not there.
    ///
    /// ### What happens
    /// `docker compose config` is content. The build fails: "failed to read dockerfile: no such file or directory".
    ///
    /// ### What to do
    /// Make the file, or name the right one: `build: { context: ., dockerfile: docker/Dockerfile }`. Its path is relative to the context.
    "missing-dockerfile", Warning, Default, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for built in context.dockerfiles().filter(|built| built.file.is_none()) {
        let Some(user) = built.users.first() else { continue };
        let Some(service) = context.surroundings.services.get(user.service.as_str()) else { continue };
        let Some(build) = service.build.as_ref().filter(|build| build.node.get("dockerfile_inline").is_none()) else { continue };
        let short = |path: &std::path::Path| {
            let shown = path.strip_prefix(&context.project.directory).unwrap_or(path).display().to_string();
            if shown.is_empty() { ".".to_owned() } else { shown }
        };
        let (place, message, consequence, help) = if built.has_context {
            let name = built.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let names = built.path.parent().map(|folder| context.files.list(folder)).unwrap_or_default();
            let near = did_you_mean(name, names.iter().map(String::as_str)).or_else(|| names.iter().map(String::as_str).find(|name| name.contains("ockerfile")));
            let help = near.map_or_else(|| format!("make `{}`", short(&built.path)), |near| format!("did you mean `{near}`?"));
            (built.said, format!("the Dockerfile of `{}` does not exist: `{}`", service.name, short(&built.path)), "the build fails: \"failed to read dockerfile\"", help)
        } else {
            let help = "name the folder that the Dockerfile is in; it is relative to the Compose file".to_owned();
            (build.context_origin, format!("the build context of `{}` does not exist: `{}`", service.name, short(&built.context)), "the build fails: \"path not found\"", help)
        };
        findings.push(RULE.finding(Place::At(place), message, consequence.to_owned(), help).about(service.path("build")));
    }
}
