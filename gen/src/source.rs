//! The files that people write: their text, and where in it things stand.
//!
//! [`Source`] holds the text; [`toml`] turns it into a tree of [`Node`]s that remember their
//! bytes. A finding names its place by a [`Pointer`] into that tree, and [`Source::locate`] turns the pointer
//! into a byte range at the very end, so that nothing between reading and reporting carries positions about.

pub mod comments;
pub mod decode;
pub mod toml;
pub mod yaml;

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use indexmap::IndexMap;

/// The largest file that is read, in bytes. A Compose file of 10,000 services has about 6 MiB.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Why a file could not be read. Each message stands alone: it names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("cannot read `{name}`: there is no such file{hint}")]
    Missing {
        /// As the user wrote it.
        name: String,
        /// A sentence that helps, or nothing.
        hint: String,
    },
    /// A directory was named instead of a file.
    #[error("cannot read `{name}`: it is a directory; name the file in it, for example `{name}/topology.toml`")]
    Directory {
        /// As the user wrote it, without a slash at the end.
        name: String,
    },
    /// A pipe, a device or a socket: reading it might never end.
    #[error("cannot read `{name}`: it is not a regular file; to read a pipe, give it on standard input and name it `-`")]
    NotAFile {
        /// As the user wrote it.
        name: String,
    },
    /// More than [`MAX_BYTES`].
    #[error("cannot read `{name}`: it is larger than {} MiB", MAX_BYTES / 1024 / 1024)]
    TooLarge {
        /// As the user wrote it.
        name: String,
    },
    /// Bytes that are not UTF-8: TOML and YAML are text.
    #[error("cannot read `{name}`: it is not text (byte {offset} is not valid UTF-8)")]
    NotText {
        /// As the user wrote it.
        name: String,
        /// The first byte that is wrong, counted from 0.
        offset: usize,
    },
    /// Everything else that the operating system says.
    #[error("cannot read `{name}`: {error}")]
    Io {
        /// As the user wrote it.
        name: String,
        /// The system's own words.
        error: std::io::Error,
    },
}

impl ReadError {
    /// The same, of a file that the user knows by another name.
    #[must_use]
    pub fn named(mut self, new: &Path) -> Self {
        match &mut self {
            Self::Missing { name, .. }
            | Self::Directory { name }
            | Self::NotAFile { name }
            | Self::TooLarge { name }
            | Self::NotText { name, .. }
            | Self::Io { name, .. } => *name = new.display().to_string(),
        }
        self
    }
}

/// A file's text and the name that the user knows it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as the user wrote it; `<stdin>` for standard input.
    pub name: String,
    /// The whole text.
    pub text: String,
    line_starts: Vec<usize>,
    /// How many characters are before each [`BLOCK`] of bytes: a text may be one long line with many findings.
    characters: Vec<usize>,
}

/// So many bytes are looked at to tell a column.
const BLOCK: usize = 1024;

/// How many characters begin in these bytes.
fn beginnings(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}

/// A place in a text: 1-based line, 1-based column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters (Unicode scalar values).
    pub column: usize,
}

impl Source {
    /// Takes a text that is in memory already.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1)).collect();
        let before = text.as_bytes().chunks(BLOCK).scan(0, |sum, block| {
            let before = *sum;
            *sum += beginnings(block);
            Some(before)
        });
        let mut characters: Vec<usize> = before.collect();
        if text.len() % BLOCK == 0 {
            characters.push(characters.last().map_or(0, |last| last + beginnings(&text.as_bytes()[text.len() - BLOCK..])));
        }
        Self { name: name.into(), text, line_starts, characters }
    }

    /// Reads a file, or standard input when the path is `-`.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        if path.as_os_str() == "-" {
            return Self::read_from(std::io::stdin().lock(), "<stdin>".to_owned());
        }
        let name = path.display().to_string();
        let io = |error| ReadError::Io { name: name.clone(), error };
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ReadError::Missing { hint: missing_hint(path), name });
            }
            other => other.map_err(io)?,
        };
        if metadata.is_dir() {
            return Err(ReadError::Directory { name: name.trim_end_matches('/').to_owned() });
        }
        if !metadata.is_file() {
            return Err(ReadError::NotAFile { name });
        }
        let file = std::fs::File::open(path).map_err(io)?;
        Self::read_from(file, name)
    }

    fn read_from(reader: impl Read, name: String) -> Result<Self, ReadError> {
        let mut bytes = Vec::new();
        // One byte more than is allowed tells "too large" from "just fits".
        if let Err(error) = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            return Err(ReadError::Io { name, error });
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ReadError::TooLarge { name });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => Err(ReadError::NotText { name, offset: error.utf8_error().valid_up_to() }),
        }
    }

    /// The line and column of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> LineColumn {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        LineColumn { line, column: self.characters_before(offset) - self.characters_before(start) + 1 }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        self.characters.get(block).map_or(0, |before| before + beginnings(&self.text.as_bytes()[block * BLOCK..offset]))
    }

    /// The byte range of a line (counted from 1) without its line break; empty past the end.
    #[must_use]
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let end_of_text = self.text.len();
        let Some(start) = line.checked_sub(1).and_then(|index| self.line_starts.get(index)) else {
            return end_of_text..end_of_text;
        };
        let end = self.line_starts.get(line).map_or(end_of_text, |next| next - 1);
        *start..end.max(*start)
    }
}

