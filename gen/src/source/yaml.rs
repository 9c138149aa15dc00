//! YAML with positions: text to [`Node`]s, as Compose's own parser understands it.
//!
//! Scalars have the core schema of YAML 1.2 with the numbers of Go (`0o17`, `017`, `1_000`). Anchors, merge keys and Compose's
//! `!reset` and `!override` are resolved here. A text that would grow beyond measure (aliases of aliases, deep nesting) is refused.

mod scalar;

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use self::scalar::scalar;
use super::Origin;
use crate::compose::tree::{Entry, Map, Node, Value};

/// The deepest nesting. People write ten levels.
const MAX_DEPTH: usize = 200;
/// The most values that aliases may add to a file, unless they are few beside those that are written (as in go-yaml).
const MAX_COPIES: usize = 400_000;
/// The most documents of one file: Compose checks the whole project after each.
const MAX_DOCUMENTS: usize = 100;
/// Fewer aliases than this cannot do harm.
const FEW_ALIASES: usize = 20;

/// One document of a file.
#[derive(Debug, Default)]
pub struct Document {
    /// What is written, with aliases and merge keys expanded. Values with `!reset` are still in it.
    pub root: Node,
    /// Ways to the values that take away (`!reset`) or replace (`!override`) what earlier files say.
    pub marks: Vec<Mark>,
    /// How many values are written in it.
    pub values: usize,
}

/// A value with `!reset` or `!override`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Keys, and indices as decimal numbers.
    pub way: Vec<String>,
    /// Whether the value itself goes too.
    pub reset: bool,
}

/// Something that is not YAML, or not YAML that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What kind of mistake it is.
    pub kind: Kind,
    /// What is wrong, in lower case.
    pub message: String,
    /// The bytes.
    pub span: Range<usize>,
    /// Another place that belongs to it.
    pub first: Option<Range<usize>>,
    /// The way to it, as in `services.web`.
    pub path: String,
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not YAML.
    Syntax,
    /// A key twice.
    DuplicateKey,
    /// A key that is no text.
    Key,
    /// More than can be held.
    TooMuch,
}

/// Reads all documents of a file. They are whole unless there is a mistake of the kind [`Kind::Syntax`] or [`Kind::TooMuch`].
#[must_use]
pub fn parse(text: &str, file: u32) -> (Vec<Document>, Vec<Mistake>) {
    // A byte order mark is no part of the text.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        offsets: Offsets::new(body, text.len() - body.len()),
        file,
        stack: Vec::new(),
        anchors: HashMap::new(),
        documents: Vec::new(),
        mistakes: Vec::new(),
        values: 0,
        failed: false,
    };
    if let Some(span) = bomb(body) {
        let origin = reader.origin(&span);
        reader.mistake(Kind::TooMuch, "its aliases grow without measure".to_owned(), origin.range());
        return (reader.documents, reader.mistakes);
    }
    for event in Parser::new_from_str(body) {
        match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => {
                let at = reader.offsets.byte(error.marker().index());
                reader.mistake(Kind::Syntax, error.info().to_lowercase(), at..at);
                reader.failed = true;
            }
        }
        if reader.failed {
            break;
        }
    }
    (reader.documents, reader.mistakes)
}

/// Counts what aliases would add before anything is copied: the alias that is one too many.
fn bomb(text: &str) -> Option<Span> {
    if text.bytes().filter(|byte| *byte == b'*').count() < FEW_ALIASES {
        return None;
    }
    let (mut values, mut copies) = (0_usize, 0_usize);
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let (anchor, size) = match event {
            Event::Scalar(_, _, anchor, _) => (anchor, 1),
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, 1));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop()?,
            Event::Alias(anchor) => {
                let size = sizes.get(&anchor).copied().unwrap_or(1);
                copies = copies.saturating_add(size);
                if copies > MAX_COPIES.max(10 * values) {
                    return Some(span);
                }
                (0, size)
            }
            _ => continue,
        };
        values += 1;
        if anchor > 0 {
            sizes.insert(anchor, size);
        }
        if let Some((_, outer)) = open.last_mut() {
            *outer = outer.saturating_add(size);
        }
    }
    None
}

/// Turns the parser's positions (characters) into bytes.
struct Offsets<'t> {
    text: &'t str,
    base: usize,
    /// The byte of every [`Self::STEP`]th character; empty when all characters are bytes.
    marks: Vec<u32>,
}

impl<'t> Offsets<'t> {
    const STEP: usize = 64;

    fn new(text: &'t str, base: usize) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(Self::STEP).map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect()
        };
        Self { text, base, marks }
    }

    fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return self.base + character.min(self.text.len());
        }
        let mark = self.marks.get(character / Self::STEP).map_or(self.text.len(), |mark| *mark as usize);
        let rest = self.text.get(mark..).unwrap_or_default();
        let more = rest.char_indices().nth(character % Self::STEP).map_or(rest.len(), |(at, _)| at);
        self.base + mark + more
    }
}

