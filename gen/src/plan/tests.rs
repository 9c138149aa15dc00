//! What a plan promises, for topologies that people write and for any other.

use proptest::prelude::*;

use super::{Plan, Target};
use crate::lint::load;
use crate::source::Source;
use crate::topology::WhatIf;

fn plan(text: &str) -> Plan {
    let loaded = load(Source::new("topology.toml", text), "folder", &WhatIf::default());
    assert!(loaded.plan.complete, "{text}");
    loaded.plan
}

fn env<'a>(plan: &'a Plan, component: &str, key: &str) -> Option<&'a str> {
    plan.component(component)?.env.get(key).map(|variable| variable.value.as_str())
}

const CBWL: &str = "[client.cli]\nreplicas = 2\n[worker.wor]\nreplicas = 4\n[broker.bro]\n[logger.log]\n";

#[test]
fn the_folder_names_a_project_without_a_name() {
    assert_eq!(plan(CBWL).name, "folder");
}

#[test]
fn what_is_needed_starts_first_whatever_the_order_of_the_file() {
    let order = plan(CBWL).components.into_keys().collect::<Vec<_>>();
    assert_eq!(order, ["log", "bro", "wor", "cli"]);
}

#[test]
fn needs_become_environment() {
    let plan = plan(CBWL);
    assert_eq!(env(&plan, "wor", "BROKER_HOST"), Some("bro"));
    assert_eq!(env(&plan, "wor", "BROKER_PORT"), Some("9999"));
    assert_eq!(env(&plan, "cli", "BROKER_URL"), Some("tcp://bro:9998"));
    assert_eq!(env(&plan, "bro", "LOGGER_URL"), Some("tcp://log:9995"));
    assert_eq!(env(&plan, "cli", "LOGGER_HOST"), None, "only a broker logs unless others are told to");
}

#[test]
fn the_users_environment_wins_and_may_speak_of_what_is_bound() {
    let plan = plan(
        "[service.db]\nimage = \"db:1\"\nports = { sql = 5432 }\n[service.app]\nimage = \"app:1\"\nneeds = { store = \"db.sql\" }\nenv = { STORE_PORT = 1, AT = \"{{ store.host }}:{{ store.port }} for {{ self.name }}\" }\n",
    );
    assert_eq!(env(&plan, "app", "STORE_PORT"), Some("1"));
    assert_eq!(env(&plan, "app", "AT"), Some("db:5432 for app"));
}

#[test]
fn clients_share_no_network_with_the_logger_or_with_the_workers() {
    let plan = plan(CBWL);
    for (network, members) in &plan.networks {
        let has = |name: &str| members.members.iter().any(|member| member == name);
        assert!(!(has("cli") && (has("log") || has("wor"))), "{network}");
    }
    assert_eq!(env(&plan, "bro", "BACKEND_HOST"), Some("bro-backend"), "the workers' port is open in their network alone");
}

#[test]
fn a_published_backend_is_open_everywhere() {
    let plan = plan("[broker.bro]\npublish = [\"backend\"]\n[worker.wor]\n[client.cli]\n");
    assert_eq!(env(&plan, "bro", "BACKEND_HOST"), None);
}

/// All turns of all workers, the wait behind the other clients, and half a second.
#[test]
fn a_client_waits_as_long_as_its_broker_may_need() {
    let plan = plan("[broker.bro]\ndeadline = \"3s\"\nretries = 1\n[worker.wor]\nservice_time = \"1s\"\n[client.cli]\nreplicas = 5\n");
    assert_eq!(env(&plan, "cli", "REQUEST_TIMEOUT"), Some("11s500ms"));
}

#[test]
fn a_broker_waits_at_its_door_for_workers_that_do_not_say_who_they_are() {
    let foreign = "[worker.wor]\nbuild = { from = \"node:22\", command = \"node worker\" }\n[broker.bro]\n";
    assert_eq!(env(&plan(foreign), "bro", "DOOR"), Some("5s"));
    assert_eq!(env(&plan(&foreign.replace("[broker.bro]", "[broker.bro]\nenv = { DOOR = \"1s\" }")), "bro", "DOOR"), Some("1s"));
    assert_eq!(env(&plan(CBWL), "bro", "DOOR"), None, "our own workers say so");
}

#[test]
fn an_outside_client_comes_in_by_the_published_port() {
    let plan =
        plan("[host]\naddress = \"example.org\"\n[broker.bro]\npublish = { frontend = 80 }\n[worker.wor]\n[client.far]\noutside = true\n");
    assert_eq!(env(&plan, "far", "BROKER_URL"), Some("tcp://example.org:80"));
    assert!(plan.deployed().all(|component| component.name != "far"));
}

