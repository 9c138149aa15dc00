//! The picture as SVG: one file that needs nothing else, and follows the page's light or dark.

use std::fmt::Write;

use super::layout::{Area, Line, Way, place};
use super::{Graph, Kind, Node, short};

/// What a letter of the text and of a title is wide at most, whatever monospaced face there is.
const LETTER: f64 = 7.4;
const TITLE_LETTER: f64 = 8.7;
/// Lines of text, the space round it, and the margin of the whole.
const LINE: f64 = 19.0;
const PAD: f64 = 12.0;
const MARGIN: f64 = 24.0;
/// The most letters of a line in a box, and of one below the graph.
const LONGEST: usize = 44;
const LONGEST_MARK: usize = 110;

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:#1f2328}\
.title{font-size:14px;font-weight:bold}.dim{fill:#59636e}.red{fill:#cf222e}.page{fill:#ffffff}\
.box{fill:#f6f8fa;stroke:#6e7781;stroke-width:1.2}.outside{stroke-dasharray:5 4}.small{fill:#ffffff}\
.wrong{stroke:#cf222e;stroke-width:2.2}.edge{fill:none;stroke:#6e7781;stroke-width:1.3}.tip{fill:#6e7781}\
.broker{fill:#8250df}.worker{fill:#1a7f37}.client{fill:#0969da}.logger{fill:#9a6700}.service{fill:#6e7781}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.red{fill:#ff7b72}.page{fill:#0d1117}\
.box{fill:#161b22;stroke:#8b949e}.small{fill:#0d1117}.wrong{stroke:#f85149}.edge{stroke:#8b949e}.tip{fill:#8b949e}\
.broker{fill:#a371f7}.worker{fill:#3fb950}.client{fill:#58a6ff}.logger{fill:#d29922}.service{fill:#8b949e}}";

pub(super) fn svg(graph: &Graph) -> String {
    let mut areas: Vec<Area> = graph.nodes.iter().map(size).collect();
    let lines = graph.edges.iter().map(|edge| Line {
        from: (edge.from.0, row_middle(&graph.nodes[edge.from.0], edge.from.1)),
        to: (edge.to.0, row_middle(&graph.nodes[edge.to.0], edge.to.1)),
    });
    let (ways, width, height) = place(&mut areas, &lines.collect::<Vec<_>>());
    let marks: Vec<String> = graph.marks.iter().map(|mark| short(&format!("✗ {}: {}", mark.rule, mark.message), LONGEST_MARK)).collect();
    let longest = marks.iter().map(|mark| wide(mark, LETTER)).fold(wide(&short(&graph.title, LONGEST_MARK), TITLE_LETTER), f64::max);
    let top = MARGIN + LINE * 1.5;
    let bottom = top + height + if marks.is_empty() { 0.0 } else { LINE };
    let width = width.max(longest) + 2.0 * MARGIN;
    #[allow(clippy::cast_precision_loss, reason = "few lines")]
    let height = bottom + LINE * marks.len() as f64 + MARGIN;

    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{2}\">",
        width.ceil(),
        height.ceil(),
        text(&graph.title)
    );
    let _ = writeln!(out, "<style>{STYLE}</style>");
    out.push_str("<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
    let _ =
        writeln!(out, "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>", MARGIN + 6.0, text(&short(&graph.title, LONGEST_MARK)));
    let _ = writeln!(out, "<g transform=\"translate({MARGIN} {top})\">");
    for way in &ways {
        draw_way(&mut out, way);
    }
    for (node, area) in graph.nodes.iter().zip(&areas) {
        draw_node(&mut out, node, *area);
    }
    out.push_str("</g>\n");
    let mut y = bottom + LINE / 2.0;
    for mark in &marks {
        let _ = writeln!(out, "<text class=\"red\" x=\"{MARGIN}\" y=\"{}\">{}</text>", number(y), text(mark));
        y += LINE;
    }
    out.push_str("</svg>\n");
    out
}

fn is_small(kind: Kind) -> bool {
    matches!(kind, Kind::Published | Kind::Volume)
}

/// How wide a text is at most; what is not ASCII may take two places.
fn wide(text: &str, letter: f64) -> f64 {
    text.chars().map(|c| if c.is_ascii() || matches!(c, '×' | '…' | '✗') { letter } else { 2.0 * letter }).sum()
}

/// The line below the name that says what it is.
fn about(node: &Node) -> Vec<String> {
    let mut lines: Vec<String> = node.lines.iter().map(|line| short(line, LONGEST)).collect();
    if let (false, Some(first)) = (is_small(node.kind) || node.kind == Kind::Outside, lines.first_mut()) {
        *first = short(&format!("{}, {first}", node.kind.name()), LONGEST);
    }
    lines
}

fn red(node: &Node) -> Vec<String> {
    node.marks.iter().map(|mark| short(&format!("✗ {}", mark.rule), LONGEST)).collect()
}

fn row_width(row: &super::Row) -> f64 {
    let network = row.network.as_deref().map_or(0.0, |network| wide(&short(network, LONGEST), LETTER) + 2.0 * LETTER);
    wide(&short(&row.text, LONGEST), LETTER) + network
}

/// From the upper end of a box to its first row.
#[allow(clippy::cast_precision_loss, reason = "a box has few lines")]
fn head(node: &Node) -> f64 {
    PAD + LINE * (1 + node.lines.len()) as f64 + if node.rows.is_empty() { 0.0 } else { 6.0 }
}

#[allow(clippy::cast_precision_loss, reason = "a box has few lines")]
fn size(node: &Node) -> Area {
    let title = wide(&short(&node.title, LONGEST), TITLE_LETTER);
    let texts = about(node).into_iter().chain(red(node)).map(|line| wide(&line, LETTER));
    let width = texts.chain(node.rows.iter().map(row_width)).fold(title, f64::max) + 2.0 * PAD + 8.0;
    let height = head(node) + LINE * (node.rows.len() + node.marks.len()) as f64 + PAD / 2.0;
    Area { width: width.ceil(), height: height.ceil(), ..Area::default() }
}

/// Where edges touch a box, below its upper end.
#[allow(clippy::cast_precision_loss, reason = "a box has few lines")]
fn row_middle(node: &Node, row: usize) -> f64 {
    if node.rows.is_empty() { size(node).height / 2.0 } else { head(node) + LINE * (row as f64 + 0.5) }
}

fn draw_way(out: &mut String, way: &Way) {
    let Some((((x, y), first), rest)) = way.split_first() else { return };
    let _ = write!(out, "<path class=\"edge\" d=\"M{} {}H{}", number(*x), number(*y), number(first.0));
    let mut at = *first;
    for (begin, end) in rest {
        let half = f64::midpoint(at.0, begin.0);
        let _ =
            write!(out, "C{} {} {} {} {} {}", number(half), number(at.1), number(half), number(begin.1), number(begin.0), number(begin.1));
        if (begin.0 - end.0).abs() > 0.05 {
            let _ = write!(out, "H{}", number(end.0));
        }
        at = *end;
    }
    out.push_str("\"/>\n");
    // The tip: towards the box, from whichever side the way comes.
    let from = rest.last().map_or(*x, |(begin, end)| if (begin.0 - end.0).abs() > 0.05 { begin.0 } else { begin.0 - 1.0 });
    let back = if from <= at.0 { -7.0 } else { 7.0 };
    let (x, y) = at;
    let _ = writeln!(out, "<path class=\"tip\" d=\"M{} {}l{back} -4v8z\"/>", number(x), number(y));
}

fn draw_node(out: &mut String, node: &Node, area: Area) {
    let Area { x, y, width, height } = area;
    out.push_str("<g>");
    if !node.marks.is_empty() {
        let messages: Vec<String> = node.marks.iter().map(|mark| text(&mark.message)).collect();
        let _ = write!(out, "<title>{}</title>", messages.join("&#10;"));
    }
    let small = is_small(node.kind);
    let mut class = "box".to_owned();
    for (is_so, name) in [(small, " small"), (node.kind == Kind::Outside, " outside"), (!node.marks.is_empty(), " wrong")] {
        class.push_str(if is_so { name } else { "" });
    }
    let round = match node.kind {
        Kind::Published => height / 2.0,
        Kind::Volume => 3.0,
        _ => 8.0,
    };
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\"/>",
        number(x),
        number(y)
    );
    let middle = x + width / 2.0;
    let mut line = y + PAD + 8.0;
    let say = |out: &mut String, class: &str, anchor: &str, at: f64, line: f64, said: &str| {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let anchor = if anchor.is_empty() { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
        let _ = write!(out, "<text{class}{anchor} x=\"{}\" y=\"{}\">{}</text>", number(at), number(line), text(said));
    };
    if small {
        say(out, "title", "middle", middle, line, &short(&node.title, LONGEST));
    } else {
        if node.kind != Kind::Outside {
            let _ =
                write!(out, "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"4\"/>", node.kind.name(), number(x + PAD), number(line - 5.0));
        }
        say(out, "title", "", x + PAD + 9.0, line, &short(&node.title, LONGEST));
    }
    for about in about(node) {
        line += LINE;
        let (anchor, at) = if small { ("middle", middle) } else { ("", x + PAD) };
        say(out, "dim", anchor, at, line, &about);
    }
    line = y + head(node) + LINE / 2.0 + 4.0;
    for row in &node.rows {
        let said = short(&row.text, LONGEST);
        if row.is_start {
            say(out, "", "end", x + width - PAD, line, &said);
        } else {
            say(out, "", "", x + PAD, line, &said);
            if let Some(network) = &row.network {
                say(out, "dim", "end", x + width - PAD, line, &short(network, LONGEST));
            }
        }
        line += LINE;
    }
    for mark in red(node) {
        say(out, "red", "", x + PAD, line, &mark);
        line += LINE;
    }
    out.push_str("</g>\n");
}

/// A number with at most one digit behind the point.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text of XML.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
