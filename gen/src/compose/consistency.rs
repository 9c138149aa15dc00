//! What only the whole project tells: references, contradictions, cycles.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use indexmap::IndexMap;

use super::path::Path;
use super::problem::Problems;
use super::tree::{Entry, Map, Node, Value};
use crate::finding::{Place, did_you_mean};
use crate::rules;
use crate::source::Origin;

fn sections<'n>(root: &'n Node, name: &str) -> impl Iterator<Item = (&'n str, &'n Entry)> {
    root.get(name).into_iter().flat_map(Node::entries)
}

/// Checks of the resources that each file declares, in its long syntax.
pub fn resources(root: &Node, problems: &mut Problems) {
    let file_keys: [(&str, &[&str]); 2] = [("configs", &["file", "environment", "content"]), ("secrets", &["file", "environment"])];
    for (kind, keys) in file_keys {
        let up = Path::ROOT.key(kind);
        for (name, entry) in sections(root, kind) {
            let Some(resource) = entry.node.map() else {
                if entry.node.is_null() {
                    let message = format!("the {} `{name}` has no content", one(kind));
                    let help = format!("add {}", any_of(keys));
                    problems.refuse(&rules::missing_key::RULE, entry.key, up.key(name), message, help);
                }
                continue;
            };
            let there: Vec<(&str, Origin)> = keys.iter().filter_map(|key| Some((*key, resource.get(*key)?.key))).collect();
            match there.as_slice() {
                [] if resource.contains_key("driver") || resource.contains_key("external") => {}
                [] => {
                    let message = format!("the {} `{name}` has no content", one(kind));
                    let help = format!("add {}", any_of(keys));
                    problems.refuse(&rules::missing_key::RULE, entry.key, up.key(name), message, help);
                }
                [_] => {}
                [(first, place), (second, other), ..] => exclusive(problems, (first, *place), (second, *other), &up.key(name)),
            }
        }
    }
    let up = Path::ROOT.key("volumes");
    for (name, entry) in sections(root, "volumes") {
        if !entry.node.get("external").is_some_and(Node::is_true) {
            continue;
        }
        let external = entry.node.key("external");
        for (key, other) in entry.node.entries().filter(|(key, _)| !matches!(*key, "name" | "external") && !key.starts_with("x-")) {
            let message = format!("the volume `{name}` is external, and has `{key}` all the same");
            let finding = problems.refuse(
                &rules::conflicting_keys::RULE,
                other.key,
                up.key(name),
                message,
                format!("remove `{key}`: whoever made the volume decided it"),
            );
            finding.related.push((Place::At(external), "it is external".to_owned()));
        }
    }
    let up = Path::ROOT.key("services");
    for (name, entry) in sections(root, "services") {
        let path = up.key(name);
        for (index, port) in entry.node.get("ports").map_or(&[][..], Node::items).iter().enumerate() {
            let Some(address) = port.get("host_ip") else { continue };
            if address.str().is_some_and(|text| text.parse::<IpAddr>().is_err()) {
                let text = address.str().unwrap_or_default();
                let help = "write an address of this machine, as in `127.0.0.1`";
                let path = path.key("ports");
                problems.refuse(&rules::wrong_value::RULE, address.origin, path.index(index), format!("`{text}` is no IP address"), help);
            }
        }
        for (index, watch) in entry.node.at(&["develop", "watch"]).map_or(&[][..], Node::items).iter().enumerate() {
            if let Some(folder) = watch.get("path").filter(|folder| folder.str() == Some("")) {
                let path = path.key("develop");
                let path = path.key("watch");
                problems.refuse(
                    &rules::wrong_value::RULE,
                    folder.origin,
                    path.index(index),
                    "the watched `path` is empty".to_owned(),
                    "name a folder",
                );
            }
        }
        let requests = [
            (entry.node.at(&["deploy", "resources", "reservations", "devices"]), "deploy.resources.reservations.devices"),
            (entry.node.get("gpus"), "gpus"),
        ];
        for (list, place) in requests {
            for device in list.map_or(&[][..], Node::items) {
                if let (Some(_), Some(_)) = (device.get("count"), device.get("device_ids")) {
                    let (count, ids) = (device.key("count"), device.key("device_ids"));
                    exclusive(problems, ("count", count), ("device_ids", ids), &path.key(place));
                }
            }
        }
    }
}

