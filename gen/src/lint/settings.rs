//! What the user wants to hear: options of the command line, and `cbwgen.toml`.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Located, about_lint, locate};
use crate::finding::{Finding, Place};
use crate::rules::{Group, Rule};
use crate::source::{ReadError, Source, decode, pointer, toml};
use crate::spec::{Level, mistakes};

/// Which rules are asked, and how bad their findings are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Ask for good advice too: rules of [`Group::Pedantic`].
    pub pedantic: bool,
    /// Ask for hardening too: rules of [`Group::Security`].
    pub security: bool,
    /// Report what comments allow as well.
    pub no_allow: bool,
    /// What to do with findings, by rule. Naming a rule here asks it, whatever group it belongs to.
    pub levels: IndexMap<String, Level>,
}

impl Settings {
    /// Whether a rule is asked at all.
    #[must_use]
    pub fn asks(&self, rule: &Rule) -> bool {
        match self.levels.get(rule.name) {
            Some(level) => *level != Level::Allow,
            None => match rule.group {
                Group::Default => true,
                Group::Pedantic => self.pedantic,
                Group::Security => self.security,
            },
        }
    }

    /// The same, with levels that win over these.
    #[must_use]
    pub fn with_levels(&self, levels: &IndexMap<String, Level>) -> Self {
        let mut settings = self.clone();
        settings.levels.extend(levels.iter().map(|(name, level)| (name.clone(), *level)));
        settings
    }

    /// The same, with what a file sets as well.
    #[must_use]
    pub fn and(&self, config: &Config) -> Self {
        let mut settings = self.with_levels(&config.keys.lints);
        settings.pedantic |= config.keys.pedantic;
        settings.security |= config.keys.security;
        settings
    }
}

/// The name of the file that is looked for.
pub const FILE: &str = "cbwgen.toml";

/// A `cbwgen.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its text.
    pub source: Source,
    /// What is wrong with it; the only file is [`Self::source`].
    pub findings: Vec<Located>,
    keys: Keys,
}

/// Everything that the file can say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    /// Rules and what to do with their findings.
    lints: IndexMap<String, Level>,
    /// As `--pedantic`.
    pedantic: bool,
    /// As `--security`.
    security: bool,
}

impl Config {
    /// Reads a file. `shown` is how messages call it.
    pub fn read(path: &Path, shown: &Path) -> Result<Self, ReadError> {
        let mut source = Source::read(path)?;
        source.name = shown.display().to_string();
        Ok(Self::parse(source))
    }

    /// Understands a text.
    #[must_use]
    pub fn parse(source: Source) -> Self {
        let (root, errors) = toml::parse(&source.text);
        let mut findings: Vec<Finding> = errors.into_iter().map(mistakes::syntax).collect();
        let mut keys = Keys::default();
        if findings.is_empty() {
            let (read, wrong) = decode::decode::<Keys>(root.clone(), &Vec::new());
            keys = read.unwrap_or_default();
            findings.extend(wrong.into_iter().map(|located| settings_instead_of_topology(mistakes::finding(located))));
            findings.extend(keys.lints.keys().filter_map(|name| about_lint(name, Place::Key(pointer(["lints", name])))));
        }
        let findings = findings.into_iter().map(|finding| locate(finding, std::slice::from_ref(&source), Some(&root))).collect();
        Self { source, findings, keys }
    }
}

/// The messages are those of a topology, with which this file shares its reader.
fn settings_instead_of_topology(mut finding: Finding) -> Finding {
    finding.message = finding.message.replace("the topology", "`cbwgen.toml`");
    finding.consequence = String::from("the line has no effect");
    if finding.help.contains("cbwgen schema") {
        finding.help = String::from("correct the value");
    }
    finding
}

/// The nearest `cbwgen.toml` of a folder: in it or above it, up to the root of the repository.
#[must_use]
pub fn find(folder: &Path) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let candidate = folder.join(FILE);
        if candidate.is_file() {
            return Some(candidate);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    fn parse(text: &str) -> Config {
        Config::parse(Source::new("cbwgen.toml", text))
    }

    #[test]
    fn a_level_asks_a_rule_or_silences_it() {
        let config = parse("pedantic = true\n[lints]\nunpinned-image = \"allow\"\n");
        assert_eq!(config.findings, []);
        let settings = Settings::default().and(&config);
        assert!(settings.pedantic && !settings.security);
        assert!(!settings.asks(&rules::unpinned_image::RULE));
        assert!(settings.asks(&rules::two_brokers::RULE));
    }

    #[test]
    fn mistakes_have_a_place() {
        let config = parse("pedantik = true\nsecurity = 1\n[lints]\ntwo-brokrs = \"allow\"\nport-clash = \"fatal\"\n");
        let told: Vec<_> = config.findings.iter().map(|found| (found.start.line, found.finding.message.as_str())).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told.contains(&(1, "unknown key `pedantik` in `cbwgen.toml`")), "{told:?}");
        assert!(told.contains(&(4, "there is no rule `two-brokrs`")), "{told:?}");
    }
}
