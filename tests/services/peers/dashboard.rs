//! The dashboard asks only for figures that the services have.

use std::collections::BTreeSet;
use std::fs;

use crate::processes::{Service, free_port};

fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("cbw_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn every_figure_of_the_dashboard_exists() {
    let (one, two, folder) = (free_port().to_string(), free_port().to_string(), tempfile::tempdir().unwrap());
    let logs = folder.path().join("logs");
    let services = [
        Service::start(env!("CARGO_BIN_EXE_broker"), &[one.as_str(), &two, "127.0.0.1", "9"], &[]),
        Service::start(env!("CARGO_BIN_EXE_worker"), &["wor", "127.0.0.1", &two], &[]),
        Service::start(env!("CARGO_BIN_EXE_logger"), &[free_port().to_string().as_str(), logs.to_str().unwrap()], &[]),
    ];
    let known: BTreeSet<String> = services
        .iter()
        .flat_map(|service| {
            crate::processes::wait_until("the service answers", || service.page("/metrics").is_some());
            names_in(&service.page("/metrics").unwrap().1)
        })
        .collect();
    let dashboard = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: BTreeSet<String> = targets.flat_map(|target| names_in(target["expr"].as_str().unwrap())).collect();
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty() && asked.len() > 20, "{unknown:?} are no figures of a service");
}