fn one(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

fn any_of(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}: …`")).collect();
    match keys.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => keys.concat(),
    }
}

fn exclusive(problems: &mut Problems, first: (&str, Origin), second: (&str, Origin), path: &Path<'_>) {
    let message = format!("`{path}` has both `{}` and `{}`", first.0, second.0);
    let finding = problems.refuse(&rules::conflicting_keys::RULE, second.1, path, message, "keep one of them");
    finding.related.push((Place::At(first.1), "the other one".to_owned()));
}

/// Checks of the whole project. `disabled`: services behind profiles that are not active.
pub fn check(root: &Node, disabled: &IndexMap<String, Node>, problems: &mut Problems) {
    let project = Project { root, disabled };
    let up = Path::ROOT.key("services");
    let mut names: HashMap<String, (&str, Origin)> = HashMap::new();
    for (name, entry) in sections(root, "services") {
        if entry.node.map().is_none() {
            if entry.node.is_null() {
                Project::no_image(name, entry, problems);
            }
            continue;
        }
        let path = up.key(name);
        project.service(name, entry, &path, problems);
        if let Some(container) = entry.node.get("container_name") {
            let text = container.scalar().unwrap_or_default();
            if let Some((first, place)) = names.get(&text).filter(|_| !text.is_empty()) {
                let message = format!("the containers of `{first}` and `{name}` have the same name `{text}`");
                let finding = problems.refuse(
                    &rules::duplicate_name::RULE,
                    container.origin,
                    path.key("container_name"),
                    message,
                    "remove `container_name`, or choose another one",
                );
                finding.related.push((Place::At(*place), "it is used here first".to_owned()));
            } else {
                names.insert(text, (name, container.origin));
            }
        }
    }
    for (name, entry) in sections(root, "secrets") {
        let secret = &entry.node;
        let has = |key: &str| secret.get(key).and_then(Node::scalar).is_some_and(|text| !text.is_empty());
        if secret.get("driver").is_some() && !secret.get("external").is_some_and(Node::is_true) && !has("file") && !has("environment") {
            let message = format!("the secret `{name}` has neither `file` nor `environment`");
            let path = Path::ROOT.key("secrets");
            problems.refuse(&rules::missing_key::RULE, entry.key, path.key(name), message, "add `file: …` or `environment: …`");
        }
    }
    cycles(root, problems);
}

struct Project<'n> {
    root: &'n Node,
    disabled: &'n IndexMap<String, Node>,
}

impl Project<'_> {
    fn no_image(name: &str, entry: &Entry, problems: &mut Problems) {
        let message = format!("the service `{name}` has neither an image nor a build");
        let path = Path::ROOT.key("services");
        problems.refuse(&rules::no_image::RULE, entry.key, path.key(name), message, "add `image: NAME:VERSION` or `build: FOLDER`");
    }

    /// A name that the project does not have. `what`: as in `the service`.
    fn unknown(&self, kind: &str, name: &str, origin: Origin, path: &Path<'_>, what: &str, problems: &mut Problems) {
        if sections(self.root, kind).any(|(known, _)| known == name) {
            return;
        }
        let near = did_you_mean(name, sections(self.root, kind).map(|(known, _)| known));
        let thing = one(kind);
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if kind == "services" => format!("add the service, or remove `{name}`"),
            None => format!("declare it at the end of the file: `{kind}: {{ {name}: … }}`"),
        };
        problems.refuse(&rules::unknown_reference::RULE, origin, path, format!("{what} `{name}`, and there is no such {thing}"), help);
    }

    fn unknown_service(&self, name: &str, origin: Origin, path: &Path<'_>, what: &str, problems: &mut Problems) {
        if let Some(service) = self.disabled.get(name) {
            let profiles: Vec<String> = service
                .get("profiles")
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(|profile| Some(format!("`{}`", profile.str()?)))
                .collect();
            let message = format!("{what} `{name}`, which is behind the profile {} that is not active", profiles.join(", "));
            let help = format!("start with `--profile`, give both the same profiles, or write `required: false` below `{name}`");
            problems.refuse(&rules::unknown_reference::RULE, origin, path, message, help);
            return;
        }
        self.unknown("services", name, origin, path, what, problems);
    }

    fn has_service(&self, name: &str) -> bool {
        self.root.get("services").and_then(|services| services.get(name)).is_some()
    }

    fn service(&self, name: &str, entry: &Entry, path: &Path<'_>, problems: &mut Problems) {
        let service = &entry.node;
        let Some(map) = service.map() else { return };
        // What is wrong with it was told already.
        let is = |key: &str| map.get(key).is_some_and(|entry| !matches!(entry.node.value, Value::Null) && entry.node.str() != Some(""));
        let misspelt =
            map.iter().any(|(key, entry)| entry.node.value == Value::Wrong && did_you_mean(key, ["image", "build", "provider"]).is_some());
        if !is("image") && !is("build") && !is("provider") && !misspelt {
            Self::no_image(name, entry, problems);
        }
        self.build(name, service, path, problems);
        if is("network_mode") {
            let networks = service.get("networks").and_then(Node::map).is_some_and(|networks| !networks.is_empty());
            if networks {
                exclusive(problems, ("network_mode", service.key("network_mode")), ("networks", service.key("networks")), path);
            }
        }
        let networks = path.key("networks");
        for (network, entry) in service.get("networks").into_iter().flat_map(Node::entries) {
            if network.starts_with("x-") {
                let message = format!("`{name}` is on the network `{network}`, which Compose takes for an extension");
                let help = "choose a name that does not begin with `x-`";
                problems.refuse(&rules::unknown_reference::RULE, entry.key, networks, message, help);
                continue;
            }
            self.unknown("networks", network, entry.key, &networks, &format!("`{name}` is on the network"), problems);
        }
        Self::healthcheck(service, path, problems);
        let needs = path.key("depends_on");
        for (need, entry) in service.get("depends_on").into_iter().flat_map(Node::entries) {
            let required = entry.node.get("required").is_none_or(Node::is_true);
            if self.has_service(need) || (!required && self.disabled.contains_key(need)) {
                continue;
            }
            self.unknown_service(need, entry.key, &needs, &format!("`{name}` depends on"), problems);
        }
        let volumes = path.key("volumes");
        for (index, volume) in service.get("volumes").map_or(&[][..], Node::items).iter().enumerate() {
            let is_volume = volume.get("type").and_then(Node::str) == Some("volume");
            if let Some(source) = volume.get("source").filter(|_| is_volume) {
                let text = source.str().unwrap_or_default();
                if !text.is_empty() {
                    self.unknown("volumes", text, source.origin, &volumes.index(index), &format!("`{name}` mounts the volume"), problems);
                }
            }
        }
        let sources: [(&str, &str, Option<&Node>); 3] = [
            ("secrets", "uses the secret", service.get("secrets")),
            ("configs", "uses the config", service.get("configs")),
            ("secrets", "builds with the secret", service.at(&["build", "secrets"])),
        ];
        for (kind, verb, list) in sources {
            for item in list.map_or(&[][..], Node::items) {
                let source = item.get("source").filter(|source| !source.is_null()).unwrap_or(item);
                if item.map().is_none() || source.value == Value::Wrong {
                    continue;
                }
                let text = source.scalar().unwrap_or_default();
                self.unknown(kind, &text, source.origin, &path.key(kind), &format!("`{name}` {verb}"), problems);
            }
        }
        for (model, entry) in service.get("models").into_iter().flat_map(Node::entries) {
            self.unknown("models", model, entry.key, &path.key("models"), &format!("`{name}` uses the model"), problems);
        }
        distinct(service, path, problems);
        scale(name, service, path, problems);
        for (index, watch) in service.at(&["develop", "watch"]).map_or(&[][..], Node::items).iter().enumerate() {
            let action = watch.get("action").and_then(Node::str).unwrap_or_default();
            let target = watch.get("target").and_then(Node::str).unwrap_or_default();
            if target.is_empty() && !matches!(action, "rebuild" | "restart" | "") {
                let path = path.key("develop.watch");
                let message = format!("the action `{action}` has no `target`");
                problems.refuse(
                    &rules::missing_key::RULE,
                    watch.origin,
                    path.index(index),
                    message,
                    "add `target: /folder/in/the/container`",
                );
            }
        }
        mounts(service, path, problems);
    }

    fn build(&self, name: &str, service: &Node, path: &Path<'_>, problems: &mut Problems) {
        let Some(build) = service.get("build").filter(|build| build.map().is_some()) else { return };
        let path = path.key("build");
        let filled = |key: &str| build.get(key).and_then(Node::str).is_some_and(|text| !text.is_empty());
        if filled("dockerfile") && filled("dockerfile_inline") {
            let (first, second) = (build.key("dockerfile"), build.key("dockerfile_inline"));
            exclusive(problems, ("dockerfile", first), ("dockerfile_inline", second), &path);
        }
        for (context, entry) in build.get("additional_contexts").into_iter().flat_map(Node::entries) {
            let Some(target) = entry.node.str().and_then(|text| text.strip_prefix("service:")) else { continue };
            let what = format!("`{name}` builds with the context `{context}` of");
            match self.root.get("services").and_then(|services| services.get(target)) {
                None => self.unknown_service(target, entry.node.origin, &path, &what, problems),
                Some(other) if other.get("build").is_none() => {
                    let message = format!("{what} `{target}`, which is not built");
                    let help = format!("give `{target}` a `build`, or name its image: `docker-image://…`");
                    problems.refuse(&rules::unknown_reference::RULE, entry.node.origin, path, message, help);
                }
                Some(_) => {}
            }
        }
        let platforms = build.get("platforms").map_or(&[][..], Node::items);
        if let Some(platform) = service.get("platform").filter(|_| !platforms.is_empty())
            && platform.str().is_some_and(|text| !text.is_empty())
            && !platforms.iter().any(|known| known.str() == platform.str())
        {
            let message = format!("the platform `{}` is none of those that are built", platform.str().unwrap_or_default());
            problems.refuse(&rules::conflicting_keys::RULE, platform.origin, path, message, "add it to `build.platforms`");
        }
    }

    fn healthcheck(service: &Node, path: &Path<'_>, problems: &mut Problems) {
        let Some(test) = service.at(&["healthcheck", "test"]) else { return };
        let Some(first) = test.items().first() else { return };
        let text = first.scalar().unwrap_or_default();
        if !matches!(text.as_str(), "CMD" | "CMD-SHELL" | "NONE") {
            let message = format!("the health check begins with `{}`", crate::source::decode::shorten(&text));
            let path = path.key("healthcheck");
            problems.refuse(
                &rules::wrong_value::RULE,
                first.origin,
                path.key("test"),
                message,
                "begin the list with `CMD`, `CMD-SHELL` or `NONE`, or write it as one text",
            );
        }
    }
}

