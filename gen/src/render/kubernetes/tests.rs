//! What becomes of a plan in a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Cluster, check, losses, objects};
use crate::lint::load;
use crate::plan::Plan;
use crate::render::{Options, Target, Templates, render};
use crate::source::Source;
use crate::topology::WhatIf;

fn plan(topology: &str) -> Plan {
    load(Source::new("topology.toml", topology), "project", &WhatIf::default()).plan
}

/// All objects by kind and name, as in `Deployment/bro`.
fn made(topology: &str) -> BTreeMap<String, Value> {
    let plan = plan(topology);
    let objects = objects(&Cluster::of(&plan)).into_iter().map(|(_, object)| object);
    objects
        .map(|object| (format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap()), object))
        .collect()
}

fn pod(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]
}

fn container(object: &Value) -> &Value {
    &pod(object)["containers"][0]
}

const CBWL: &str = "name = \"cbwl\"\n[broker.bro]\npublish = { frontend = 9998 }\n[worker.wor]\nreplicas = 4\n[client.cli]\nreplicas = 2\n\
                    [logger.log]\nvolume = \"./logs:/var/log/cbw\"\n";

#[test]
fn the_reference_topology() {
    let made = made(CBWL);
    let names: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ConfigMap/bro",
            "ConfigMap/cli",
            "ConfigMap/log",
            "ConfigMap/wor",
            "Deployment/bro",
            "Deployment/log",
            "Deployment/wor",
            "Job/cli",
            "NetworkPolicy/bro-backend",
            "NetworkPolicy/bro-frontend",
            "NetworkPolicy/bro-public",
            "NetworkPolicy/cbwl-closed",
            "NetworkPolicy/log-ingest",
            "PersistentVolumeClaim/logs",
            "PodDisruptionBudget/wor",
            "Service/bro",
            "Service/bro-public",
            "Service/log",
        ]
    );
    for (name, replicas, strategy) in [("bro", 1, json!("Recreate")), ("log", 1, json!("Recreate")), ("wor", 4, Value::Null)] {
        let spec = &made[&format!("Deployment/{name}")]["spec"];
        assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(replicas), &strategy));
    }
    let job = &made["Job/cli"]["spec"];
    assert_eq!((&job["completions"], &job["parallelism"], &job["completionMode"]), (&json!(2), &json!(2), &json!("Indexed")));
    assert_eq!(container(&made["Deployment/wor"])["readinessProbe"]["exec"]["command"], json!(["/worker", "healthcheck"]));
}

#[test]
fn no_pod_has_more_rights_than_it_needs() {
    let made = made(CBWL);
    for object in made.values().filter(|object| !object["spec"]["template"].is_null()) {
        let (pod, container) = (pod(object), container(object));
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 10001);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!((&pod["enableServiceLinks"], &pod["automountServiceAccountToken"]), (&json!(false), &json!(false)));
        assert_eq!(
            container["securityContext"],
            json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } })
        );
    }
}

/// Who may reach which pods: the policies as pairs of names, without the one that closes all.
fn reached(made: &BTreeMap<String, Value>) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let policies = made.iter().filter_map(|(name, object)| Some((name.strip_prefix("NetworkPolicy/")?, object)));
    policies
        .filter(|(_, policy)| !policy["spec"]["ingress"].is_null())
        .map(|(name, policy)| {
            let target = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"].as_str().unwrap_or_default();
            let from = &policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0]["values"];
            let from = from.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned());
            (name.to_owned(), (target.to_owned(), from.collect()))
        })
        .collect()
}

