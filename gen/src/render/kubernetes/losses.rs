//! What of a plan a cluster does otherwise, and what somebody has to do for it.

use std::collections::HashSet;

use super::names::{self, is_service_name};
use super::network::{Bound, is_served};
use super::secrets::{self, Secrets};
use super::storage::{self, Claims};
use super::workload;
use crate::finding::below;
use crate::plan::{Component, ImageSource, Plan, Role};
use crate::render::{Loss, text};
use crate::rules::{count, list};
use crate::source::Pointer;
use crate::spec::Restart;

/// What Kubernetes does not do as Compose does, in the order in which the components start.
#[must_use]
pub fn losses(plan: &Plan) -> Vec<Loss> {
    let (claims, secrets) = (Claims::of(plan), Secrets::of(plan));
    let mut losses: Vec<Loss> = built_images(plan).into_iter().collect();
    let mut told = HashSet::new();
    for component in plan.deployed() {
        losses.extend(start_order(component));
        losses.extend(restart(component));
        losses.extend(volumes(component, &claims, &mut told));
        losses.extend(memory(component));
        losses.extend(published(component));
        losses.extend(variables(component));
        losses.extend(kept_secrets(component, &secrets));
        losses.extend(most_per_node(component));
    }
    losses
}

/// What the API server would refuse.
#[must_use]
pub fn refusals(plan: &Plan) -> Vec<Loss> {
    let bound = Bound::of(plan);
    plan.deployed().filter_map(|component| impossible_name(component, &bound)).collect()
}

/// A key of a component.
fn at(component: &Component, keys: &[&str]) -> Pointer {
    keys.iter().fold(component.pointer.clone(), |pointer, key| below(&pointer, key))
}

/// A cluster only pulls.
fn built_images(plan: &Plan) -> Option<Loss> {
    let built: Vec<&Component> = plan.deployed().filter(|component| component.is_built_here()).collect();
    let first = built.first()?;
    let images: Vec<String> = built.iter().map(|component| super::image(plan, component)).collect();
    Some(Loss {
        pointer: first.pointer.clone(),
        what: format!("Kubernetes builds no images: it pulls {}", list(images.iter().map(String::as_str))),
        effect: "the pods stay in `ImagePullBackOff` until their images are where the cluster looks for them".to_owned(),
        remedy: format!(
            "run `build.sh` of the generated files, then push the images to a registry and name it in an overlay \
             (`kustomize edit set image {0}=REGISTRY/{0}:TAG`), or load them into the nodes (`kind load docker-image {0}`)",
            images.first().map_or("", String::as_str)
        ),
    })
}

/// What no object may be called.
fn impossible_name(component: &Component, bound: &Bound<'_>) -> Option<Loss> {
    let name = &component.name;
    let short = crate::source::decode::shorten(name);
    let (what, remedy) = if is_served(bound, component) && !is_service_name(name) {
        (format!("no Service can be called `{short}`: its name begins with a letter"), "use a letter in front".to_owned())
    } else if !workload::runs_on(component) && name.len() + index_digits(component) + 1 > names::MAX_LABEL {
        let most = names::MAX_LABEL - index_digits(component) - 1;
        (
            format!("the pods of the Job `{short}` would have host names of more than 63 characters"),
            format!("use at most {most} characters"),
        )
    } else {
        return None;
    };
    Some(Loss {
        pointer: component.pointer.clone(),
        what,
        effect: "the API server would refuse it, so nothing is written".to_owned(),
        remedy,
    })
}

/// The digits of the last instance's number.
fn index_digits(component: &Component) -> usize {
    component.replicas.saturating_sub(1).to_string().len()
}

/// Everything starts at once. Our own programs connect again until their peers answer, and a Job is tried again.
fn start_order(component: &Component) -> Option<Loss> {
    if component.is_own() || component.depends_on.is_empty() {
        return None;
    }
    let name = &component.name;
    let again = if workload::runs_on(component) { "it is started again until it finds them" } else { "its Job is tried again, six times" };
    Some(Loss {
        pointer: at(component, &["needs"]),
        what: format!("in Kubernetes `{name}` does not wait for {}", list(component.depends_on.keys().map(String::as_str))),
        effect: format!("everything starts at once: when it ends with an error, {again}"),
        remedy: format!("let the program in `{name}` try again until its peer answers"),
    })
}