/// Keys that say the same thing in two places.
fn distinct(service: &Node, path: &Path<'_>, problems: &mut Problems) {
    let pairs: [(&str, &[&str]); 4] = [
        ("cpus", &["deploy", "resources", "limits", "cpus"]),
        ("mem_limit", &["deploy", "resources", "limits", "memory"]),
        ("mem_reservation", &["deploy", "resources", "reservations", "memory"]),
        ("pids_limit", &["deploy", "resources", "limits", "pids"]),
    ];
    for (key, way) in pairs {
        let Some(own) = service.get(key) else { continue };
        let number = |node: &Node| node.scalar().and_then(|text| text.parse::<f64>().ok());
        let Some(value) = number(own).filter(|value| *value != 0.0) else { continue };
        let Some((last, parent)) = way.split_last() else { continue };
        let Some(parent) = service.at(parent).filter(|parent| parent.map().is_some()) else { continue };
        let other = parent.get(last);
        #[expect(clippy::float_cmp, reason = "the same text gives the same number")]
        if other.and_then(number).unwrap_or(0.0) != value {
            let message = format!("`{key}` and `{}` say different things", way.join("."));
            let place = other.map_or_else(|| parent.origin, |node| node.origin);
            let finding = problems.refuse(&rules::conflicting_keys::RULE, own.origin, path, message, "keep one of them");
            finding.related.push((Place::At(place), "the other one".to_owned()));
        }
    }
}