#[test]
fn policies_are_the_plan_s_networks() {
    for topology in [
        CBWL,
        "[broker.a]\n[broker.b]\n[worker.w]\nbroker = \"a\"\n[worker.v]\nbroker = \"b\"\n[client.c]\nbroker = \"a\"\n[logger.log]\n",
        "[service.db]\nimage = \"db:1\"\nports = { sql = 3306 }\n[service.web]\nimage = \"web:1\"\nneeds = { db = \"db.sql\" }\n",
    ] {
        let plan = plan(topology);
        let mut reached = reached(&made(topology));
        reached.retain(|name, _| !name.ends_with("-public"));
        let networks = plan.networks.iter().map(|(name, network)| {
            let (first, others) = network.members.split_first().unwrap();
            (name.clone(), (first.clone(), others.iter().cloned().collect::<BTreeSet<_>>()))
        });
        assert_eq!(reached, networks.collect::<BTreeMap<_, _>>());
    }
}

#[test]
fn what_is_bound_to_nothing_stays_together_as_on_the_default_network() {
    let made = made("[service.a]\nimage = \"a:1\"\nports = { http = 80 }\n[service.b]\nimage = \"b:1\"\n");
    assert_eq!(made["Service/a"]["spec"]["ports"][0]["port"], 80);
    let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert_eq!(reached(&made)["default"].1, both);
}

#[test]
fn only_what_is_published_is_open_to_the_world() {
    let made = made(
        "[broker.bro]\npublish = { frontend = 80, backend = \"10.0.0.1:9999\" }\n[worker.wor]\n[client.cli]\n[client.out]\noutside = true\n",
    );
    let public = &made["Service/bro-public"]["spec"];
    assert_eq!(public["type"], "LoadBalancer");
    assert_eq!(public["ports"], json!([{ "name": "frontend", "port": 80, "targetPort": "frontend", "protocol": "TCP" }]));
    assert_eq!(made["NetworkPolicy/bro-public"]["spec"]["ingress"], json!([{ "ports": [{ "port": 9998, "protocol": "TCP" }] }]));
    assert!(made["Service/bro"]["spec"].get("type").is_none());
    assert!(!made.contains_key("Job/out"));
}

#[test]
fn peers_of_several_brokers_see_every_address() {
    let brokers =
        |replicas| made(&format!("[broker.bro]\nreplicas = {replicas}\n[worker.wor]\n[client.cli]\n"))["Service/bro"]["spec"].clone();
    assert_eq!(brokers(2)["clusterIP"], "None");
    assert!(brokers(1).get("clusterIP").is_none());
}

#[test]
fn the_broker_listens_on_its_pod_s_only_address() {
    assert!(made(CBWL)["ConfigMap/bro"]["data"].get("BACKEND_HOST").is_none());
    let own = made("[broker.bro]\nenv = { BACKEND_HOST = \"127.0.0.1\" }\n[worker.wor]\n[client.cli]\n");
    assert_eq!(own["ConfigMap/bro"]["data"]["BACKEND_HOST"], "127.0.0.1");
}

#[test]
fn a_changed_environment_replaces_the_pods() {
    let config = |env: &str| {
        let made = made(&format!("[broker.bro]\n[worker.wor]\nenv = {{ A = \"{env}\" }}\n[client.cli]\n"));
        made["Deployment/wor"]["spec"]["template"]["metadata"]["annotations"]["org.cbwgen/config"].clone()
    };
    assert_eq!(config("1"), config("1"));
    assert_ne!(config("1"), config("2"));
}

#[test]
fn kubernetes_replaces_nothing_in_commands_and_compose_s_variables_have_their_defaults() {
    let made = made(
        "[service.a]\nimage = \"a:${TAG:-1}\"\ncommand = [\"run\", \"$(HOME) $X\"]\nhealthcheck = \"ok $(date) | cat\"\nports = { p = 1 }\n\
         env = { A = \"${A:-b}\", B = \"$(C) ${D}\" }\n[service.b]\nimage = \"b:1\"\nneeds = { a = \"a.p\" }\n",
    );
    let container = container(&made["Deployment/a"]);
    assert_eq!(container["image"], "a:1");
    assert_eq!(container["args"], json!(["run", "$$(HOME) $$X"]));
    assert_eq!(container["readinessProbe"]["exec"]["command"], json!(["/bin/sh", "-c", "ok $$(date) | cat"]));
    assert_eq!(made["ConfigMap/a"]["data"], json!({ "A": "b", "B": "$(C) ${D}" }));
    assert_eq!(pod(&made["Deployment/a"])["shareProcessNamespace"], true);
}

