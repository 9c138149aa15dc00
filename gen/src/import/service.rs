//! A service of Compose as a component: its own keys where they mean the same, `compose` for the rest.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::Note;
use super::text::{plain, template, with_variables};
use crate::compose::paths::is_remote;
use crate::compose::types;
use crate::spec::values::{Duration, EnvName, HostPort, Size, Volume};
use crate::spec::{Replicas, Restart};

/// How people call what listens on a port.
const NAMES: &[(u16, &str)] = &[
    (21, "ftp"),
    (22, "ssh"),
    (25, "smtp"),
    (53, "dns"),
    (80, "http"),
    (443, "https"),
    (1433, "mssql"),
    (1883, "mqtt"),
    (2181, "zookeeper"),
    (3306, "mysql"),
    (5432, "postgres"),
    (5672, "amqp"),
    (6379, "redis"),
    (9092, "kafka"),
    (9200, "elasticsearch"),
    (11211, "memcached"),
    (27017, "mongodb"),
];

/// The keys of a component in the order in which people read them.
const ORDER: [&str; 19] = [
    "service",
    "image",
    "build",
    "command",
    "replicas",
    "ports",
    "publish",
    "needs",
    "env",
    "secrets",
    "volumes",
    "tmpfs",
    "healthcheck",
    "resources",
    "restart",
    "user",
    "read_only",
    "cap_add",
    "stop_grace",
];

/// Endpoints by name: the port, and whether it is one of UDP.
type Endpoints = IndexMap<String, (u16, bool)>;

/// A service in the words of a topology.
#[derive(Debug, Default)]
pub(super) struct Component {
    /// The keys of its table, in the order in which people read them.
    pub keys: Map<String, Value>,
    /// Named volumes that its own keys mount.
    pub volumes: BTreeSet<String>,
    /// Secrets that its own keys name.
    pub secrets: BTreeSet<String>,
    /// Its endpoints by name.
    endpoints: Endpoints,
    /// Whether the engine asks it whether it works, as far as its own keys say.
    checked: bool,
}

/// Makes a component of a service. What others say of it comes later: see [`bind`].
pub(super) fn component(
    name: &str,
    host: &str,
    service: &Map<String, Value>,
    secrets: &Map<String, Value>,
    notes: &mut Vec<Note>,
) -> Component {
    let mut reader = Reader { name, left: service.clone(), compose: Map::new(), component: Component::default(), notes };
    if name != host {
        reader.say("service", name);
    }
    reader.image();
    reader.command();
    reader.replicas();
    reader.ports();
    reader.environment();
    reader.secrets(secrets);
    reader.volumes();
    reader.tmpfs();
    reader.healthcheck();
    reader.resources();
    reader.scalars();
    reader.finish()
}

struct Reader<'a> {
    name: &'a str,
    /// What is still to be read.
    left: Map<String, Value>,
    /// What is kept.
    compose: Map<String, Value>,
    component: Component,
    notes: &'a mut Vec<Note>,
}