/// When a topology is not there but its neighbour is, say so.
fn missing_hint(path: &Path) -> String {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let wanted = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let neighbours = std::fs::read_dir(folder).into_iter().flatten().flatten().take(1000);
    let names = neighbours
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"))
        .collect::<Vec<_>>();
    crate::finding::did_you_mean(wanted, names.iter().map(String::as_str))
        .map_or_else(String::new, |name| format!("; did you mean `{}`?", folder.join(name).display()).replace("`./", "`"))
}

/// The bytes of a file among several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin {
    /// The file's index among the sources that were read.
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

impl Origin {
    /// Bytes of a file. Files are smaller than 4 GiB: see [`MAX_BYTES`].
    #[must_use]
    pub fn new(file: u32, range: &Range<usize>) -> Self {
        let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file, start: fit(range.start), end: fit(range.end) }
    }

    /// The bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The way from the root of a document to a value: keys, and indices of arrays as decimal numbers.
pub type Pointer = Vec<String>;

/// Makes a [`Pointer`] from keys.
#[must_use]
pub fn pointer<const N: usize>(steps: [&str; N]) -> Pointer {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

/// A value and the bytes that it was written in.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The bytes of the value; for a table with a header, the header.
    pub span: Range<usize>,
    /// What is written there.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A table, with its keys in the order of the file.
    Table(IndexMap<String, Entry>),
    /// An array.
    Array(Vec<Node>),
    /// A text.
    String(String),
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time, as written: TOML has them, topologies do not.
    Datetime(String),
    /// An item of an array that was taken out.
    Removed,
}

/// A key of a table with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The bytes of the key.
    pub key: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The entry at the end of a pointer whose last step is a key.
    fn entry(&self, pointer: &[String]) -> Option<&Entry> {
        let (last, way) = pointer.split_last()?;
        match &self.get(way)?.value {
            Value::Table(table) => table.get(last),
            _ => None,
        }
    }

    /// The node at the end of a pointer.
    #[must_use]
    pub fn get(&self, pointer: &[String]) -> Option<&Node> {
        pointer.iter().try_fold(self, |node, step| match &node.value {
            Value::Table(table) => table.get(step).map(|entry| &entry.node),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Takes the value at the end of a pointer out of the tree. The other items of an array keep their numbers.
    pub fn remove(&mut self, pointer: &[String]) -> Option<Node> {
        let (last, way) = pointer.split_last()?;
        let parent = way.iter().try_fold(self, |node, step| match &mut node.value {
            Value::Table(table) => table.get_mut(step).map(|entry| &mut entry.node),
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })?;
        match &mut parent.value {
            Value::Table(table) => table.shift_remove(last).map(|entry| entry.node),
            Value::Array(items) => {
                let item = items.get_mut(last.parse::<usize>().ok()?)?;
                Some(std::mem::replace(item, Node { span: item.span.clone(), value: Value::Removed }))
            }
            _ => None,
        }
    }

    /// The bytes of the key at a pointer, or of the nearest thing above it that is written in the file.
    #[must_use]
    pub fn key_span(&self, pointer: &[String]) -> Range<usize> {
        if let Some(entry) = self.entry(pointer) {
            return entry.key.clone();
        }
        match pointer.split_last() {
            Some((_, way)) if self.get(pointer).is_none() => self.key_span(way),
            _ => self.value_span(pointer),
        }
    }

    /// The bytes of the value at a pointer, or of the key of the nearest thing above it that is written in the file.
    #[must_use]
    pub fn value_span(&self, pointer: &[String]) -> Range<usize> {
        match self.get(pointer) {
            Some(Node { value: Value::Table(_), .. }) if self.entry(pointer).is_some_and(|entry| entry.node.span.is_empty()) => {
                self.key_span(pointer)
            }
            Some(node) => node.span.clone(),
            None => pointer.split_last().map_or(0..0, |(_, way)| self.key_span(way)),
        }
    }
}
