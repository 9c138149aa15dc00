//! What a plan is rendered for.

use std::fmt;

use clap::ValueEnum;

use super::templates::Engine;
use super::{Error, File, Options, compose, kubernetes, script, swarm};
use crate::finding::below;
use crate::plan::{Component, Plan};
use crate::rules;
use crate::source::Pointer;

/// What a plan is rendered for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Target {
    /// Docker Compose: one machine, `docker-compose.yml`
    #[default]
    Compose,
    /// A Swarm of several machines: `stack.yml` for `docker stack deploy`
    Swarm,
    /// Kubernetes 1.29 and later: manifests and `kustomization.yaml` for `kubectl apply -k`
    Kubernetes,
    /// Docker without Compose: `deploy.sh`, a shell script
    Script,
}

/// Something that a topology says and a target cannot do. Lint tells it as `target-loses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where the topology says it.
    pub pointer: Pointer,
    /// What is lost: lower case, names in backticks, no stop at the end.
    pub what: String,
    /// What will happen.
    pub effect: String,
    /// What to do.
    pub remedy: String,
}

impl Target {
    /// All targets.
    pub const ALL: &[Self] = &[Self::Compose, Self::Swarm, Self::Kubernetes, Self::Script];

    /// As the command line says it: `compose`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Swarm => "swarm",
            Self::Kubernetes => "kubernetes",
            Self::Script => "script",
        }
    }

    /// What the target cannot do of a plan, in the order in which the components start.
    #[must_use]
    pub fn losses(self, plan: &Plan) -> Vec<Loss> {
        let own = match self {
            Self::Compose => return compose::losses(plan),
            Self::Swarm => swarm::losses(plan),
            Self::Kubernetes => kubernetes::losses(plan),
            Self::Script => script::losses(plan),
        };
        own.into_iter().chain(self.passed_through(plan)).collect()
    }

    /// What is said in Compose's own words, which only Compose reads.
    fn passed_through(self, plan: &Plan) -> impl Iterator<Item = Loss> {
        let of = move |component: &Component| {
            let words = component.compose.keys().map(String::as_str);
            (!component.compose.is_empty()).then(|| Loss {
                pointer: below(&component.pointer, "compose"),
                what: format!("only Compose reads {} under `compose`", rules::list(words)),
                effect: format!("`{}` is started without that by the target `{}`", component.name, self.name()),
                remedy: "say it with keys of the topology, where there are any".to_owned(),
            })
        };
        plan.deployed().filter_map(of).collect::<Vec<_>>().into_iter()
    }

    /// What the target refuses of a plan: then nothing is written for it.
    #[must_use]
    pub fn refusals(self, plan: &Plan) -> Vec<Loss> {
        match self {
            Self::Kubernetes => kubernetes::refusals(plan),
            Self::Compose | Self::Swarm | Self::Script => Vec::new(),
        }
    }

    /// Renders the files, the one that the target runs first.
    pub(super) fn files(self, plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
        match self {
            Self::Compose => compose::files(plan, options, engine),
            Self::Swarm => swarm::files(plan, options, engine),
            Self::Kubernetes => kubernetes::files(plan, options, engine),
            Self::Script => script::files(plan, options, engine),
        }
    }

    /// Reads back the first file, as it was rendered, and compares it with the plan.
    pub(super) fn check(self, text: &str, plan: &Plan, options: &Options) -> Result<(), Error> {
        match self {
            Self::Compose => compose::check(text, plan, options),
            Self::Swarm => swarm::check(text, plan, options),
            Self::Kubernetes => kubernetes::check(text, plan, options),
            // A shell is no format that could be read back; its own templates are tested by what it does.
            Self::Script => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_knows_every_target_by_its_name() {
        assert_eq!(Target::value_variants(), Target::ALL);
        for target in Target::ALL {
            assert_eq!(Target::from_str(target.name(), false), Ok(*target));
        }
    }
}