fn scale(name: &str, service: &Node, path: &Path<'_>, problems: &mut Problems) {
    let own = service.get("scale");
    let replicas = service.at(&["deploy", "replicas"]);
    if let (Some(own), Some(replicas)) = (own, replicas)
        && own.int() != replicas.int()
    {
        let message = format!("`scale` and `deploy.replicas` of `{name}` say different things");
        let finding = problems.refuse(&rules::conflicting_keys::RULE, own.origin, path, message, "keep one of them");
        finding.related.push((Place::At(replicas.origin), "the other one".to_owned()));
    }
    for node in [own, replicas].into_iter().flatten() {
        if node.int().is_some_and(|number| number < 0) {
            problems.refuse(
                &rules::wrong_value::RULE,
                node.origin,
                path,
                format!("`{name}` has less than no instances"),
                "write 0 or more",
            );
        }
    }
    let instances = own.or(replicas);
    if let (Some(instances), Some(container)) = (instances, service.get("container_name"))
        && instances.int().is_some_and(|number| number > 1)
        && container.str() != Some("")
    {
        let number = instances.int().unwrap_or(0);
        let message = format!("`{name}` has {number} instances and one container's name");
        let finding = problems.refuse(&rules::conflicting_keys::RULE, container.origin, path, message, "remove `container_name`");
        finding.related.push((Place::At(instances.origin), format!("{number} instances")));
    }
}