#[test]
fn workers_follow_the_load_where_they_are_to() {
    let workers = "[worker.wor]\nautoscale = { min = 2, max = 10, cpu = 70 }\nresources = { cpus = 0.5, memory = \"64MiB\" }\n";
    let made = made(&format!("[broker.bro]\n[client.cli]\n{workers}"));
    let spec = &made["HorizontalPodAutoscaler/wor"]["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(10)));
    assert_eq!(spec["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    assert!(made["Deployment/wor"]["spec"].get("replicas").is_none());
    assert!(made.contains_key("PodDisruptionBudget/wor"));
    assert_eq!(container(&made["Deployment/wor"])["resources"]["requests"], json!({ "cpu": "500m", "memory": "64Mi" }));
}

#[test]
fn instances_go_where_the_placement_says() {
    let placed = |placement: &str| {
        let made = made(&format!("[broker.bro]\n[client.cli]\n[worker.wor]\nreplicas = 3\nplacement = {placement}\n"));
        pod(&made["Deployment/wor"]).clone()
    };
    assert_eq!(
        placed("{ node = \"n1\", labels = { disk = \"ssd\" } }")["nodeSelector"],
        json!({ "kubernetes.io/hostname": "n1", "disk": "ssd" })
    );
    let spread = &placed("{ spread = \"node\" }")["topologySpreadConstraints"][0];
    assert_eq!((&spread["topologyKey"], &spread["maxSkew"]), (&json!("kubernetes.io/hostname"), &json!(1)));
    assert_eq!(spread["labelSelector"]["matchLabels"]["app.kubernetes.io/name"], "wor");
    let apart = placed("{ max_per_node = 1 }");
    let apart = &apart["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(apart["topologyKey"], "kubernetes.io/hostname");
}

const SECRETS: &str = r#"
name = "shop"
[service.a]
image = "a:1"
secrets = { PASSWORD = { file = "./a.txt" }, TOKEN = { env = "SHOP_TOKEN" }, KEY = { external = true } }
[service.b]
image = "b:1"
secrets = { PASSWORD = { file = "./b.txt" }, KEY = { external = true } }
"#;

#[test]
fn secrets_are_referred_to_and_made_from_the_user_s_files() {
    let made = made(SECRETS);
    let names = |name: &str| {
        let sources = pod(&made[name])["volumes"][0]["projected"]["sources"].as_array().unwrap().clone();
        sources.iter().map(|source| source["secret"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("Deployment/a"), ["password", "token", "key"]);
    assert_eq!(names("Deployment/b"), ["b-password", "key"]);

    let options = Options::new(Path::new("/shop/topology.toml"), Path::new("/shop/generated/kubernetes"), Templates::default()).unwrap();
    let files = render(&plan(SECRETS), Target::Kubernetes, &options).unwrap();
    let secrets = files.iter().find(|file| file.path == "secrets/kustomization.yaml").unwrap();
    let secrets: Value = serde_yaml::from_str(&secrets.content).unwrap();
    assert_eq!(
        secrets["secretGenerator"],
        json!([
            { "name": "password", "files": ["PASSWORD=../../../a.txt"] },
            { "name": "b-password", "files": ["PASSWORD=../../../b.txt"] },
        ])
    );
}

#[test]
fn data_is_kept_by_claims_and_what_is_only_read_is_not_hidden_by_an_empty_one() {
    let made = made(
        "[service.a]\nimage = \"a:1\"\nuser = \"7:8\"\nvolumes = [\"Data_1:/data\", \"./data-1:/other\", \"./conf:/etc/a:ro\", \"Data_1:/again\"]\n\
         tmpfs = [\"/tmp:size=64m,mode=1777\"]\n[service.b]\nimage = \"b:1\"\nvolumes = [\"Data_1:/data:ro\"]\n",
    );
    let modes = |claim: &str| made[&format!("PersistentVolumeClaim/{claim}")]["spec"]["accessModes"].clone();
    assert_eq!((modes("data-1"), modes("data-1-2")), (json!(["ReadWriteMany"]), json!(["ReadWriteOnce"])));
    let pod = pod(&made["Deployment/a"]);
    assert_eq!(pod["securityContext"]["fsGroup"], 8);
    assert_eq!(pod["volumes"].as_array().unwrap().len(), 3);
    assert_eq!(pod["volumes"][2]["emptyDir"], json!({ "medium": "Memory", "sizeLimit": "64Mi" }));
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let paths: Vec<&str> = mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/data", "/other", "/again", "/tmp"]);
}

#[test]
fn what_works_the_same_is_no_loss() {
    let plan = plan("[service.a]\nimage = \"a:1\"\nports = { http = 80 }\n[service.b]\nimage = \"b:1\"\n");
    assert_eq!(losses(&plan), []);
}

#[test]
fn what_the_api_server_would_refuse_is_refused_before() {
    for (topology, reason) in [
        (
            "[service.1st]\nimage = \"a:1\"\nports = { http = 80 }\n[service.b]\nimage = \"b:1\"\nneeds = { a = \"1st\" }\n",
            "Service `1st`: its name is no DNS label, with a letter in front",
        ),
        (
            "[broker.bro]\n[worker.wor]\n[client.a-name-of-sixty-two-letters-and-digits-is-more-than-enough-123]\n",
            "Job `a-name-of-sixty-two-letters-and-digits-is-more-than-enough-123`: its pods' host names would have more than 63 characters",
        ),
        ("[service.a]\nimage = \"a:1\"\nuser = \"3000000000:1\"\n", "Deployment `a`: `runAsUser` is more than 2147483647"),
        ("[service.a]\nimage = \"a:1\"\nvolumes = [\"a:/data\", \"b:/data/\"]\n", "Deployment `a`: two volumes are mounted at `/data/`"),
    ] {
        let options = Options::new(Path::new("/a/topology.toml"), Path::new("/a/generated"), Templates::default()).unwrap();
        let error = render(&plan(topology), Target::Kubernetes, &options).unwrap_err().to_string();
        assert_eq!(error, format!("Kubernetes would refuse what this topology becomes, so nothing was written: {reason}"));
    }
}

/// What the kubelet makes of a word of a command (Kubernetes API reference, "Container", `command`): `$$` becomes `$`, and
/// `$(NAME)` what the variable says.
fn expanded(word: &str) -> Option<String> {
    let literal = word.replace("$$", "\u{1}");
    (!literal.contains("$(")).then(|| literal.replace('\u{1}', "$"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_text_holds_a_program_gets_it_as_it_is(text in "([$(){}:#&*!|>'\"\\\\ \n\tA-C1_-]|\\PC){0,16}") {
        let mut plan = plan("[service.a]\nimage = \"a:1\"\ncommand = [\"x\"]\nhealthcheck = [\"x\"]\nenv = { A = \"x\" }\n");
        let a = plan.components.get_mut("a").unwrap();
        a.command = Some(vec![text.clone()]);
        a.healthcheck.as_mut().unwrap().test[1] = text.clone();
        a.env["A"].value = text.clone();
        let options = Options::new(Path::new("/a/topology.toml"), Path::new("/a/generated"), Templates::default()).unwrap();
        let files = render(&plan, Target::Kubernetes, &options).unwrap();
        let documents = serde_yaml::Deserializer::from_str(&files[0].content).map(|document| Value::deserialize(document).unwrap());
        let documents: Vec<Value> = documents.collect();
        let container = documents.iter().find(|document| document["kind"] == "Deployment").map(container).unwrap();
        for word in [&container["args"][0], &container["readinessProbe"]["exec"]["command"][0]] {
            prop_assert_eq!(expanded(word.as_str().unwrap()), Some(text.clone()));
        }
        if !text.contains("${") {
            prop_assert_eq!(&documents[0]["data"]["A"], &json!(text));
        }
    }
}

/// Changes one place of the reference topology's manifests and tells what the check says.
fn broken(object: &str, place: &str, value: Value) -> String {
    let mut made = made(CBWL);
    *made.get_mut(object).unwrap().pointer_mut(place).unwrap() = value;
    let objects: Vec<&Value> = made.values().collect();
    let text = super::yaml::documents(objects.iter().map(|object| (None, *object)));
    check::check(&text, &objects, &[]).unwrap_err().join("; ")
}

#[test]
fn what_does_not_fit_together_is_told() {
    let template = "/spec/template/spec/containers/0";
    for (object, place, value, reason) in [
        (
            "Deployment/bro",
            "/spec/selector/matchLabels/app.kubernetes.io~1name",
            json!("wor"),
            "Deployment `bro`: its selector does not match the labels of its own pods",
        ),
        ("Service/bro", "/spec/selector/app.kubernetes.io~1name", json!("other"), "Service `bro`: its selector matches no pods"),
        ("Service/bro", "/spec/ports/0/targetPort", json!("other"), "Service `bro`: its pods have no port `other`"),
        ("Service/bro", "/spec/ports/0/port", json!(70000), "Service `bro`: `70000` is not a port"),
        ("Service/bro", "/spec/ports/0/port", json!(9999), "Service `bro`: there are two ports 9999/TCP"),
        ("Service/bro", "/spec/ports/0/name", json!("backend"), "Service `bro`: there are two ports `backend`"),
        (
            "Service/bro",
            "/spec/ports/0/name",
            json!("a-name-of-sixteen"),
            "Service `bro`: `a-name-of-sixteen` cannot be the name of a port",
        ),
        ("Service/bro", "/metadata/name", json!("Bro"), "Service `Bro`: its name is no DNS label, with a letter in front"),
        ("Service/bro-public", "/metadata/name", json!("bro"), "there are two objects Service `bro`"),
        ("ConfigMap/bro", "/metadata/name", json!("else"), "Deployment `bro`: there is no ConfigMap `bro`"),
        ("PersistentVolumeClaim/logs", "/metadata/name", json!("else"), "Deployment `log`: there is no PersistentVolumeClaim `logs`"),
        (
            "Deployment/log",
            &format!("{template}/volumeMounts/0/name"),
            json!("else"),
            "Deployment `log`: there is no volume `else` to mount",
        ),
        (
            "NetworkPolicy/bro-backend",
            "/spec/ingress/0/from/0/podSelector/matchExpressions/0/values/0",
            json!("none"),
            "NetworkPolicy `bro-backend`: it speaks of pods that there are not",
        ),
        (
            "PodDisruptionBudget/wor",
            "/spec/selector/matchLabels/app.kubernetes.io~1name",
            json!("w"),
            "PodDisruptionBudget `wor`: it selects no pods",
        ),
        (
            "ConfigMap/bro",
            "/metadata/labels/app.kubernetes.io~1part-of",
            json!("a b"),
            "ConfigMap `bro`: `a b` cannot be the value of the label `app.kubernetes.io/part-of`",
        ),
        ("ConfigMap/bro", "/data/QUEUE", json!("x".repeat(1 << 20)), "ConfigMap `bro`: it holds more than 1 MiB"),
    ] {
        assert_eq!(broken(object, place, value), reason);
    }
}

#[test]
fn what_is_read_must_be_what_was_to_be_written() {
    let object = json!({ "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "A": "1" } });
    let said = |text: &str| check::check(text, &[&object], &[]).unwrap_err().join("; ");
    assert_eq!(said("kind: ConfigMap\nmetadata: { name: a }\ndata: { A: 1 }\n"), "what was written is read as something else");
    assert_eq!(said("a: b\na: c\n").split(':').next(), Some("it is not YAML"));
}
