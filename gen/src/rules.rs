//! What lint knows: one file a rule, one line a rule in the registry.
//!
//! A rule is a static description with a function on the plan. It returns findings and prints nothing; the user's
//! `[lints]` and comments are applied in one place, by [`crate::lint`]. The reader's own findings (syntax, keys, names)
//! have a rule too, so that they are documented like the others, but nothing switches them off.

use crate::compose;
use crate::finding::{Finding, Place, Severity};
use crate::firewall::Ufw;
use crate::plan::Plan;
use crate::render::Target;

mod ask;

pub(crate) use ask::{
    compose_ufw_verdicts, instances, is_loopback, log_dir, log_folder, log_volume, publish_as, published, replicas_place, ufw_verdicts,
    used,
};

/// What a rule may look at.
#[derive(Debug)]
pub struct Context<'a> {
    /// The deployment.
    pub plan: &'a Plan,
    /// What it is to be rendered for.
    pub target: Target,
    /// The host's firewall, as the topology or `--ufw` tells.
    pub firewall: Option<&'a Ufw>,
    /// Ports of the host that are taken, as `--host live` tells.
    pub listening: &'a [crate::firewall::live::Listening],
    /// Files beside the topology that the plan names and that are not there.
    pub missing_files: &'a [crate::facts::MissingFile],
    /// The topology as written: tells which of two places comes first.
    pub root: &'a crate::source::Node,
}

/// A rule: name, severity, documentation, check.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case, the same as the file's name.
    pub name: &'static str,
    /// What its findings are unless the user says otherwise.
    pub severity: Severity,
    /// Markdown, from the doc comment: a sentence, then what happens, why, and what to do.
    pub docs: &'static str,
    /// Whether its findings are facts or opinions; opinions are told on demand.
    pub group: Group,
    /// The check of topologies.
    pub check: Option<fn(&Context<'_>, &mut Vec<Finding>)>,
    /// The check of Compose projects. Neither: the reader itself finds the mistake, and nothing switches it off.
    pub compose: Option<fn(&compose::Context<'_>, &mut Vec<Finding>)>,
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Always: what it finds is wrong.
    Default,
    /// With `--pedantic`: good advice that not everybody follows.
    Pedantic,
    /// With `--security`: hardening.
    Security,
}

impl Rule {
    /// The first sentence of the documentation.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.docs.trim().lines().next().unwrap_or_default().trim()
    }

    /// Whether the reader itself finds the mistake and nothing can be made of the file: it cannot be switched off.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.severity == Severity::Error && self.check.is_none() && self.compose.is_none()
    }

    /// A finding of this rule.
    #[must_use]
    pub fn finding(&self, place: Place, message: String, consequence: String, help: String) -> Finding {
        Finding::new(self.name, self.severity, place, message, consequence, help)
    }
}