fn mounts(service: &Node, path: &Path<'_>, problems: &mut Problems) {
    let mut taken: HashMap<String, Origin> = HashMap::new();
    let tmpfs = service.get("tmpfs");
    let tmpfs_items = tmpfs.map_or(&[][..], |node| if node.str().is_some() { std::slice::from_ref(node) } else { node.items() });
    let targets = tmpfs_items.iter().filter_map(|item| Some((item.str()?.split(':').next()?.to_owned(), item.origin)));
    let volumes = service.get("volumes").map_or(&[][..], Node::items);
    let targets = targets.chain(volumes.iter().filter_map(|item| {
        let target = item.get("target")?;
        Some((target.str()?.to_owned(), target.origin))
    }));
    for (target, origin) in targets {
        if let Some(first) = taken.get(&target) {
            let message = format!("two things are mounted on `{target}`");
            let finding =
                problems.refuse(&rules::duplicate_mount::RULE, origin, path.key("volumes"), message, "mount one of them elsewhere");
            finding.related.push((Place::At(*first), "it is taken here".to_owned()));
        } else {
            taken.insert(target, origin);
        }
    }
}

/// Services that wait for each other. Each cycle is told once, in linear time.
fn cycles(root: &Node, problems: &mut Problems) {
    let Some(services) = root.get("services").and_then(Node::map) else { return };
    let mut done: HashSet<&str> = HashSet::new();
    for name in services.keys() {
        if !done.contains(name.as_str()) {
            search(services, name, &mut done, problems);
        }
    }
}

fn search<'n>(services: &'n Map, start: &'n str, done: &mut HashSet<&'n str>, problems: &mut Problems) {
    let needs = |name: &str| -> Vec<(&'n str, Origin)> {
        let node = services.get(name).and_then(|entry| entry.node.get("depends_on"));
        node.into_iter().flat_map(Node::entries).map(|(need, entry)| (need, entry.key)).collect()
    };
    let mut way: Vec<&'n str> = vec![start];
    let mut on_way: HashSet<&'n str> = HashSet::from([start]);
    let mut open = vec![needs(start).into_iter()];
    while let Some(next) = open.last_mut() {
        let Some((need, origin)) = next.next() else {
            open.pop();
            if let Some(name) = way.pop() {
                on_way.remove(name);
                done.insert(name);
            }
            continue;
        };
        if on_way.contains(need) {
            let first = way.iter().position(|name| *name == need).unwrap_or(0);
            let names: Vec<&str> = way[first..].iter().copied().chain([need]).collect();
            let (message, owner) =
                (format!("services wait for each other: {}", names.join(" → ")), way.last().copied().unwrap_or_default());
            let path = Path::ROOT.key("services");
            let path = path.key(owner);
            problems.refuse(&rules::dependency_cycle::RULE, origin, path.key("depends_on"), message, "remove one of the dependencies");
        } else if !done.contains(need) && services.contains_key(need) {
            way.push(need);
            on_way.insert(need);
            open.push(needs(need).into_iter());
        }
    }
}
