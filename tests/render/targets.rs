//! What targets beside Compose promise, for topologies that people write and for any text in them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use cbwgen::plan::{EnvVar, Origin};
use cbwgen::write::apply;
use proptest::prelude::*;
use serde_json::Value;

use super::any_text::text;
use super::*;

const TWO_NODES: &str =
    "name = \"p\"\n[node.a]\n[node.b]\nlabels = { disk = \"ssd\" }\n[broker.bro]\n[client.cli]\n[worker.wor]\nreplicas = 2\n";

fn stack(topology: &str) -> Value {
    let files = render_for(Target::Swarm, &plan(topology), Templates::default()).unwrap();
    serde_yaml::from_str(content(&files, "stack.yml")).unwrap()
}

#[test]
fn targets_in_one_folder_leave_each_other_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan("name = \"p\"\n[broker.bro]\n[worker.wor]\n");
    for _ in 0..2 {
        for target in Target::ALL {
            let files = render_for(*target, &plan, Templates::default()).unwrap();
            assert!(apply(folder.path(), &files, false).unwrap().removed.is_empty(), "{target}");
        }
    }
    for file in ["docker-compose.yml", "stack.yml", "deploy.sh", "bro/Dockerfile"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[cfg(unix)]
#[test]
fn a_script_can_be_run_and_other_files_cannot() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    apply(folder.path(), &render_for(Target::Script, &plan("[broker.bro]\n"), Templates::default()).unwrap(), false).unwrap();
    let is_executable = |file: &str| std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o100 != 0;
    assert!(is_executable("deploy.sh") && !is_executable("bro/Dockerfile"));
}

#[test]
fn placement_becomes_constraints() {
    let stack = stack(&format!(
        "{TWO_NODES}placement = {{ labels = {{ disk = \"ssd\" }}, max_per_node = 2 }}\n[logger.log]\nvolume = \"./logs:/var/log/cbw\"\nplacement = {{ node = \"a\" }}\n"
    ));
    let placement = |service: &str| stack["services"][service]["deploy"]["placement"].clone();
    assert_eq!(placement("log"), serde_json::json!({ "constraints": ["node.hostname == a"] }));
    assert_eq!(placement("wor"), serde_json::json!({ "constraints": ["node.labels.disk == ssd"], "max_replicas_per_node": 2 }));
    assert_eq!(placement("bro"), Value::Null);
}

#[test]
fn workers_may_run_side_by_side_and_what_holds_something_may_not() {
    let stack = stack(&format!(
        "{TWO_NODES}[worker.state]\nvolumes = [\"state:/state\"]\n[service.web]\nimage = \"web:1\"\nreplicas = 2\n[service.one]\nimage = \"one:1\"\n"
    ));
    for (service, order) in
        [("wor", "start-first"), ("web", "start-first"), ("bro", "stop-first"), ("state", "stop-first"), ("one", "stop-first")]
    {
        assert_eq!(stack["services"][service]["deploy"]["update_config"]["order"], order, "{service}");
        assert_eq!(stack["services"][service]["deploy"]["update_config"]["failure_action"], "rollback");
    }
}

#[test]
fn a_file_that_is_only_read_goes_to_every_node() {
    let stack =
        stack("name = \"p\"\n[service.web]\nimage = \"web:1\"\nvolumes = [\"./web.conf:/etc/web.conf:ro\", \"./conf.d:/etc/conf.d:ro\"]\n");
    assert_eq!(stack["services"]["web"]["configs"], serde_json::json!([{ "source": "web-1", "target": "/etc/web.conf" }]));
    assert_eq!(stack["configs"]["web-1"]["file"], "../web.conf");
    assert_eq!(stack["services"]["web"]["volumes"], serde_json::json!(["../conf.d:/etc/conf.d:ro"]));
}

