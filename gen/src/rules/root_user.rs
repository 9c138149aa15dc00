//! `root-user`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A program that is built here runs as root.
    ///
    /// ### What happens
    /// A hole in the program is a hole in the container's walls: files of the host that are mounted belong to whoever gets in.
    ///
    /// ### What to do
    /// `USER 10001` at the end of the Dockerfile, or `user: "10001"` in the Compose file.
    "root-user", Note, Security, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let is_root = |user: &str| matches!(user.split(':').next(), Some("root" | "0"));
        let place = match &service.user {
            Some((user, origin)) if is_root(user) => *origin,
            Some(_) => continue,
            // What other people's images do is not known.
            None => match service.build.as_ref().and_then(|build| context.surroundings.dockerfiles.get(build.dockerfile?)) {
                Some(built) if !built.dockerfile.stages.is_empty() && !service.base.as_deref().is_some_and(|base| base.contains("nonroot") || base.contains("unprivileged")) => {
                    let stage = built.users.iter().find(|user| user.service == service.name).and_then(|user| built.dockerfile.stages.get(user.stage?));
                    stage.map_or(service.key, |stage| built.at(&stage.base.range))
                }
                _ => continue,
            },
        };
        findings.push(
            RULE.finding(
                Place::At(place),
                format!("`{}` runs as root", service.name),
                "a hole in the program leads further than it must".to_owned(),
                "add `USER 10001` to the Dockerfile, or `user: \"10001\"` to the service".to_owned(),
            )
            .about(service.path("user")),
        );
    }
}