impl Reader<'_> {
    fn say(&mut self, key: &str, value: impl Into<Value>) {
        self.component.keys.insert(key.to_owned(), value.into());
    }

    /// Keeps a key as Compose has it.
    fn keep(&mut self, key: &str, value: Value, why: &str) {
        self.notes.push(Note::kept(&["services", self.name, key], why));
        self.compose.insert(key.to_owned(), value);
    }

    /// Keeps a part of a key.
    fn keep_part(&mut self, key: &str, part: &str, value: Value, why: &str) {
        self.notes.push(Note::kept(&["services", self.name, key, part], why));
        if let Some(table) = self.compose.entry(key).or_insert_with(|| json!({})).as_object_mut() {
            table.insert(part.to_owned(), value);
        }
    }

    fn image(&mut self) {
        if let Some(build) = self.left.shift_remove("build") {
            self.build(build);
        }
        let Some(image) = self.left.shift_remove("image") else { return };
        let text = image.as_str().and_then(with_variables);
        if self.component.keys.contains_key("build") || self.compose.contains_key("build") {
            self.keep("image", image, "names what is built");
        } else if let Some(text) = text {
            self.say("image", text);
        } else {
            self.keep("image", image, "is more than an image's name");
        }
    }

    fn build(&mut self, build: Value) {
        let mut rest = match &build {
            Value::Object(table) => table.clone(),
            Value::String(context) => Map::from_iter([("context".to_owned(), json!(context))]),
            _ => Map::new(),
        };
        let text = |value: Option<&Value>, usual: &str| match value {
            None | Some(Value::Null) => Some(usual.to_owned()),
            Some(value) => value.as_str().and_then(plain),
        };
        let context = text(rest.get("context"), ".").filter(|context| !is_remote(context) && !context.starts_with('~'));
        let dockerfile = text(rest.get("dockerfile"), "Dockerfile").filter(|_| !rest.contains_key("dockerfile_inline"));
        let (Some(context), Some(dockerfile)) = (context, dockerfile) else {
            return self.keep("build", build, "is more than a folder with a Dockerfile");
        };
        rest.shift_remove("context");
        rest.shift_remove("dockerfile");
        self.say("build", json!({ "context": context, "dockerfile": dockerfile }));
        for (key, value) in rest {
            self.keep_part("build", &key, with_nothing(value), "has no key in a topology");
        }
    }

    fn command(&mut self) {
        let Some(command) = self.left.shift_remove("command") else { return };
        let said = match &command {
            Value::String(line) => plain(line).and_then(|line| {
                let words = types::words(&line).ok().filter(|words| !words.is_empty())?;
                template(&line)?;
                let same = shlex::split(&line).is_some_and(|split| split == words) && !line.contains('\n');
                Some(if same { json!(line.trim()) } else { json!(words) })
            }),
            Value::Array(words) if !words.is_empty() => {
                words.iter().map(|word| scalar(word).as_deref().and_then(template)).collect::<Option<Vec<_>>>().map(|words| json!(words))
            }
            _ => None,
        };
        match said {
            Some(said) => self.say("command", said),
            None if command.is_null() => {}
            None => self.keep("command", command, "cannot be said in a topology's words"),
        }
    }

    fn replicas(&mut self) {
        let count = |value: &Value| value.as_i64().filter(|count| *count != 1 && Replicas::new(*count).is_ok());
        if let Some(scale) = self.left.shift_remove("scale") {
            if let Some(count) = count(&scale) {
                self.say("replicas", count);
            }
            self.keep("scale", scale, "is written by other words: `deploy.replicas`");
        } else if let Some(Value::Object(deploy)) = self.left.get_mut("deploy")
            && let Some(count) = deploy.get("replicas").and_then(count)
        {
            deploy.shift_remove("replicas");
            self.say("replicas", count);
        }
    }

    fn endpoint(&mut self, port: u16, udp: bool) -> String {
        let usual = NAMES.iter().find(|(known, _)| *known == port && (!udp || port == 53)).map(|(_, name)| (*name).to_owned());
        let numbered = format!("{}-{port}", if udp { "udp" } else { "tcp" });
        let name = usual.filter(|name| !self.component.endpoints.contains_key(name)).unwrap_or(numbered);
        self.component.endpoints.insert(name.clone(), (port, udp));
        name
    }

    fn ports(&mut self) {
        let mut publish = Map::new();
        if let Some(ports) = self.left.shift_remove("ports") {
            let items = ports.as_array().map_or(&[][..], Vec::as_slice);
            let mut published: Vec<Port> = Vec::new();
            for port in items.iter().map_while(Port::read) {
                if published.iter().any(|known| (known.inside, known.udp) == (port.inside, port.udp)) {
                    break;
                }
                published.push(port);
            }
            if published.len() == items.len() {
                for port in published {
                    let endpoint = self.endpoint(port.inside, port.udp);
                    let outside = port.address.map_or(json!(port.outside), |address| json!(format!("{address}:{}", port.outside)));
                    publish.insert(endpoint, outside);
                }
            } else {
                self.keep("ports", ports, "is more than `publish` can say");
            }
        }
        let exposed = self.left.shift_remove("expose");
        let items = exposed.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut unpublished = Vec::new();
        for (port, udp) in items.iter().filter_map(scalar).filter_map(|text| inside(&text)) {
            if !self.component.endpoints.values().any(|known| *known == (port, udp)) {
                self.endpoint(port, udp);
                unpublished.push(if udp { format!("{port}/udp") } else { port.to_string() });
            }
        }
        let said: Vec<String> = items.iter().filter_map(scalar).collect();
        if let Some(exposed) = exposed.filter(|_| said != unpublished) {
            self.keep("expose", exposed, "is more than `ports` can say");
        }
        if !self.component.endpoints.is_empty() {
            let ports = self
                .component
                .endpoints
                .iter()
                .map(|(name, (port, udp))| (name.clone(), if *udp { json!(format!("{port}/udp")) } else { json!(port) }));
            let ports: Map<String, Value> = ports.collect();
            self.say("ports", ports);
        }
        if !publish.is_empty() {
            self.say("publish", publish);
        }
    }

    fn environment(&mut self) {
        let Some(environment) = self.left.shift_remove("environment") else { return };
        let mut pairs: IndexMap<String, Value> = IndexMap::new();
        match &environment {
            Value::Object(table) => pairs.extend(table.iter().map(|(name, value)| (name.clone(), value.clone()))),
            Value::Array(items) => {
                for item in items.iter().filter_map(scalar) {
                    let (name, value) = item.split_once('=').map_or((item.as_str(), Value::Null), |(name, value)| (name, json!(value)));
                    pairs.insert(name.to_owned(), value);
                }
            }
            _ => {}
        }
        if pairs.keys().any(|name| name.contains('$')) {
            return self.keep("environment", environment, "has variables in its names");
        }
        let mut env = Map::new();
        for (name, value) in pairs {
            let said = match &value {
                Value::String(text) if !text.contains('\0') => template(text).map(Value::String),
                Value::Number(_) | Value::Bool(_) => Some(value.clone()),
                _ => None,
            };
            match said.filter(|_| name.parse::<EnvName>().is_ok()) {
                Some(said) => drop(env.insert(name, said)),
                None if value.is_null() => self.keep_part("environment", &name, value, "comes from whoever deploys"),
                None => self.keep_part("environment", &name, value, "cannot be said under `env`"),
            }
        }
        if !env.is_empty() {
            self.say("env", env);
        }
    }

    fn secrets(&mut self, all: &Map<String, Value>) {
        let Some(secrets) = self.left.shift_remove("secrets") else { return };
        let said = |item: &Value| -> Option<(String, Value)> {
            let name = match item {
                Value::Object(long) if long.len() == 1 => long.get("source")?.as_str()?,
                short => short.as_str()?,
            };
            name.parse::<EnvName>().ok()?;
            let source = all.get(name)?.as_object().filter(|source| source.len() == 1)?;
            let source = match source.iter().next()? {
                (key, Value::String(file)) if key == "file" => json!({ "file": with_variables(file)? }),
                (key, Value::String(variable)) if key == "environment" => json!({ "env": plain(variable)? }),
                (key, Value::Bool(true)) if key == "external" => json!({ "external": true }),
                _ => return None,
            };
            Some((name.to_owned(), source))
        };
        match secrets.as_array().and_then(|items| items.iter().map(said).collect::<Option<Map<_, _>>>()) {
            Some(table) => {
                self.component.secrets.extend(table.keys().cloned());
                self.say("secrets", table);
            }
            None => self.keep("secrets", secrets, "is more than `secrets` can say"),
        }
    }

    fn volumes(&mut self) {
        let Some(volumes) = self.left.shift_remove("volumes") else { return };
        let said = |item: &Value| -> Option<(String, Volume)> {
            let text = with_variables(item.as_str()?)?;
            let volume = text.parse::<Volume>().ok()?;
            Some((text, volume))
        };
        match volumes.as_array().and_then(|items| items.iter().map(said).collect::<Option<Vec<_>>>()) {
            Some(all) => {
                let named = all.iter().filter(|(_, volume)| !volume.is_bind()).map(|(_, volume)| volume.source.clone());
                self.component.volumes.extend(named);
                let texts: Vec<String> = all.into_iter().map(|(text, _)| text).collect();
                self.say("volumes", texts);
            }
            None => self.keep("volumes", volumes, "is more than `volumes` can say"),
        }
    }

    fn tmpfs(&mut self) {
        if let Some(tmpfs) = self.left.shift_remove("tmpfs") {
            let folders = match &tmpfs {
                Value::Array(items) => items.iter().map(|item| item.as_str().and_then(plain)).collect::<Option<Vec<_>>>(),
                one => one.as_str().and_then(plain).map(|folder| vec![folder]),
            };
            match folders {
                Some(folders) => self.say("tmpfs", folders),
                None => self.keep("tmpfs", tmpfs, "has variables"),
            }
        }
    }

    fn healthcheck(&mut self) {
        let Some(check) = self.left.shift_remove("healthcheck") else { return };
        let command = match check.get("test") {
            Some(Value::String(line)) => shell(line),
            Some(Value::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                match words[..] {
                    ["CMD-SHELL", line] => shell(line),
                    ["CMD", _, ..] => {
                        words[1..].iter().map(|word| with_variables(word)).collect::<Option<Vec<_>>>().map(|words| json!(words))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        let (Some(command), Value::Object(table)) = (command.filter(|_| check.get("disable").is_none()), &check) else {
            return self.keep("healthcheck", check, "is more than a command");
        };
        self.component.checked = true;
        let mut said = Map::from_iter([("command".to_owned(), command)]);
        for (key, value) in table.iter().filter(|(key, value)| *key != "test" && !value.is_null()) {
            let fits = match key.as_str() {
                "interval" | "timeout" | "start_period" => value.as_str().is_some_and(|text| text.parse::<Duration>().is_ok()),
                "retries" => value.as_u64().is_some_and(|count| u16::try_from(count).is_ok()),
                _ => false,
            };
            if fits {
                said.insert(key.clone(), value.clone());
            } else {
                self.keep_part("healthcheck", key, value.clone(), "cannot be said under `healthcheck`");
            }
        }
        let short = said.len() == 1;
        self.say("healthcheck", if short { said["command"].take() } else { said.into() });
    }

    fn resources(&mut self) {
        let Some(mut deploy) = self.left.shift_remove("deploy") else { return };
        let mut resources = Map::new();
        if let Some(limits) = deploy.pointer_mut("/resources/limits").and_then(Value::as_object_mut) {
            let cpus = limits.get("cpus").and_then(|cpus| cpus.as_f64().or_else(|| cpus.as_str()?.parse().ok()));
            if let Some(cpus) = cpus.filter(|cpus| *cpus > 0.0 && *cpus <= 4096.0) {
                limits.shift_remove("cpus");
                resources.insert("cpus".to_owned(), json!(cpus));
            }
            let memory = limits.get("memory").and_then(Value::as_str).and_then(plain).and_then(|text| types::bytes(&text));
            if let Some(size) = memory.filter(|bytes| *bytes > 0).and_then(|bytes| format!("{bytes}B").parse::<Size>().ok()) {
                limits.shift_remove("memory");
                resources.insert("memory".to_owned(), json!(size.to_string()));
            }
        }
        if !resources.is_empty() {
            self.say("resources", resources);
        }
        let known = self.component.keys.contains_key("resources") || self.component.keys.contains_key("replicas");
        let rest = if known { without_empty(deploy) } else { deploy };
        match rest {
            Value::Object(rest) if rest.is_empty() && known => {}
            Value::Object(rest) if !rest.is_empty() => {
                for (key, value) in rest {
                    self.keep_part("deploy", &key, with_nothing(value), "has no key in a topology");
                }
            }
            rest => self.keep("deploy", rest, "says nothing"),
        }
    }

    /// Keys of one value, and all that a topology has no key for.
    fn scalars(&mut self) {
        let text = |value: &Value| scalar(value).as_deref().and_then(plain);
        let is_numeric = |user: &String| user.split(':').count() <= 2 && user.split(':').all(|id| id.parse::<u32>().is_ok());
        let left = std::mem::take(&mut self.left);
        for (key, value) in left {
            let said = match key.as_str() {
                // It was put in already, or stands on another machine.
                "extends" => continue,
                "restart" => match value.as_str() {
                    Some("always") => Some(Restart::Always),
                    Some("on-failure") => Some(Restart::OnFailure),
                    Some("unless-stopped") => Some(Restart::UnlessStopped),
                    _ => None,
                }
                .map(|restart| json!(restart.as_str())),
                "user" => text(&value).filter(is_numeric).map(Value::String),
                "read_only" => value.as_bool().filter(|yes| *yes).map(Value::Bool),
                "cap_add" => {
                    let all = value.as_array().and_then(|items| items.iter().map(text).collect::<Option<Vec<_>>>());
                    all.map(|all| json!(all))
                }
                "stop_grace_period" => {
                    let engines = Duration::from_millis(10_000);
                    text(&value).filter(|text| text.parse::<Duration>().is_ok_and(|time| time != engines)).map(Value::String)
                }
                _ => None,
            };
            let key_here = if key == "stop_grace_period" { "stop_grace" } else { &key };
            match said {
                Some(said) => self.say(key_here, said),
                None => self.keep(&key, with_nothing(value), "has no key in a topology"),
            }
        }
    }

    fn finish(self) -> Component {
        let Self { mut component, compose, .. } = self;
        if !compose.is_empty() {
            component.keys.insert("compose".to_owned(), compose.into());
        }
        component
    }
}

/// Says what components need: what they are linked to or wait for is bound where it listens on one port.
pub(super) fn bind(
    services: &Map<String, Value>,
    components: &mut BTreeMap<&str, Component>,
    hosts: &BTreeMap<&str, String>,
    notes: &mut Vec<Note>,
) {
    let listens: BTreeMap<String, (Endpoints, bool)> =
        components.iter().map(|(name, component)| ((*name).to_owned(), (component.endpoints.clone(), component.checked))).collect();
    for (name, component) in components.iter_mut() {
        let Some(service) = services.get(*name) else { continue };
        let links = service.get("links").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let linked: Vec<&str> = links.iter().filter_map(Value::as_str).map(|link| link.split(':').next().unwrap_or(link)).collect();
        let waits: IndexMap<String, Value> = match service.get("depends_on") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), json!({}))).collect(),
            Some(Value::Object(table)) => table.iter().map(|(name, need)| (name.clone(), need.clone())).collect(),
            _ => IndexMap::new(),
        };
        let mut needs = Map::new();
        for target in linked.iter().copied().chain(waits.keys().map(String::as_str)) {
            let Some((endpoints, _)) = listens.get(target) else { continue };
            let endpoint = match endpoints.len() {
                1 => Some(hosts[target].clone()),
                _ => named_endpoint(service, target, endpoints).map(|endpoint| format!("{}.{endpoint}", hosts[target])),
            };
            needs.extend(endpoint.map(|endpoint| (hosts[target].clone(), json!(endpoint))));
        }
        // What the order of start then is, without a word: the rest is kept.
        let mut kept = Map::new();
        for (target, wanted) in &waits {
            let bound = hosts.get(target.as_str()).is_some_and(|host| needs.contains_key(host));
            let derived = bound && !linked.contains(&target.as_str());
            let healthy = listens.get(target.as_str()).is_some_and(|(_, checked)| *checked);
            let condition = |healthy: bool| if healthy { "service_healthy" } else { "service_started" };
            let wanted_condition = wanted.get("condition").and_then(Value::as_str).unwrap_or("service_started");
            let plain = wanted
                .as_object()
                .is_some_and(|need| need.iter().all(|(key, value)| key == "condition" || (key == "required" && *value == true)));
            if derived && plain && condition(healthy) == wanted_condition {
                continue;
            }
            let mut need = wanted.as_object().cloned().unwrap_or_default();
            need.entry("condition").or_insert_with(|| json!("service_started"));
            kept.insert(target.clone(), need.into());
        }
        let component = &mut component.keys;
        let mut compose = component
            .shift_remove("compose")
            .and_then(|compose| if let Value::Object(map) = compose { Some(map) } else { None })
            .unwrap_or_default();
        if compose.shift_remove("depends_on").is_some() {
            notes.retain(|note| note.place != ["services", *name, "depends_on"]);
        }
        for target in kept.keys() {
            let why = match listens.get(target) {
                Some(_) if hosts.get(target.as_str()).is_some_and(|host| needs.contains_key(host)) => {
                    "is another condition than `needs` makes"
                }
                Some((endpoints, _)) if endpoints.is_empty() => "cannot be said by `needs`: it is not known where that listens",
                Some(_) => "cannot be said by `needs`: that listens on several ports",
                None => "cannot be said by `needs`",
            };
            notes.push(Note::kept(&["services", name, "depends_on", target], why));
        }
        if !kept.is_empty() {
            let only_started = kept.values().all(|need| *need == json!({ "condition": "service_started" })) && needs.is_empty();
            let value = if only_started { json!(kept.keys().collect::<Vec<_>>()) } else { kept.into() };
            compose.insert("depends_on".to_owned(), value);
        }
        if !needs.is_empty() {
            component.insert("needs".to_owned(), needs.into());
        }
        if !compose.is_empty() {
            component.insert("compose".to_owned(), compose.into());
        }
        let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
        let mut entries: Vec<(String, Value)> = std::mem::take(component).into_iter().collect();
        entries.sort_by_key(|(key, _)| rank(key));
        component.extend(entries);
    }
}