/// A finished value with the marks below it, and how many values it has.
#[derive(Debug, Clone, Default)]
struct Part {
    node: Node,
    marks: Vec<Mark>,
    size: usize,
}

/// A list or a mapping that is being read.
struct Frame {
    anchor: usize,
    tag: Option<String>,
    origin: Origin,
    size: usize,
    marks: Vec<Mark>,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map { map: Map, key: Option<Key>, merged: Vec<Part>, merge_key: Option<Origin> },
}

/// A key whose value has not been read.
struct Key {
    name: String,
    origin: Origin,
    /// A second one of the same name, or no text: its value is read and dropped.
    dropped: bool,
    merge: bool,
}

struct Reader<'t> {
    offsets: Offsets<'t>,
    file: u32,
    stack: Vec<Frame>,
    /// Finished values by anchor; `None` while they are being read.
    anchors: HashMap<usize, Option<Part>>,
    documents: Vec<Document>,
    mistakes: Vec<Mistake>,
    values: usize,
    failed: bool,
}

impl Reader<'_> {
    fn mistake(&mut self, kind: Kind, message: String, span: Range<usize>) {
        let path = self.path();
        self.mistakes.push(Mistake { kind, message, span, first: None, path });
    }

    fn path(&self) -> String {
        let steps = self.stack.iter().filter_map(|frame| match &frame.kind {
            FrameKind::List(items) => Some(items.len().to_string()),
            FrameKind::Map { key, .. } => key.as_ref().map(|key| key.name.clone()),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    fn origin(&self, span: &Span) -> Origin {
        let (start, end) = (self.offsets.byte(span.start.index()), self.offsets.byte(span.end.index()));
        Origin::new(self.file, &(start..end.max(start)))
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        let origin = self.origin(&span);
        match event {
            Event::DocumentStart(_) => {
                self.values = 0;
                if self.documents.len() >= MAX_DOCUMENTS {
                    self.mistake(Kind::TooMuch, format!("it has more than {MAX_DOCUMENTS} documents"), origin.range());
                    self.failed = true;
                    return;
                }
                self.documents.push(Document::default());
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| name_of(&tag));
                if self.takes_key() {
                    return self.key(&text, style, tag.as_deref(), origin, anchor);
                }
                self.values += 1;
                let value = scalar(&text, style, tag.as_deref());
                let origin = without_padding(self.offsets.text, self.offsets.base, origin);
                self.finish(Node::new(origin, value), tag.as_deref(), anchor, Vec::new(), 1);
            }
            Event::SequenceStart(anchor, tag) => self.open(anchor, tag.as_deref(), origin, FrameKind::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let kind = FrameKind::Map { map: Map::default(), key: None, merged: Vec::new(), merge_key: None };
                self.open(anchor, tag.as_deref(), origin, kind);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(origin),
            Event::Alias(anchor) => self.alias(anchor, origin),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    /// Whether the next value is a key.
    fn takes_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { kind: FrameKind::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, tag: Option<&str>, origin: Origin, anchor: usize) {
        let merge = style == ScalarStyle::Plain && text == "<<";
        let value = scalar(text, style, tag);
        if anchor > 0 {
            let part = Part { node: Node::new(origin, value.clone()), marks: Vec::new(), size: 1 };
            self.anchors.insert(anchor, Some(part));
        }
        let is_text = matches!(value, Value::String(_));
        let mut first = None;
        if let Some(Frame { kind: FrameKind::Map { map, key, merge_key, .. }, .. }) = self.stack.last_mut() {
            let before = if merge { *merge_key } else { map.get(text).map(|entry| entry.key) };
            first = before;
            let dropped = before.is_some() || (!merge && !is_text);
            if merge && before.is_none() {
                *merge_key = Some(origin);
            }
            *key = Some(Key { name: text.to_owned(), origin, dropped, merge: merge && before.is_none() });
        }
        if let Some(first) = first {
            let path = self.path();
            let message = format!("the key `{}` is there twice", super::decode::shorten(text));
            self.mistakes.push(Mistake { kind: Kind::DuplicateKey, message, span: origin.range(), first: Some(first.range()), path });
        } else if !merge && !is_text {
            let message = format!("the key `{}` is not a text", super::decode::shorten(text));
            self.mistake(Kind::Key, message, origin.range());
        }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, origin: Origin, kind: FrameKind) {
        if self.takes_key() {
            self.mistake(Kind::Key, "a list or a mapping is no key".to_owned(), origin.range());
            self.failed = true;
            return;
        }
        if self.stack.len() >= MAX_DEPTH {
            self.mistake(Kind::TooMuch, format!("it is nested more than {MAX_DEPTH} levels deep"), origin.range());
            self.failed = true;
            return;
        }
        self.values += 1;
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.stack.push(Frame { anchor, tag: tag.map(name_of), origin, size: 1, marks: Vec::new(), kind });
    }

    fn close(&mut self, end: Origin) {
        let Some(frame) = self.stack.pop() else { return };
        let Frame { anchor, tag, mut origin, size, mut marks, kind } = frame;
        let value = match kind {
            FrameKind::List(items) => {
                origin.end = items.last().map_or(end.end, |item| item.origin.end).max(origin.end);
                Value::List(items)
            }
            FrameKind::Map { mut map, merged, .. } => {
                if let Some((_, first)) = map.first() {
                    origin.start = origin.start.min(first.key.start);
                }
                origin.end = map.last().map_or(end.end, |(_, last)| last.node.origin.end.max(last.key.end)).max(origin.end);
                for part in merged {
                    merge(part, &mut map, &mut marks);
                }
                Value::Map(map)
            }
        };
        // A flow collection ends with its bracket.
        if end.end > end.start {
            origin.end = origin.end.max(end.end);
        }
        self.finish(Node::new(origin, value), tag.as_deref(), anchor, marks, size);
    }

    fn alias(&mut self, anchor: usize, origin: Origin) {
        self.values += 1;
        match self.anchors.get(&anchor) {
            Some(Some(part)) => {
                let Part { node, marks, size } = part.clone();
                if self.takes_key() {
                    let text = node.str().unwrap_or_default().to_owned();
                    return self.key(&text, ScalarStyle::DoubleQuoted, None, origin, 0);
                }
                self.finish(node, None, 0, marks, size);
            }
            _ => {
                self.mistake(Kind::Syntax, "the alias is part of its own anchor".to_owned(), origin.range());
                self.failed = true;
            }
        }
    }

    /// Puts a value into what it is part of.
    fn finish(&mut self, node: Node, tag: Option<&str>, anchor: usize, mut marks: Vec<Mark>, size: usize) {
        match tag {
            Some("!reset") => marks = vec![Mark { way: Vec::new(), reset: true }],
            Some("!override") => marks = vec![Mark { way: Vec::new(), reset: false }],
            _ => {}
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Some(Part { node: node.clone(), marks: marks.clone(), size }));
        }
        let not_mapping = |node: &Node| {
            let items = if matches!(node.value, Value::List(_)) { node.items() } else { std::slice::from_ref(node) };
            items.iter().find(|item| item.map().is_none()).map(|item| item.origin.range())
        };
        let mut wrong_merge = None;
        match self.stack.last_mut() {
            None => {
                if let Some(document) = self.documents.last_mut() {
                    document.root = node;
                    document.marks = marks;
                    document.values = self.values;
                }
            }
            Some(frame) => {
                frame.size += size;
                match &mut frame.kind {
                    FrameKind::List(items) => {
                        frame.marks.extend(below(marks, &items.len().to_string()));
                        items.push(node);
                    }
                    FrameKind::Map { map, key, merged, .. } => match key.take() {
                        Some(key) if key.merge => {
                            wrong_merge = not_mapping(&node);
                            if wrong_merge.is_none() {
                                merged.push(Part { node, marks, size });
                            }
                        }
                        Some(key) if !key.dropped => {
                            frame.marks.extend(below(marks, &key.name));
                            map.insert(key.name, Entry { key: key.origin, node });
                        }
                        _ => {}
                    },
                }
            }
        }
        if let Some(span) = wrong_merge {
            self.mistake(Kind::Syntax, "the merge key `<<` takes a mapping or a list of mappings".to_owned(), span);
        }
    }
}

fn below(marks: Vec<Mark>, key: &str) -> impl Iterator<Item = Mark> {
    marks.into_iter().map(move |mut mark| {
        mark.way.insert(0, key.to_owned());
        mark
    })
}

/// Adds what a merge key names: what is written wins, and of several the first.
fn merge(part: Part, map: &mut Map, marks: &mut Vec<Mark>) {
    let list = matches!(part.node.value, Value::List(_));
    let Part { mut node, marks: own, .. } = part;
    remove(&mut node, &own);
    marks.extend(own.into_iter().filter_map(|mut mark| {
        // The index in a list of mappings is no part of the way.
        let skip = usize::from(list);
        (mark.way.len() > skip).then(|| {
            mark.way.drain(..skip);
            mark
        })
    }));
    let items = match node.value {
        Value::List(items) => items,
        _ => vec![node],
    };
    for item in items {
        if let Value::Map(more) = item.value {
            for (key, entry) in more {
                map.entry(key).or_insert(entry);
            }
        }
    }
}

/// Takes the values with `!reset` out of a tree.
pub fn remove(root: &mut Node, marks: &[Mark]) {
    // From the end: indices of lists stay right.
    for mark in marks.iter().rev().filter(|mark| mark.reset) {
        let Some((last, way)) = mark.way.split_last() else {
            root.value = Value::Null;
            continue;
        };
        match root.at_mut(way).map(|node| &mut node.value) {
            Some(Value::Map(map)) => {
                map.shift_remove(last);
            }
            Some(Value::List(items)) => {
                if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
    }
}

/// A tag as it is written: `!reset`, `!!str`.
fn name_of(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { format!("!{}", tag.suffix) }
}

/// The parser counts the blanks behind a plain text to it.
fn without_padding(text: &str, base: usize, origin: Origin) -> Origin {
    let range = origin.range();
    let written = text.get(range.start.saturating_sub(base)..range.end.saturating_sub(base)).unwrap_or_default();
    let length = u32::try_from(written.trim_end().len()).unwrap_or(0);
    Origin { end: origin.start + length, ..origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        let (documents, mistakes) = parse(text, 0);
        assert_eq!(mistakes, []);
        documents.into_iter().next().unwrap_or_default().root
    }

    fn shown(text: &str, origin: Origin) -> &str {
        &text[origin.range()]
    }

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "# ü\nservices:\n  web:\n    image: nginx   # the server\n    ports: [ \"80:80\", 443 ]\n";
        let root = root(text);
        let web = root.at(&["services", "web"]).unwrap();
        assert_eq!(shown(text, web.get("image").unwrap().origin), "nginx");
        assert_eq!(shown(text, web.key("ports")), "ports");
        assert_eq!(shown(text, web.at(&["ports", "0"]).unwrap().origin), "\"80:80\"");
        assert_eq!(shown(text, web.get("ports").unwrap().origin), "[ \"80:80\", 443 ]");
        assert_eq!(shown(text, root.get("services").unwrap().key("web")), "web");
    }

    #[test]
    fn merge_keys_give_what_is_not_written() {
        let root = root("x: &x { a: 1, b: 2 }\ny: { <<: *x, b: 3 }\nz: { <<: [ { a: 9 }, *x ] }\n");
        assert_eq!(root.at(&["y", "a"]).unwrap().value, Value::Int(1));
        assert_eq!(root.at(&["y", "b"]).unwrap().value, Value::Int(3));
        assert_eq!(root.at(&["z", "a"]).unwrap().value, Value::Int(9));
        assert_eq!(root.at(&["z", "b"]).unwrap().value, Value::Int(2));
    }

    #[test]
    fn resets_are_told_by_their_way() {
        let (mut documents, mistakes) = parse("a:\n  b: !reset null\n  c: !override [1]\n  d: [0, !reset 1, 2]\n", 0);
        assert_eq!(mistakes, []);
        let document = &mut documents[0];
        let ways: Vec<String> = document.marks.iter().map(|mark| format!("{} {}", mark.way.join("."), mark.reset)).collect();
        assert_eq!(ways, ["a.b true", "a.c false", "a.d.1 true"]);
        remove(&mut document.root, &document.marks);
        assert!(document.root.at(&["a", "b"]).is_none());
        assert_eq!(document.root.at(&["a", "d"]).unwrap().items().len(), 2);
    }

    #[test]
    fn mistakes_are_told_and_reading_goes_on() {
        let (documents, mistakes) = parse("a: 1\na: 2\n3: x\nb: 4\n", 0);
        let kinds: Vec<Kind> = mistakes.iter().map(|mistake| mistake.kind).collect();
        assert_eq!(kinds, [Kind::DuplicateKey, Kind::Key]);
        assert_eq!(documents[0].root.get("b").unwrap().value, Value::Int(4));
        assert_eq!(documents[0].root.get("a").unwrap().value, Value::Int(1));
    }

    #[test]
    fn what_grows_without_measure_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            bomb.extend([format!("a{level}: &a{level} ["), [alias.as_str(); 10].join(", "), "]\n".to_owned()]);
        }
        assert_eq!(parse(&bomb, 0).1[0].kind, Kind::TooMuch);
        let deep: String = (0..1000).flat_map(|level| [" ".repeat(level), "a:\n".to_owned()]).collect();
        assert_eq!(parse(&deep, 0).1[0].kind, Kind::TooMuch);
        assert_eq!(parse(&"[".repeat(1000), 0).1.len(), 1);
        assert_eq!(parse("a: &a [*a]\n", 0).1[0].kind, Kind::Syntax);
        assert_eq!(parse("a: *nope\n", 0).1[0].kind, Kind::Syntax);
    }
}