fn restart(component: &Component) -> Option<Loss> {
    if component.is_one_shot() || !matches!(component.restart, Restart::No | Restart::OnFailure) {
        return None;
    }
    let (name, restart) = (&component.name, component.restart.as_str());
    Some(Loss {
        pointer: at(component, &["restart"]),
        what: format!("a Deployment cannot leave `{name}` stopped as `restart = \"{restart}\"` does"),
        effect: "it is started again whenever it ends, with any exit code, after pauses of up to five minutes".to_owned(),
        remedy: "let the program run on; what ends by itself is a `[client.NAME]`, which becomes a Job".to_owned(),
    })
}

fn volumes(component: &Component, claims: &Claims, told: &mut HashSet<String>) -> Vec<Loss> {
    let of_role = usize::from(matches!(&component.role, Role::Logger { volume: Some(_), .. }));
    let mut losses = Vec::new();
    for (index, volume) in component.volumes.iter().enumerate() {
        let pointer = match index.checked_sub(of_role) {
            Some(index) => at(component, &["volumes", &index.to_string()]),
            None => at(component, &["volume"]),
        };
        let (name, source, target) = (&component.name, &volume.source, &volume.target);
        let Some(claim) = claims.get(volume).filter(|_| storage::is_kept(volume)) else {
            losses.push(Loss {
                pointer,
                what: format!("`{name}` reads `{source}` of this host, which no pod of a cluster sees"),
                effect: format!("nothing is mounted at `{target}`, and the program starts without"),
                remedy: format!(
                    "copy it into the image (`copy = [\"{source}:{target}\"]` in `build`), or mount a ConfigMap there in an overlay"
                ),
            });
            continue;
        };
        // A volume that is mounted twice is one claim.
        if !told.insert(source.clone()) {
            continue;
        }
        let size = storage::SIZE;
        let (what, effect) = if volume.is_bind() {
            (
                format!("pods do not see the folder `{source}` of this host: the claim `{}` takes its place", claim.name),
                format!("it begins empty and asks for {size}, and what `{name}` writes is in the cluster"),
            )
        } else {
            (
                format!("the volume `{source}` becomes the claim `{}`, and a claim asks for a size", claim.name),
                format!("it asks for {size}; when that is full, nothing more can be written"),
            )
        };
        let remedy = format!("patch `spec.resources.requests.storage` of the PersistentVolumeClaim `{}` in an overlay", claim.name);
        losses.push(Loss { pointer: pointer.clone(), what, effect, remedy });
        if claim.pods > 1 {
            losses.push(Loss {
                pointer,
                what: format!("{} share the volume `{source}`", count(claim.pods, "pod")),
                effect: "its claim asks for `ReadWriteMany`, which many storage classes cannot do: then the pods stay `Pending`".to_owned(),
                remedy: "give it a storage class that can (NFS, CephFS) in an overlay, or each component a volume of its own".to_owned(),
            });
        }
    }
    losses
}

/// Options of tmpfs that an `emptyDir` does not know. Its owner is the pod's group, whatever `uid`, `gid` and `mode` say.
fn memory(component: &Component) -> Vec<Loss> {
    let mut losses = Vec::new();
    for folder in &component.tmpfs {
        let (path, options) = folder.split_once(':').unwrap_or((folder, ""));
        let lost = |option: &&str| !["", "rw", "uid", "gid", "mode", "size"].contains(&option.split('=').next().unwrap_or_default());
        let lost: Vec<&str> = options.split(',').filter(lost).collect();
        if !lost.is_empty() {
            losses.push(Loss {
                pointer: at(component, &["tmpfs"]),
                what: format!("the folder in memory `{path}` of `{}` cannot have the options {}", component.name, list(lost.into_iter())),
                effect: "it is mounted without them".to_owned(),
                remedy: "leave them out: nothing in the pod may gain privileges anyway".to_owned(),
            });
        }
    }
    losses
}

