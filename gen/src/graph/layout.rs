//! Where boxes and edges lie: layers from left to right, by the method of Sugiyama (the crate `dagre`).
//!
//! The layout leaves room for edges between boxes, but boxes of one layer differ in width. So an edge crosses a layer straight on,
//! as far as the widest box reaches, and turns in the gap between two layers only: no edge runs through a box.

use dagre::graph::{Graph as Layout, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir, layout};

/// A box: its size is given, its place is found. `x` and `y` are its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// An edge: the boxes and how far below their upper ends it begins and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub from: (usize, f64),
    pub to: (usize, f64),
}

/// A way from left to right (or back): pairs of points between which it runs straight on; it turns from pair to pair.
pub(super) type Way = Vec<((f64, f64), (f64, f64))>;

/// Between two boxes of a layer, between two edges, and between two layers.
const NODE_GAP: f64 = 24.0;
const EDGE_GAP: f64 = 14.0;
const LAYER_GAP: f64 = 90.0;

/// Finds a place for every box, and a way for every edge. Gives the width and height of all of it.
pub(super) fn place(areas: &mut [Area], lines: &[Line]) -> (Vec<Way>, f64, f64) {
    let mut ways: Vec<Way> = vec![Vec::new(); lines.len()];
    let mut parts = parts(areas.len(), lines);
    let mut sizes = Vec::with_capacity(parts.len());
    for part in &parts {
        sizes.push(place_part(part, areas, lines, &mut ways));
    }
    // Parts that nothing connects stand in shelves, about as wide as a screen is.
    let total: f64 = sizes.iter().map(|(width, height)| (width + NODE_GAP) * (height + NODE_GAP)).sum();
    let widest = sizes.iter().map(|(width, _)| *width).fold((total * 1.3).sqrt(), f64::max);
    let (mut x, mut y, mut shelf, mut width) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for (part, (part_width, part_height)) in parts.iter_mut().zip(sizes) {
        if x > 0.0 && x + part_width > widest {
            (x, y, shelf) = (0.0, y + shelf + NODE_GAP, 0.0);
        }
        for node in part.iter() {
            areas[*node].x += x;
            areas[*node].y += y;
        }
        for (way, line) in ways.iter_mut().zip(lines) {
            if part.contains(&line.from.0) {
                shift(way, x, y);
            }
        }
        x += part_width + NODE_GAP;
        shelf = shelf.max(part_height);
        width = width.max(x - NODE_GAP);
    }
    (ways, width, y + shelf)
}

fn shift(way: &mut Way, x: f64, y: f64) {
    for (a, b) in way {
        (*a, *b) = ((a.0 + x, a.1 + y), (b.0 + x, b.1 + y));
    }
}

/// What hangs together, the largest first.
fn parts(nodes: usize, lines: &[Line]) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); nodes];
    for line in lines {
        neighbours[line.from.0].push(line.to.0);
        neighbours[line.to.0].push(line.from.0);
    }
    let mut seen = vec![false; nodes];
    let mut parts = Vec::new();
    for start in 0..nodes {
        let mut open = vec![start];
        let mut part = Vec::new();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                part.push(node);
                open.extend(&neighbours[node]);
            }
        }
        part.sort_unstable();
        if !part.is_empty() {
            parts.push(part);
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

/// Lays one part out, its upper left corner at 0, 0; gives its size.
fn place_part(part: &[usize], areas: &mut [Area], lines: &[Line], ways: &mut [Way]) -> (f64, f64) {
    if let [only] = part {
        return (areas[*only].width, areas[*only].height);
    }
    let mut graph: Layout<NodeLabel, EdgeLabel> = Layout::with_options(GraphOptions { directed: true, multigraph: true, compound: false });
    for node in part {
        let Area { width, height, .. } = areas[*node];
        graph.set_node(node.to_string(), Some(NodeLabel { width, height, ..NodeLabel::default() }));
    }
    let own = || lines.iter().enumerate().filter(|(_, line)| line.from.0 != line.to.0 && part.binary_search(&line.from.0).is_ok());
    for (index, line) in own() {
        let label = EdgeLabel { width: 0.0, height: 0.0, ..EdgeLabel::default() };
        graph.set_edge(line.from.0.to_string(), line.to.0.to_string(), Some(label), Some(&index.to_string()));
    }
    let options =
        LayoutOptions { rankdir: RankDir::LR, nodesep: NODE_GAP, edgesep: EDGE_GAP, ranksep: LAYER_GAP, ..LayoutOptions::default() };
    layout(&mut graph, Some(options));
    // The layers: where their middles are, and how far their widest box reaches.
    let mut layers: Vec<(f64, f64)> = Vec::new();
    for node in part {
        let Some(label) = graph.node(&node.to_string()) else { continue };
        let (x, y) = (label.x.unwrap_or_default(), label.y.unwrap_or_default());
        let area = &mut areas[*node];
        (area.x, area.y) = (x - area.width / 2.0, y - area.height / 2.0);
        match layers.iter_mut().find(|(middle, _)| (middle - x).abs() < 0.5) {
            Some((_, half)) => *half = half.max(area.width / 2.0),
            None => layers.push((x, area.width / 2.0)),
        }
    }
    let layer = |x: f64| layers.iter().find(|(middle, _)| (middle - x).abs() < 0.5).map(|(_, half)| *half);
    let reach = |x: f64| layer(x).unwrap_or_default();
    for (index, line) in own() {
        let points = graph.edge(&line.from.0.to_string(), &line.to.0.to_string(), Some(&index.to_string())).map(|edge| &edge.points);
        let (from, to) = (areas[line.from.0], areas[line.to.0]);
        let forward = from.x + from.width / 2.0 <= to.x + to.width / 2.0;
        let sign = if forward { 1.0 } else { -1.0 };
        let middle = |area: Area| area.x + area.width / 2.0;
        let mut way = Vec::new();
        let start = (middle(from) + sign * from.width / 2.0, from.y + line.from.1);
        way.push((start, (middle(from) + sign * reach(middle(from)), start.1)));
        let inner = points.map_or(&[][..], |points| points.get(1..points.len().saturating_sub(1)).unwrap_or_default());
        // Between two layers nothing is in the way.
        for (point, half) in inner.iter().filter_map(|point| Some((point, sign * layer(point.x)?))) {
            way.push(((point.x - half, point.y), (point.x + half, point.y)));
        }
        let end = (middle(to) - sign * to.width / 2.0, to.y + line.to.1);
        way.push(((middle(to) - sign * reach(middle(to)), end.1), end));
        ways[index] = way;
    }
    let nodes = part.iter().map(|node| areas[*node]);
    let inner = own().flat_map(|(index, _)| ways[index].iter().flat_map(|(a, b)| [*a, *b])).collect::<Vec<_>>();
    let left = nodes.clone().map(|area| area.x).chain(inner.iter().map(|point| point.0)).fold(f64::INFINITY, f64::min);
    let top = nodes.clone().map(|area| area.y).chain(inner.iter().map(|point| point.1)).fold(f64::INFINITY, f64::min);
    let right = nodes.clone().map(|area| area.x + area.width).chain(inner.iter().map(|point| point.0)).fold(0.0, f64::max);
    let bottom = nodes.map(|area| area.y + area.height).chain(inner.iter().map(|point| point.1)).fold(0.0, f64::max);
    for node in part {
        areas[*node].x -= left;
        areas[*node].y -= top;
    }
    let indices: Vec<usize> = own().map(|(index, _)| index).collect();
    for index in indices {
        shift(&mut ways[index], -left, -top);
    }
    (right - left, bottom - top)
}
