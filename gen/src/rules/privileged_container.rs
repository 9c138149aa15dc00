//! `privileged-container`

use crate::compose::Context;
use crate::compose::tree::Node;
use crate::finding::{Finding, Place};

rule! {
    /// A container has rights that lead out of it.
    ///
    /// ### What happens
    /// `privileged`, `SYS_ADMIN`, the host's processes or an unconfined profile take the walls away: whoever takes over the program has the
    /// host.
    ///
    /// ### What to do
    /// Give it only what it needs: one capability (`cap_add: [NET_ADMIN]`), one device (`devices`).
    "privileged-container", Warning, Security, topology: None, compose: Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for service in context.services() {
        let mut tell = |key: &str, place, what: &str| {
            findings.push(
                RULE.finding(
                    Place::At(place),
                    format!("`{}` {what}", service.name),
                    "whoever takes over this container has the host".to_owned(),
                    "give it only what it needs: one capability, one device".to_owned(),
                )
                .about(service.path(key)),
            );
        };
        if let Some(privileged) = service.node.get("privileged").filter(|node| node.is_true()) {
            tell("privileged", privileged.origin, "is privileged");
        }
        for key in ["pid", "ipc", "userns_mode", "uts", "cgroup"] {
            if let Some((_, origin)) = service.text(key).filter(|(value, _)| *value == "host") {
                tell(key, origin, &format!("shares `{key}` with the host"));
            }
        }
        for capability in service.node.get("cap_add").map(Node::items).unwrap_or_default() {
            let name = capability.str().unwrap_or_default().to_ascii_uppercase();
            if matches!(name.trim_start_matches("CAP_"), "ALL" | "SYS_ADMIN" | "SYS_PTRACE" | "SYS_MODULE" | "DAC_READ_SEARCH" | "SYS_RAWIO" | "BPF") {
                tell("cap_add", capability.origin, &format!("has the capability `{name}`"));
            }
        }
        for option in service.node.get("security_opt").map(Node::items).unwrap_or_default() {
            if option.str().is_some_and(|text| text.ends_with("unconfined") || text == "label:disable") {
                tell("security_opt", option.origin, "runs without the engine's profile");
            }
        }
        for mount in service.mounts.iter().filter(|mount| mount.kind == "bind") {
            if mount.source.is_some_and(|source| matches!(source, "/" | "/etc" | "/root" | "/boot" | "/proc" | "/sys" | "/var/run" | "/run")) && !mount.is_read_only {
                tell("volumes", mount.origin, "can write the host's own folders");
            }
        }
    }
}
