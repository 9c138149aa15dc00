//! `docker-socket`

use crate::compose::Context;
use crate::finding::{Finding, Place};

rule! {
    /// A container gets the engine's socket.
    ///
    /// ### What happens
    /// Whoever may talk to the engine is root on the host: it starts a container that mounts `/`. Read-only (`:ro`) changes nothing, since a
    /// socket is not written to like a file.
    ///
    /// ### What to do
    /// Give it a proxy that lets only the needed questions through, or none.
    "docker-socket", Warning, Security, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        for mount in &service.mounts {
            if !mount.source.is_some_and(|source| source.ends_with("/docker.sock") || source.ends_with("/podman.sock") || source.ends_with("/containerd.sock")) {
                continue;
            }
            findings.push(
                RULE.finding(
                    Place::At(mount.origin),
                    format!("`{}` gets the socket of the engine", service.name),
                    "whoever takes over this container is root on the host".to_owned(),
                    "put a proxy before it that lets only the needed questions through".to_owned(),
                )
                .about(service.path(&format!("volumes.{}", mount.index))),
            );
        }
    }
}
