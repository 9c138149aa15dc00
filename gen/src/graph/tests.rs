use super::layout::{Area, Line, place};
use super::*;
use crate::lint::{Facts, lint, load};
use crate::source::Source;
use crate::topology::WhatIf;

fn drawn(topology: &str, format: Format) -> String {
    let loaded = load(Source::new("topology.toml", topology), "demo", &WhatIf::default());
    draw(&loaded.plan, &lint(&loaded, &Facts::default()), format).unwrap()
}

/// Numbers that look random and are the same in every run.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[test]
fn what_lint_warns_of_is_red_where_it_is() {
    let loaded = load(
        Source::new("topology.toml", "[broker.bro]\nreplicas = 2\n[worker.wor]\n[client.cli]\n[service.x]\nimage = \"nginx\"\n"),
        "demo",
        &WhatIf::default(),
    );
    let graph = graph(&loaded.plan, &lint(&loaded, &Facts::default()));
    let rules = |name: &str| {
        let node = graph.nodes.iter().find(|node| node.title.starts_with(name)).unwrap();
        node.marks.iter().map(|mark| mark.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules("bro"), ["two-brokers"]);
    assert_eq!(rules("x"), ["unpinned-image"]);
    assert!(rules("wor").is_empty());
}

#[test]
fn edges_lead_from_needs_to_endpoints() {
    let loaded = load(
        Source::new(
            "topology.toml",
            "[broker.bro]\npublish = [\"frontend\"]\n[worker.wor]\nreplicas = 4\n[client.cli]\n[logger.log]\nvolume = \"logs:/log\"\n",
        ),
        "demo",
        &WhatIf::default(),
    );
    let graph = graph(&loaded.plan, &[]);
    let end = |(node, row): (usize, usize)| {
        let node = &graph.nodes[node];
        node.rows.get(row).map_or_else(|| node.title.clone(), |row| format!("{}: {}", node.title, row.text))
    };
    let mut edges: Vec<String> = graph.edges.iter().map(|edge| format!("{} → {}", end(edge.from), end(edge.to))).collect();
    edges.sort();
    assert_eq!(
        edges,
        [
            "0.0.0.0:9998 → bro: frontend 9998",
            "bro: logger → log: ingest 9995",
            "cli: broker → bro: frontend 9998",
            "log: /log → logs",
            "wor ×4: broker → bro: backend 9999",
        ]
    );
}

/// Boxes do not overlap, and no edge runs through one.
#[test]
fn nothing_lies_on_anything() {
    for (seed, nodes, edges) in [(1, 5, 4), (2, 20, 30), (3, 60, 90), (4, 100, 120), (5, 40, 0), (6, 100, 99)] {
        let mut number = numbers(seed);
        let size = |number: &mut dyn FnMut(usize) -> usize| {
            let side = |value: usize| f64::from(u32::try_from(value).unwrap());
            Area { width: side(60 + number(300)), height: side(30 + number(150)), ..Area::default() }
        };
        let mut areas: Vec<Area> = (0..nodes).map(|_| size(&mut number)).collect();
        // The last is a star; the others have circles and edges twice too.
        let ends =
            |number: &mut dyn FnMut(usize) -> usize, edge: usize| if seed == 6 { (edge + 1, 0) } else { (number(nodes), number(nodes)) };
        let lines: Vec<Line> = (0..edges)
            .map(|edge| ends(&mut number, edge))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Line { from: (from, areas[from].height / 2.0), to: (to, areas[to].height / 2.0) })
            .collect();
        let (ways, width, height) = place(&mut areas, &lines);
        for (index, a) in areas.iter().enumerate() {
            assert!(a.x >= -0.1 && a.y >= -0.1 && a.x + a.width <= width + 0.1 && a.y + a.height <= height + 0.1, "{seed}: {a:?}");
            for b in &areas[..index] {
                let apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{seed}: {a:?} {b:?}");
            }
        }
        for (way, line) in ways.iter().zip(&lines) {
            let mut points: Vec<(f64, f64)> = Vec::new();
            for ((begin, end), next) in way.iter().zip(way.iter().skip(1).map(Some).chain([None])) {
                points.extend([*begin, *end]);
                // The turn is a curve with level ends: it stays between these two heights.
                if let Some((to, _)) = next {
                    points.extend((1..20).map(|step| {
                        let t = f64::from(step) / 20.0;
                        (end.0 + (to.0 - end.0) * (1.5 * t * (1.0 - t) + t * t * t), end.1 + (to.1 - end.1) * t * t * (3.0 - 2.0 * t))
                    }));
                }
            }
            for (index, area) in areas.iter().enumerate() {
                let inside = |(x, y): &(f64, f64)| {
                    *x > area.x + 0.6 && *x < area.x + area.width - 0.6 && *y > area.y + 0.6 && *y < area.y + area.height - 0.6
                };
                let own = index == line.from.0 || index == line.to.0;
                assert!(own || !points.iter().any(inside), "{seed}: {line:?} runs through {area:?}");
            }
        }
    }
}

