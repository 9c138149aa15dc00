//! The start order: what is needed comes first, and a circle has no first.

use std::collections::HashMap;

use super::{Plan, Role};
use crate::finding::Finding;
use crate::rules;

/// Gives every component its stage, sorts them by it, and tells of circles.
pub(super) fn start_order(plan: &mut Plan, findings: &mut Vec<Finding>) {
    let index: HashMap<&str, usize> = plan.components.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let needs: Vec<Vec<usize>> = plan
        .components
        .values()
        .map(|component| component.depends_on.keys().filter_map(|name| index.get(name.as_str()).copied()).collect())
        .collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (component, needs) in needs.iter().enumerate() {
        for need in needs {
            needed_by[*need].push(component);
        }
    }
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut stage = vec![0; needs.len()];
    let mut ready: Vec<usize> = (0..needs.len()).filter(|component| open[*component] == 0).collect();
    let mut done = 0;
    while let Some(component) = ready.pop() {
        done += 1;
        for dependent in &needed_by[component] {
            stage[*dependent] = stage[*dependent].max(stage[component] + 1);
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                ready.push(*dependent);
            }
        }
    }
    if done < needs.len() {
        for circle in circles(&needs, &open) {
            let names: Vec<&str> = circle.iter().map(|index| plan.components[*index].name.as_str()).collect();
            findings.push(rules::dependency_cycle::finding(&names, &plan.components[circle[0]].pointer));
        }
    }
    for (component, stage) in plan.components.values_mut().zip(stage) {
        component.stage = stage;
    }
    plan.components.sort_by(|_, a, _, b| (a.stage, rank(&a.role)).cmp(&(b.stage, rank(&b.role))));
}

/// Within a stage, the order in which people think of the roles.
fn rank(role: &Role) -> u8 {
    match role {
        Role::Logger { .. } => 0,
        Role::Broker { .. } => 1,
        Role::Service => 2,
        Role::Worker { .. } => 3,
        Role::Client { .. } => 4,
    }
}

/// One circle for each knot among what is still open, each beginning at its first member. `open[i]` is 0 where `i` is done.
pub(super) fn circles(needs: &[Vec<usize>], open: &[usize]) -> Vec<Vec<usize>> {
    let mut circles = Vec::new();
    let mut told = vec![false; needs.len()];
    for start in 0..needs.len() {
        if open[start] == 0 || told[start] {
            continue;
        }
        // Walking along what is not ready must come back to a place that was passed: that is the circle.
        let mut way: Vec<usize> = Vec::new();
        let mut position: HashMap<usize, usize> = HashMap::new();
        let mut at = start;
        let circle = loop {
            if told[at] {
                break None;
            }
            if let Some(first) = position.get(&at) {
                break Some(way[*first..].to_vec());
            }
            position.insert(at, way.len());
            way.push(at);
            match needs[at].iter().find(|need| open[**need] > 0) {
                Some(next) => at = *next,
                None => break None,
            }
        };
        for passed in way {
            told[passed] = true;
        }
        if let Some(mut circle) = circle {
            let first = circle.iter().enumerate().min_by_key(|(_, index)| **index).map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            circles.push(circle);
        }
    }
    circles
}