/// The endpoint of a target that a service's own variables or command name: the target's name and one of its ports stand there.
fn named_endpoint<'e>(service: &Value, target: &str, endpoints: &'e Endpoints) -> Option<&'e str> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    let mut add =
        |text: &str| words.extend(text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))).map(str::to_owned));
    for key in ["environment", "command"] {
        match service.get(key) {
            Some(Value::Object(table)) => table.values().filter_map(scalar).for_each(|text| add(&text)),
            // What stands before `=` is a variable's name.
            Some(Value::Array(items)) => {
                items.iter().filter_map(scalar).for_each(|text| add(text.split_once('=').map_or(text.as_str(), |(_, value)| value)));
            }
            Some(text) => add(&scalar(text).unwrap_or_default()),
            None => {}
        }
    }
    let mut named = endpoints.iter().filter(|(_, (port, _))| words.contains(&port.to_string())).map(|(name, _)| name.as_str());
    let first = named.next().filter(|_| words.contains(target))?;
    named.next().is_none().then_some(first)
}

/// A published port that `publish` can say.
struct Port {
    address: Option<String>,
    outside: u16,
    inside: u16,
    udp: bool,
}

impl Port {
    fn read(port: &Value) -> Option<Self> {
        let (address, outside, inside_text) = match port {
            Value::Object(long) => {
                if long.keys().any(|key| !matches!(key.as_str(), "target" | "published" | "host_ip" | "protocol" | "mode")) {
                    return None;
                }
                if long.get("mode").is_some_and(|mode| mode != "ingress") {
                    return None;
                }
                let protocol = long.get("protocol").map_or(Some("tcp"), Value::as_str)?;
                let address = match long.get("host_ip") {
                    Some(address) => Some(address.as_str()?.to_owned()),
                    None => None,
                };
                (address, scalar(long.get("published")?)?, format!("{}/{protocol}", scalar(long.get("target")?)?))
            }
            short => {
                let text = short.as_str()?.to_owned();
                let (outside, inside) = text.rsplit_once(':')?;
                match outside.rsplit_once(':') {
                    Some((address, outside)) => (Some(address.to_owned()), outside.to_owned(), inside.to_owned()),
                    None => (None, outside.to_owned(), inside.to_owned()),
                }
            }
        };
        let (inside, udp) = inside(inside_text.strip_suffix("/tcp").unwrap_or(&inside_text))?;
        let outside = number(&outside)?;
        if let Some(address) = &address {
            let read = format!("{address}:{outside}").parse::<HostPort>().ok()?;
            read.address?;
        }
        Some(Self { address, outside, inside, udp })
    }
}

/// A port in the container: `80`, `53/udp`.
fn inside(text: &str) -> Option<(u16, bool)> {
    match text.split_once('/') {
        None => Some((number(text)?, false)),
        Some((port, "udp")) => Some((number(port)?, true)),
        Some(_) => None,
    }
}

/// A port that is written as numbers are.
fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| *port > 0 && port.to_string() == text)
}

/// A line for a shell.
fn shell(line: &str) -> Option<Value> {
    let line = with_variables(line)?;
    shlex::split(&line).filter(|words| !words.is_empty())?;
    Some(json!(line))
}

/// A scalar as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Mappings of names to nothing are lists of names in TOML, which has no `null`.
fn with_nothing(value: Value) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() && map.values().all(Value::is_null) => json!(map.keys().collect::<Vec<_>>()),
        other => other,
    }
}

/// The same without tables that are empty.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let rest = map.into_iter().map(|(key, value)| (key, without_empty(value)));
            rest.filter(|(_, value)| !value.as_object().is_some_and(Map::is_empty)).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}
