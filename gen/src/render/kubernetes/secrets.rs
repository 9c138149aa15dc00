//! Secrets. No value is ever in a generated file: a kustomization of their own makes them from the user's files. It stands apart
//! from everything else, as kustomize reads no file outside its folder unless it is told to. What has no file is referred to, and
//! somebody makes it.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::names::{self, Names};
use super::{some, yaml};
use crate::plan::{Component, Plan};
use crate::render::{File, Options, text};
use crate::spec::Secret;

/// The folder of the kustomization that makes the Secrets, and the volume that they are mounted from.
pub(super) const FOLDER: &str = "secrets";

/// Where the engine mounts secrets.
const MOUNTED: &str = "/run/secrets";

/// The secrets of a plan, in the order in which they are first used.
pub(super) struct Secrets<'p>(IndexMap<Key, Kept<'p>>);

/// What a component calls a secret, and where its value comes from: what two components mean by one name may be two things.
type Key = (String, Option<String>, Option<String>, bool);

/// A secret and where the cluster keeps it: under the name that components know it by.
pub(super) struct Kept<'p> {
    /// The Secret's name.
    pub name: String,
    /// Where its value comes from.
    pub source: &'p Secret,
}

fn key(file: &str, source: &Secret) -> Key {
    (file.to_owned(), source.file.clone(), source.env.clone(), source.external)
}

impl<'p> Secrets<'p> {
    pub fn of(plan: &'p Plan) -> Self {
        let mut secrets = IndexMap::new();
        let mut names = Names::default();
        let mut seen = HashSet::new();
        for component in plan.deployed() {
            for (file, source) in &component.secrets {
                secrets.entry(key(file, source)).or_insert_with(|| {
                    let wanted = if seen.insert(file) { file.clone() } else { format!("{}-{file}", component.name) };
                    Kept { name: names.take(&wanted, names::MAX_LABEL), source }
                });
            }
        }
        Self(secrets)
    }

    /// A component's secret.
    pub fn find(&self, file: &str, source: &Secret) -> Option<&Kept<'p>> {
        self.0.get(&key(file, source))
    }

    /// The names of all Secrets, whoever makes them.
    pub fn names(&self) -> Vec<&str> {
        self.0.values().map(|kept| kept.name.as_str()).collect()
    }

    /// All secrets of a component as one volume with a file each, and its mount.
    pub fn mount(&self, component: &Component) -> Option<(Value, Value)> {
        let item = |(file, source): (&String, &Secret)| {
            let kept = self.find(file, source)?;
            Some(json!({ "secret": { "name": kept.name, "items": [{ "key": file, "path": file }] } }))
        };
        let sources = some(component.secrets.iter().filter_map(item).collect())?;
        // Where the pod has a group (`fsGroup`), the files belong to it.
        let mode = if component.user.is_some() { 0o440 } else { 0o444 };
        Some((
            json!({ "name": FOLDER, "projected": { "defaultMode": mode, "sources": sources } }),
            json!({ "name": FOLDER, "mountPath": MOUNTED, "readOnly": true }),
        ))
    }

    /// The kustomization that makes the Secrets of the user's files.
    pub fn files(&self, plan: &Plan, options: &Options) -> Option<File> {
        let folder = options.out.join(FOLDER);
        let of_file = |((name, ..), kept): (&Key, &Kept<'_>)| {
            let file = text::unset(kept.source.file.as_ref()?);
            let path = if file.starts_with(['/', '~']) { file } else { folder.way_to(&options.folder.join(&file)) };
            Some(json!({ "name": kept.name, "files": [format!("{name}={path}")] }))
        };
        let generators = some(self.0.iter().filter_map(of_file).collect())?;
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "generatorOptions": {
                "disableNameSuffixHash": true,
                "labels": { "app.kubernetes.io/part-of": plan.name, "app.kubernetes.io/managed-by": "cbwgen" },
            },
            "secretGenerator": generators,
        });
        let about = "# Makes the Secrets, before the deployment is applied and whenever one changes:\n\
                     #   kubectl kustomize --load-restrictor LoadRestrictionsNone THIS/FOLDER | kubectl apply -f -\n";
        Some(File { path: format!("{FOLDER}/kustomization.yaml"), content: about.to_owned() + &yaml::document(&kustomization) })
    }
}