/// Declares the rule of a file; its doc comment is the user's documentation.
macro_rules! rule {
    ($(#[doc = $doc:literal])* $name:literal, $severity:ident, $check:expr) => {
        rule! { $(#[doc = $doc])* $name, $severity, Default, topology: $check, compose: None }
    };
    ($(#[doc = $doc:literal])* $name:literal, $severity:ident, $group:ident, topology: $check:expr, compose: $compose:expr) => {
        $(#[doc = $doc])*
        pub static RULE: crate::rules::Rule = crate::rules::Rule {
            name: $name,
            severity: crate::finding::Severity::$severity,
            docs: concat!($($doc, "\n"),*),
            group: crate::rules::Group::$group,
            check: $check,
            compose: $compose,
        };
    };
}

/// The registry: one line a rule, in the order of the alphabet.
macro_rules! registry {
    ($($rule:ident,)*) => {
        $(pub mod $rule;)*

        /// All rules.
        pub static ALL: &[&Rule] = &[$(&$rule::RULE,)*];
    };
}

registry! {
    add_url,
    alias_shadows_service,
    ambiguous_binding,
    apt_get_layers,
    apt_get_prompt,
    borrowed_port,
    broker_without_clients,
    broker_without_workers,
    completed_never,
    conflicting_keys,
    copy_source,
    deadline_shorter_than_work,
    default_password,
    dependency_cycle,
    deprecated_links,
    discarded_ports,
    docker_socket,
    dropped_duplicate,
    duplicate_key,
    duplicate_mount,
    duplicate_name,
    eaten_dollar,
    empty_project,
    empty_topology,
    endpoint_without_port,
    env_file_overridden,
    env_overrides_binding,
    ephemeral_port,
    exec_form_variable,
    external_resource,
    foreign_bind,
    healthcheck_form,
    healthcheck_never_fails,
    healthcheck_port,
    healthcheck_timing,
    healthcheck_tool,
    healthy_without_healthcheck,
    hidden_app,
    host_ssh_port,
    ignored_command,
    inactive_host,
    internal_network_ports,
    invalid_variable,
    kill_signal,
    latest_image,
    limits_order,
    literal_secret,
    log_without_volume,
    logger_without_volume,
    logging_options,
    loopback_bind,
    loopback_endpoint,
    missing_bind_source,
    missing_component,
    missing_dependency,
    missing_dockerfile,
    missing_file,
    missing_key,
    missing_secret,
    mount_kind,
    no_healthcheck,
    no_image,
    no_instances,
    no_log_rotation,
    no_memory_limit,
    no_restart,
    no_start_period,
    nobody_connects,
    nobody_listens,
    node_port_taken,
    node_without_room,
    obsolete_version,
    outside_client_shut_out,
    overlapping_subnets,
    port_clash,
    port_in_use,
    privileged_container,
    privileged_port,
    published_internal,
    published_port_inside,
    published_replicas,
    published_to_all,
    queue_too_small,
    read_only_data,
    read_only_log,
    read_only_root,
    reference_loop,
    reformatted_number,
    relative_target,
    relative_workdir,
    restart_conflict,
    root_needed,
    root_user,
    scaled_singleton,
    secret_in_environment,
    secret_in_image,
    secret_not_granted,
    shallow_healthcheck,
    shared_identity,
    shared_log,
    shared_volume,
    shell_form_command,
    shell_operators,
    single_point_of_failure,
    sla_out_of_reach,
    stateful_without_volume,
    static_address,
    stop_grace_too_short,
    stray_quotes,
    swarm_driver,
    swarm_only_key,
    syntax,
    target_loses,
    too_large,
    two_brokers,
    two_loggers,
    ufw_bypass,
    ufw_port_denied,
    ufw_port_not_allowed,
    underscore_host,
    undocumented_port,
    unknown_build_argument,
    unknown_host,
    unknown_key,
    unknown_lint,
    unknown_reference,
    unknown_stage,
    unpinned_image,
    unreachable_host,
    unset_build_argument,
    unset_variable,
    unused_allow,
    unused_logger,
    unused_resource,
    volume_elsewhere,
    weak_dependency,
    wildcard_endpoint,
    wrong_data_path,
    wrong_scheme,
    wrong_type,
    wrong_value,
}

/// A rule by name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.name == name).copied()
}

/// `1 instance`, `2 instances`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Names in backticks: `a`, `a` and `b`, `a`, `b` and `c`; long lists are cut.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<&str> = names.by_ref().take(6).collect();
    let more = names.count();
    let rest = more + 1;
    if more > 0 {
        shown.truncate(5);
    }
    let mut names: Vec<String> = shown.into_iter().map(|name| format!("`{name}`")).collect();
    if more > 0 {
        return format!("{} and {rest} more", names.join(", "));
    }
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_keeps_its_own_conventions() {
        let names: Vec<&str> = ALL.iter().map(|rule| rule.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted, "rules stand in the order of the alphabet, each once");
        for rule in ALL {
            assert!(rule.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.name);
            assert!(rule.summary().ends_with('.'), "`{}` begins with one sentence", rule.name);
            for section in ["### What happens", "### What to do"] {
                assert!(rule.docs.contains(section), "`{}` has a section `{section}`", rule.name);
            }
        }
    }
}