#[test]
fn circles_are_told_once_and_named() {
    let circle = "[service.a]\nimage = \"a:1\"\nports = { p = 1 }\nneeds = { b = \"b\" }\n[service.b]\nimage = \"b:1\"\nports = { p = 1 }\nneeds = { c = \"c\" }\n[service.c]\nimage = \"c:1\"\nports = { p = 1 }\nneeds = { a = \"a\" }\n[service.d]\nimage = \"d:1\"\nneeds = { a = \"a\" }\n";
    let loaded = load(Source::new("topology.toml", circle), "folder", &WhatIf::default());
    let findings = crate::lint::lint(&loaded, &crate::lint::Facts::default());
    let messages: Vec<&str> = findings.iter().map(|located| located.finding.message.as_str()).collect();
    assert_eq!(messages, ["components need each other in a circle: `a` → `b` → `c` → `a`"]);
}

#[test]
fn commands_with_a_variable_are_run_by_a_shell_that_makes_way() {
    let plan = plan(
        "[service.a]\nimage = \"a:1\"\ncommand = \"serve --port $PORT\"\n[service.b]\nimage = \"b:1\"\ncommand = \"serve 'two words'\"\n",
    );
    assert_eq!(plan.component("a").unwrap().command.as_ref().unwrap(), &["sh", "-c", "exec serve --port $PORT"]);
    assert_eq!(plan.component("b").unwrap().command.as_ref().unwrap(), &["serve", "two words"]);
}

/// Services that need earlier ones or later ones, but never in a circle: `order` says which are earlier.
fn services() -> impl Strategy<Value = String> {
    let edges = proptest::collection::vec((0_usize..12, 0_usize..12), 0..30);
    (Just((0..12).collect::<Vec<usize>>()).prop_shuffle(), edges).prop_map(|(order, edges)| {
        let mut needs = vec![Vec::new(); 12];
        for (a, b) in edges {
            let (from, to) = (order[a.max(b)], order[a.min(b)]);
            if from != to && !needs[from].contains(&to) {
                needs[from].push(to);
            }
        }
        let table = |(index, needs): (usize, &Vec<usize>)| {
            let needs = needs.iter().map(|need| format!("n{need} = \"s{need}\"")).collect::<Vec<_>>().join(", ");
            format!("[service.s{index}]\nimage = \"i:1\"\nports = {{ p = 80 }}\nneeds = {{ {needs} }}\n")
        };
        needs.iter().enumerate().map(table).collect()
    })
}

proptest! {
    #[test]
    fn every_need_is_bound_and_starts_before(text in services()) {
        let plan = plan(&text);
        for component in plan.components.values() {
            for binding in &component.bindings {
                let Target::Component { name, endpoint } = &binding.target else { unreachable!("there are no externals") };
                let target = plan.component(name).unwrap();
                prop_assert!(target.endpoint(endpoint).is_some());
                prop_assert!(target.stage < component.stage);
                prop_assert!(component.networks.iter().any(|network| target.networks.contains(network)), "they meet");
            }
        }
        let stages: Vec<usize> = plan.components.values().map(|component| component.stage).collect();
        prop_assert!(stages.is_sorted());
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        let loaded = load(Source::new("topology.toml", text), "folder", &WhatIf::default());
        let _ = crate::report::text::report(std::slice::from_ref(&loaded.source), &crate::lint::lint(&loaded, &crate::lint::Facts::default()), false);
    }

    /// Pieces of topologies in any order say more than random letters.
    #[test]
    fn pieces_of_topologies_are_read_without_a_panic(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "[broker.bro]", "[worker.wor]", "[client]", "[host]", "[lints]", "replicas = ", "publish = ", "{ frontend = 1 }", "\"x\"", "4", "\n",
        "= [", "]", "env = { A = \"{{ a.b }}\" }", "needs = { a = \"bro\" }", "# cbwgen: allow(x", ")", "\u{e4}", "build = {", "}", "'''",
    ]), 0..30)) {
        let loaded = load(Source::new("topology.toml", pieces.concat()), "folder", &WhatIf::default());
        let findings = crate::lint::lint(&loaded, &crate::lint::Facts::default());
        let _ = crate::report::text::report(std::slice::from_ref(&loaded.source), &findings, true);
        let _ = crate::report::json::report(std::slice::from_ref(&loaded.source), &findings);
        let _ = super::show::text(&loaded.plan);
        let _ = super::show::json(&loaded.plan);
    }
}
