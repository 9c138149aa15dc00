//! `no-instances`

use std::collections::HashMap;

use crate::finding::{Finding, Place};
use crate::plan::{Component, Target};
use crate::rules::{Context, instances, list, replicas_place};

rule! {
    /// A component that others connect to has no instance.
    ///
    /// ### What happens
    /// Its name does not resolve. Whoever is bound to it waits for ever or ends with an error.
    ///
    /// ### What to do
    /// Give it at least one instance, or take the components away that need it.
    "no-instances", Error, Some(check)
}

fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut needed_by: HashMap<&str, Vec<&Component>> = HashMap::new();
    for component in context.plan.components.values().filter(|component| component.replicas > 0) {
        for binding in &component.bindings {
            let Target::Component { name, .. } = &binding.target else { continue };
            let dependents = needed_by.entry(name).or_default();
            if dependents.last().is_none_or(|last| last.name != component.name) {
                dependents.push(component);
            }
        }
    }
    for component in context.plan.deployed().filter(|component| component.replicas == 0) {
        let Some(dependents) = needed_by.get(component.name.as_str()) else { continue };
        let names = list(dependents.iter().map(|dependent| dependent.name.as_str()));
        let verb = if dependents.len() == 1 { "needs" } else { "need" };
        let mut finding = RULE.finding(
            replicas_place(component),
            format!("{}, but {names} {verb} it", instances(component)),
            format!("the name `{}` does not resolve, and whoever connects to it waits for ever", component.name),
            format!("give `{}` at least one instance, or take away what needs it", component.name),
        );
        finding.related.extend(dependents.first().map(|first| (Place::key(&first.pointer), "it is needed here".to_owned())));
        findings.push(finding);
    }
}
