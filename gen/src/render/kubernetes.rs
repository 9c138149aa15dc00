//! For Kubernetes 1.29 and later: manifests, and a `kustomization.yaml`, so that people overlay instead of edit.
//!
//! | in the plan | in the cluster |
//! |---|---|
//! | a component that runs on | a Deployment; of a broker, a logger and whatever keeps data `Recreate`: never two at a time |
//! | a client that ends | an indexed Job: each instance has its number, and one that fails is tried again by itself |
//! | an endpoint that somebody is bound to | a port of the Service that is called like the component; headless where peers want every address |
//! | a published endpoint | a Service of the kind `LoadBalancer` with that port alone |
//! | the environment | a `ConfigMap`; the pods are replaced when it changes |
//! | a secret | a reference: the Secret is made from the user's file, or by somebody |
//! | a volume | a `PersistentVolumeClaim` |
//! | a folder in memory | an `emptyDir` in memory |
//! | a network | a `NetworkPolicy`: who is bound to an endpoint reaches it, nobody else does |
//! | a health check | a readiness probe; of our broker a liveness probe too: its check asks nobody else |
//! | the order of start | nothing: what is not ready gets no connections, and our programs connect again |
//!
//! The manifests are values in the words of the API reference; every text in them is quoted when they are written. What was
//! written is read back and held against what the API server would refuse, and against itself: see [`check`].

mod check;
mod losses;
mod names;
mod network;
mod pod;
mod secrets;
mod storage;
#[cfg(test)]
mod tests;
mod workload;
mod yaml;

use serde_json::{Value, json};

pub use losses::{losses, refusals};

use super::templates::Engine;
use super::{Error, File, Options, dockerfile, images};
use crate::plan::{Component, ImageSource, Plan};
use names::Names;
use network::Bound;
use secrets::Secrets;
use storage::Claims;

/// All objects of a plan, in the order in which the components start.
const MANIFESTS: &str = "manifests.yaml";

/// What the plan is called in the cluster, where it cannot keep its own names.
struct Cluster<'p> {
    plan: &'p Plan,
    bound: Bound<'p>,
    claims: Claims,
    secrets: Secrets<'p>,
}

impl<'p> Cluster<'p> {
    fn of(plan: &'p Plan) -> Self {
        Self { plan, bound: Bound::of(plan), claims: Claims::of(plan), secrets: Secrets::of(plan) }
    }

    /// The labels by which a component's pods are found. They never change: a Deployment's selector cannot.
    fn selector(&self, component: &str) -> Value {
        json!({ "app.kubernetes.io/name": component, "app.kubernetes.io/part-of": self.plan.name })
    }

    /// The recommended labels (Kubernetes documentation, "Recommended Labels").
    fn labels(&self, component: &Component) -> Value {
        json!({
            "app.kubernetes.io/name": component.name,
            "app.kubernetes.io/part-of": self.plan.name,
            "app.kubernetes.io/component": component.role.name(),
            "app.kubernetes.io/managed-by": "cbwgen",
        })
    }

    /// What an object of a component begins with.
    fn metadata(&self, component: &Component, name: &str) -> Value {
        json!({ "name": name, "labels": self.labels(component) })
    }

    /// What an object of the whole deployment begins with.
    fn own_metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "labels": { "app.kubernetes.io/part-of": self.plan.name, "app.kubernetes.io/managed-by": "cbwgen" },
        })
    }
}

/// The image of a component, as a cluster pulls it: one that is built here is called as Compose calls it.
fn image(plan: &Plan, component: &Component) -> String {
    match &component.image {
        ImageSource::Ready(image) => super::text::unset(image),
        _ => format!("{}-{}", plan.name, component.name),
    }
}

/// The manifests, then what is applied with them, then what builds the images.
pub(super) fn files(plan: &Plan, options: &Options, engine: &Engine<'_>) -> Result<Vec<File>, Error> {
    let cluster = Cluster::of(plan);
    let objects = objects(&cluster);
    let manifests = yaml::documents(objects.iter().map(|(comment, object)| (comment.as_deref(), object)));
    let mut files = vec![File { path: MANIFESTS.to_owned(), content: manifests }, kustomization(objects.is_empty())];
    files.extend(cluster.secrets.files(plan, options));
    files.extend(images::build_script(plan, options, engine)?);
    files.extend(dockerfile::dockerfiles(plan, options, engine)?);
    Ok(files)
}

/// Reads the manifests back.
pub(super) fn check(text: &str, plan: &Plan, _: &Options) -> Result<(), Error> {
    let cluster = Cluster::of(plan);
    let objects = objects(&cluster);
    let wanted: Vec<&Value> = objects.iter().map(|(_, object)| object).collect();
    check::check(text, &wanted, &cluster.secrets.names()).map_err(|reasons| Error::Refused { target: "Kubernetes", reasons })
}

fn kustomization(is_empty: bool) -> File {
    let about = "# Overlay this instead of editing it: a kustomization.yaml of your own with `resources: [PATH/TO/THIS/FOLDER]` says\n\
                 # the namespace, the registry and tag of `images`, the number of `replicas`, and patches.\n";
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": if is_empty { vec![] } else { vec![MANIFESTS] },
    });
    File { path: "kustomization.yaml".to_owned(), content: about.to_owned() + &yaml::document(&kustomization) }
}

/// All objects, the first one of each component with a comment.
fn objects(cluster: &Cluster<'_>) -> Vec<(Option<String>, Value)> {
    let mut objects = Vec::new();
    let mut services = Names::default();
    for component in cluster.plan.deployed() {
        services.take(&component.name, names::MAX_LABEL);
    }
    for component in cluster.plan.deployed() {
        let mut of_component = Vec::new();
        of_component.extend(pod::config_map(cluster, component));
        of_component.extend(cluster.claims.objects(cluster, component));
        of_component.extend(network::service(cluster, component));
        of_component.extend(network::public_service(cluster, component, &mut services));
        of_component.extend(workload::workload(cluster, component));
        let mut comment = Some(format!("{} {}", component.role.name(), component.name));
        objects.extend(of_component.into_iter().map(|object| (comment.take(), yaml::without_nulls(object))));
    }
    let mut comment = Some("who reaches whom".to_owned());
    objects.extend(network::policies(cluster).into_iter().map(|object| (comment.take(), yaml::without_nulls(object))));
    objects
}

/// A list that is not said when it is empty.
fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}