#[test]
fn a_template_that_loses_what_matters_is_refused() {
    let embedded = std::fs::read_to_string(root().join("templates/stack.yml.j2")).unwrap();
    let begin = "`stack.yml.j2` does not write what was planned, so nothing was written: ";
    for (from, to, difference) in [
        ("      replicas: {{ service.replicas }}\n", "      replicas: 1\n", "`deploy.replicas` of `wor` is 1 instead of 2"),
        (
            "        mode: host\n",
            "        mode: ingress\n",
            "port 9998 of `bro` is published in mode `ingress`, which `dnsrr` does not allow",
        ),
        (
            "    driver: overlay\n",
            "    driver: bridge\n",
            "the network `bro-backend` has the driver `bridge`, which does not reach other nodes; the network `bro-frontend` has the driver `bridge`, which does not reach other nodes",
        ),
        (
            "      endpoint_mode: dnsrr\n",
            "      endpoint_mode: vip\n",
            "`deploy.endpoint_mode` of `bro` is \"vip\" instead of \"dnsrr\"; `deploy.endpoint_mode` of `wor` is \"vip\" instead of \"dnsrr\"; `deploy.endpoint_mode` of `cli` is \"vip\" instead of \"dnsrr\"",
        ),
        ("version: \"3.8\"\n", "", "missing field `version`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(embedded.contains(from), "{from}");
        std::fs::write(folder.path().join("stack.yml.j2"), embedded.replace(from, to)).unwrap();
        let topology = TWO_NODES.replace("[broker.bro]", "[broker.bro]\npublish = { frontend = 9998 }");
        let error = render_for(Target::Swarm, &plan(&topology), Templates::read(folder.path()).unwrap()).unwrap_err();
        assert_eq!(error.to_string().replace(&format!("{}/", folder.path().display()), ""), format!("{begin}{difference}"));
    }
}

/// `shellcheck` of a script; nothing where the machine has none.
fn shellcheck(script: &str) -> Option<String> {
    let mut child = Command::new("shellcheck").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn scripts_are_clean() {
    let mut topologies: Vec<PathBuf> = Vec::new();
    for folder in ["tests/render", "tests/rules/target-loses", "tests/rules/node-port-taken", "examples"] {
        topologies.extend(std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    topologies.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    for path in topologies {
        let plan = plan(&std::fs::read_to_string(&path).unwrap());
        for (target, file) in [(Target::Script, "deploy.sh"), (Target::Swarm, "build.sh")] {
            let files = render_for(target, &plan, Templates::default()).unwrap();
            if let Some(script) = files.iter().find(|rendered| rendered.path == file) {
                assert_eq!(shellcheck(&script.content).unwrap_or_default(), "", "{}: {file}", path.display());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a value holds, a shell passes it on as it is, and a stack file is read back as what was meant.
    #[test]
    fn any_value_stays_one_value(value in text().prop_filter("no process takes it", |text| !text.contains('\0'))) {
        let mut plan = plan("name = \"p\"\n[service.web]\nimage = \"web:1\"\ncommand = [\"x\"]\n");
        let web = plan.components.get_mut("web").unwrap();
        web.command = Some(vec![value.clone()]);
        web.env.insert("VALUE".to_owned(), EnvVar { value: value.clone(), origin: Origin::User });
        render_for(Target::Swarm, &plan, Templates::default()).unwrap();
        let files = render_for(Target::Script, &plan, Templates::default()).unwrap();
        // Up to the line that looks for an engine: the functions are defined, and one of them is called with a docker that tells.
        let script = content(&files, "deploy.sh").split("docker info").next().unwrap();
        let script = format!("{script}\nscale= image=web:1 number=0 replicas=1\ninstances() {{ component=$1 replicas=$2 image=$3 number=0; }}\nrun() {{ for last; do :; done; printf %s \"$last\"; }}\nup_web\n");
        let output = Command::new("sh").arg("-c").arg(&script).env_clear().output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        prop_assert_eq!(told.as_ref(), value.as_str(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