const STRANGE: &str = "name = \"demo\"\n[service.a]\nimage = 'x\"]--><b>&amp;|`#;end\\n'\nvolumes = ['./a\"b|<i>&:/c']\n\
                       [service.end]\nimage = \"y:1\"\nports = { graph = 80 }\n[service.b]\nimage = \"z:1\"\nneeds = { end = \"end\" }\n";

#[test]
fn svg_is_well_formed_whatever_the_names_are() {
    let svg = drawn(STRANGE, Format::Svg);
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(document.descendants().any(|node| node.text() == Some("./a\"b|<i>&")));
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert!(!svg.contains("href"), "it needs nothing from elsewhere");
}

#[test]
fn mermaid_has_nothing_but_its_own_words() {
    let text = drawn(STRANGE, Format::Mermaid);
    let label = r#""([\p{Alphabetic}\p{N} .,:/_\-=()×✗…]|#[0-9]+;|<br/>)*""#;
    let line = regex::Regex::new(&format!(
        r"^(flowchart LR|  n\d+(\[{label}\]|\(\[{label}\]\)|\[\({label}\)\])|  n\d+ -->\|{label}\| n\d+|  findings\[{label}\]|  classDef (wrong|outside) [a-z0-9#:,\- ]+|  class [a-z0-9,]+ (wrong|outside))$"
    ))
    .unwrap();
    for said in text.lines() {
        assert!(line.is_match(said), "{said}");
    }
    assert!(text.contains("-->|\"graph 80<br/>network end-graph\"|"), "{text}");
}

#[test]
fn dot_has_quoted_texts_only() {
    let text = drawn(STRANGE, Format::Dot);
    let label = r#""([^"\\]|\\\\|\\"|\\n)*""#;
    let line = regex::Regex::new(&format!(
        r#"^(digraph {label} \{{|\}}|  rankdir=LR; .*|  label={label}; labelloc=t;|  n\d+ \[label={label}(, (shape|style|color|fontcolor)=("[a-z,]*"|[a-z]+))*\];|  n\d+ -> n\d+ \[label={label}\];|  findings \[label={label}, shape=note, color=red, fontcolor=red\];)$"#
    ))
    .unwrap();
    for said in text.lines() {
        assert!(line.is_match(said), "{said}");
    }
}

#[test]
fn what_nobody_could_read_is_not_drawn() {
    let mut topology = String::new();
    for number in 0..=MOST {
        topology.push_str(&["[service.s", &number.to_string(), "]\nimage = \"x:1\"\n"].concat());
    }
    let loaded = load(Source::new("topology.toml", topology), "demo", &WhatIf::default());
    let error = draw(&loaded.plan, &[], Format::Svg).unwrap_err();
    assert_eq!(error.to_string(), "1001 components are more than the 1000 that a picture can show; `cbwgen plan` lists them");
}