fn published(component: &Component) -> Vec<Loss> {
    let name = &component.name;
    let mut losses = Vec::new();
    for published in &component.published {
        let port = published.host_port;
        let forward = format!("`kubectl port-forward deployment/{name} {port}:{}`", published.port);
        let (what, effect, remedy) = match published.address.filter(|address| !address.is_unspecified()) {
            Some(address) => (
                format!("a cluster cannot publish port {port} of `{name}` on {address} alone"),
                "no Service is made for it, since a load balancer would open it to everybody: nobody reaches it from outside".to_owned(),
                format!("{forward} opens it on the machine where it runs"),
            ),
            None => (
                format!("port {port} of this host becomes port {port} of a load balancer, the Service `{name}-public`"),
                format!(
                    "others reach it by the load balancer's address{}; without load balancers in the cluster it stays `<pending>`",
                    match component.replicas {
                        0 | 1 => String::new(),
                        several => format!(", each connection at any of {several} instances"),
                    }
                ),
                format!("patch its `type` to `NodePort` in an overlay where there are none, or use {forward}"),
            ),
        };
        losses.push(Loss { pointer: published.pointer.clone(), what, effect, remedy });
    }
    losses
}

/// Compose fills variables in when it deploys; nobody does so here.
fn variables(component: &Component) -> Vec<Loss> {
    let name = &component.name;
    let in_env = component
        .env
        .iter()
        .map(|(key, variable)| (at(component, &["env", key]), variable.value.as_str(), format!("the ConfigMap `{name}`")));
    let in_image = match &component.image {
        ImageSource::Ready(image) => Some((at(component, &["image"]), image.as_str(), "`images`".to_owned())),
        _ => None,
    };
    let mut losses = Vec::new();
    for (pointer, value, patched) in in_image.into_iter().chain(in_env) {
        for variable in text::variables(value) {
            let filled = text::unset(variable);
            losses.push(Loss {
                pointer: pointer.clone(),
                what: format!("nobody fills `{variable}` in where Kubernetes deploys `{name}`"),
                effect: if filled == variable {
                    format!("the text `{variable}` itself is used")
                } else {
                    format!("its default `{filled}` is used")
                },
                remedy: format!("write the value here, or say it in {patched} of an overlay"),
            });
        }
    }
    losses
}

fn kept_secrets(component: &Component, secrets: &Secrets<'_>) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (file, source) in &component.secrets {
        let Some(kept) = secrets.find(file, source) else { continue };
        let secret = &kept.name;
        let create = format!("kubectl create secret generic {secret} --from-file={file}");
        losses.push(Loss {
            pointer: at(component, &["secrets", file]),
            what: format!("`{}` needs the Secret `{secret}` with the key `{file}`, and the manifests hold no secrets", component.name),
            effect: "its pods stay in `ContainerCreating` until the Secret is there".to_owned(),
            remedy: match &source.env {
                Some(variable) => format!("make it once: `printf %s \"${variable}\" | {create}=/dev/stdin`"),
                None if source.external => format!("make it if it is not there yet: `{create}=FILE`"),
                None => format!(
                    "run `kubectl kustomize --load-restrictor LoadRestrictionsNone {} | kubectl apply -f -` in the folder of the generated files",
                    secrets::FOLDER
                ),
            },
        });
    }
    losses
}

/// A bound per node exists for one instance only.
fn most_per_node(component: &Component) -> Option<Loss> {
    let most = component.placement.max_per_node.filter(|most| most.get() > 1)?;
    Some(Loss {
        pointer: at(component, &["placement", "max_per_node"]),
        what: format!("Kubernetes cannot keep `{}` to {most} instances a node", component.name),
        effect: format!("a node has at most {most} more of them than the node with the fewest, and more than {most} when all have some"),
        remedy: "use `max_per_node = 1`, or more nodes than instances need".to_owned(),
    })
}
