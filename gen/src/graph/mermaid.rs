//! The picture for Mermaid (<https://mermaid.js.org/syntax/flowchart.html>).

use std::fmt::Write;

use super::{Graph, Kind, Node, short};

/// The most letters of a line.
const LONGEST: usize = 80;

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (open, close) = match node.kind {
            Kind::Published => ("([", "])"),
            Kind::Volume => ("[(", ")]"),
            _ => ("[", "]"),
        };
        let _ = writeln!(out, "  n{index}{open}{}{close}", quoted(&lines(node)));
    }
    for edge in &graph.edges {
        let network = graph.nodes[edge.to.0].rows.get(edge.to.1).and_then(|row| row.network.as_ref());
        let label: Vec<String> = std::iter::once(edge.label.clone()).chain(network.map(|network| format!("network {network}"))).collect();
        let _ = writeln!(out, "  n{} -->|{}| n{}", edge.from.0, quoted(&label), edge.to.0);
    }
    if !graph.marks.is_empty() {
        let marks: Vec<String> = graph.marks.iter().map(|mark| format!("{}: {}", mark.rule, mark.message)).collect();
        let _ = writeln!(out, "  findings[{}]", quoted(&marks));
    }
    let wrong = graph.nodes.iter().enumerate().filter(|(_, node)| !node.marks.is_empty()).map(|(index, _)| format!("n{index}"));
    let wrong: Vec<String> = wrong.chain((!graph.marks.is_empty()).then(|| "findings".to_owned())).collect();
    let outside = graph.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Outside).map(|(index, _)| format!("n{index}"));
    let outside: Vec<String> = outside.collect();
    for (names, class, style) in
        [(outside, "outside", "stroke-dasharray:5 4"), (wrong, "wrong", "stroke:#cf222e,stroke-width:2px,color:#cf222e")]
    {
        if !names.is_empty() {
            let _ = writeln!(out, "  classDef {class} {style}\n  class {} {class}", names.join(","));
        }
    }
    out
}

/// What stands in a box.
fn lines(node: &Node) -> Vec<String> {
    let about = node.lines.iter().cloned();
    let listens = node.rows.iter().filter(|row| !row.is_start).map(|row| row.text.clone());
    let marks = node.marks.iter().map(|mark| format!("✗ {}", mark.rule));
    std::iter::once(node.title.clone()).chain(about).chain(listens).chain(marks).collect()
}

/// Lines as a quoted text: what means something to Mermaid or to HTML stands as its code.
fn quoted(lines: &[String]) -> String {
    let mut out = "\"".to_owned();
    for (index, line) in lines.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "<br/>" });
        for c in short(line, LONGEST).chars() {
            if c.is_alphanumeric() || " .,:/_-=()×✗…".contains(c) {
                out.push(c);
            } else {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out + "\""
}
