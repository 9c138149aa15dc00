//! What outlives a pod: claims of volumes; and what does not: folders in memory.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Cluster;
use super::names::{self, Names};
use crate::plan::{Component, Plan};
use crate::render::text;
use crate::spec::values::{Size, Volume};

/// What a claim asks for, as a topology says no size. An overlay says how much it is.
pub(super) const SIZE: &str = "1Gi";

/// The volumes of a plan, by what the topology calls their source.
pub(super) struct Claims(HashMap<String, Claim>);

/// A `PersistentVolumeClaim`.
pub(super) struct Claim {
    pub name: String,
    /// The component with whose objects it is written.
    owner: String,
    /// How many pods write to it or read it at the same time.
    pub pods: u64,
}

impl Claims {
    pub fn of(plan: &Plan) -> Self {
        let mut claims: HashMap<String, Claim> = HashMap::new();
        let mut taken = Names::default();
        for component in plan.deployed() {
            for volume in component.volumes.iter().filter(|volume| is_kept(volume)) {
                // Two mounts of one component are in the same pod.
                let again = component.volumes.iter().take_while(|other| *other != volume).any(|other| other.source == volume.source);
                let claim = claims.entry(volume.source.clone()).or_insert_with(|| Claim {
                    name: taken.take(last_part(&text::unset(&volume.source)), names::MAX_LABEL),
                    owner: component.name.clone(),
                    pods: 0,
                });
                claim.pods += if again { 0 } else { u64::from(component.replicas) };
            }
        }
        Self(claims)
    }

    pub fn get(&self, volume: &Volume) -> Option<&Claim> {
        self.0.get(&volume.source)
    }

    /// The claims that are written with a component's objects.
    pub fn objects(&self, cluster: &Cluster<'_>, component: &Component) -> Vec<Value> {
        let mut objects: Vec<Value> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for volume in &component.volumes {
            let Some(claim) = self.get(volume).filter(|claim| claim.owner == component.name) else { continue };
            if seen.contains(&claim.name.as_str()) {
                continue;
            }
            seen.push(&claim.name);
            objects.push(json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": cluster.metadata(component, &claim.name),
                "spec": {
                    "accessModes": [if claim.pods > 1 { "ReadWriteMany" } else { "ReadWriteOnce" }],
                    "resources": { "requests": { "storage": SIZE } },
                },
            }));
        }
        objects
    }
}

/// Whether a claim takes the place of a volume. What is only read from a folder of the host is not in the cluster, and an empty
/// claim in its place would hide that.
pub(super) fn is_kept(volume: &Volume) -> bool {
    !(volume.is_bind() && volume.read_only)
}

/// What a volume is called: the last part of a path.
fn last_part(source: &str) -> &str {
    source.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// A component's volumes with where they are mounted: of a pod, and of its container.
#[derive(Default)]
pub(super) struct Mounts {
    pub volumes: Vec<Value>,
    pub mounts: Vec<Value>,
}

/// The claims and the folders in memory of a component.
pub(super) fn mounts(cluster: &Cluster<'_>, component: &Component) -> Mounts {
    let mut all = Mounts::default();
    let mut names = Names::default();
    let mut of_claim: HashMap<&str, String> = HashMap::new();
    for volume in &component.volumes {
        let Some(claim) = cluster.claims.get(volume).filter(|_| is_kept(volume)) else { continue };
        let name = of_claim.entry(&claim.name).or_insert_with(|| {
            let name = names.take(&claim.name, names::MAX_LABEL);
            all.volumes.push(json!({ "name": name, "persistentVolumeClaim": { "claimName": claim.name } }));
            name
        });
        all.mounts.push(json!({ "name": name, "mountPath": volume.target, "readOnly": volume.read_only.then_some(true) }));
    }
    for folder in &component.tmpfs {
        let (path, options) = folder.split_once(':').unwrap_or((folder, ""));
        let name = names.take(&format!("memory{}", path.trim_end_matches('/').replace('/', "-")), names::MAX_LABEL);
        all.volumes.push(json!({ "name": name, "emptyDir": { "medium": "Memory", "sizeLimit": size_limit(options) } }));
        all.mounts.push(json!({ "name": name, "mountPath": path }));
    }
    all
}

/// The option `size` of a folder in memory: bytes, or with `k`, `m`, `g` (tmpfs(5)).
fn size_limit(options: &str) -> Option<String> {
    let size = options.split(',').find_map(|option| option.strip_prefix("size="))?;
    let digits = size.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = size[..digits].parse().ok()?;
    match size[digits..].to_ascii_lowercase().as_str() {
        "" => Some(number.to_string()),
        "k" => Some(format!("{number}Ki")),
        "m" => Some(format!("{number}Mi")),
        "g" => Some(format!("{number}Gi")),
        _ => None,
    }
}

/// An amount of memory as a quantity: `64Mi`, `1G`, `5k`, or bytes. A topology says the same units with a `B` behind them.
pub(super) fn quantity(size: Size) -> String {
    size.to_string().replace('B', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_quantities() {
        for (size, expected) in [("64MiB", "64Mi"), ("1GB", "1G"), ("5kB", "5k"), ("3KiB", "3Ki"), ("7B", "7"), ("2TiB", "2048Gi")] {
            assert_eq!(quantity(size.parse().unwrap()), expected);
        }
        assert_eq!(size_limit("uid=1,size=64m,mode=0755"), Some("64Mi".to_owned()));
        assert_eq!((size_limit("size=4096"), size_limit("size=50%"), size_limit("")), (Some("4096".to_owned()), None, None));
    }

    #[test]
    fn a_volume_is_called_by_the_last_part_of_its_path() {
        for (source, name) in [("./logs", "logs"), ("/srv/data/", "data"), ("node-logs", "node-logs"), ("..", "..")] {
            assert_eq!(last_part(source), name);
        }
    }
}
