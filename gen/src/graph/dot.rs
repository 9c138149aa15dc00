//! The picture for Graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write;

use super::{Graph, Kind, Node, short};

/// The most letters of a line.
const LONGEST: usize = 80;

pub(super) fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n", quoted(std::slice::from_ref(&graph.title)));
    out.push_str("  rankdir=LR; node [shape=box, style=rounded, fontname=monospace]; edge [fontname=monospace];\n");
    let _ = writeln!(out, "  label={}; labelloc=t;", quoted(std::slice::from_ref(&graph.title)));
    for (index, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind {
            Kind::Published => ", shape=ellipse",
            Kind::Volume => ", shape=cylinder, style=\"\"",
            Kind::Outside => ", style=\"rounded,dashed\"",
            _ => "",
        };
        let color = if node.marks.is_empty() { "" } else { ", color=red, fontcolor=red" };
        let _ = writeln!(out, "  n{index} [label={}{shape}{color}];", quoted(&lines(node)));
    }
    for edge in &graph.edges {
        let network = graph.nodes[edge.to.0].rows.get(edge.to.1).and_then(|row| row.network.as_ref());
        let label: Vec<String> = std::iter::once(edge.label.clone()).chain(network.map(|network| format!("network {network}"))).collect();
        let _ = writeln!(out, "  n{} -> n{} [label={}];", edge.from.0, edge.to.0, quoted(&label));
    }
    if !graph.marks.is_empty() {
        let marks: Vec<String> = graph.marks.iter().map(|mark| format!("{}: {}", mark.rule, mark.message)).collect();
        let _ = writeln!(out, "  findings [label={}, shape=note, color=red, fontcolor=red];", quoted(&marks));
    }
    out.push_str("}\n");
    out
}

/// What stands in a box.
fn lines(node: &Node) -> Vec<String> {
    let about = node.lines.iter().cloned();
    let listens = node.rows.iter().filter(|row| !row.is_start).map(|row| row.text.clone());
    let marks = node.marks.iter().map(|mark| format!("✗ {}", mark.rule));
    std::iter::once(node.title.clone()).chain(about).chain(listens).chain(marks).collect()
}

/// Lines as a quoted text: `\n` is a line break, and nothing else means anything.
fn quoted(lines: &[String]) -> String {
    let escaped: Vec<String> = lines.iter().map(|line| short(line, LONGEST).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", escaped.join("\\n"))
}
