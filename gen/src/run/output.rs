//! What the processes print, line by line, each with its name in front: `wor-1  | …`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::SyncSender;
use std::thread;

/// Bytes of a line at most; the rest is a line of its own.
const LINE: u64 = 64 << 10;

/// Colours that are readable on dark and light terminals, in turns.
const COLORS: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

/// A line of the process with this number.
pub type Line = (usize, Vec<u8>);

/// Passes on what `stream` says, until it ends or nobody listens.
pub fn follow(number: usize, stream: impl Read + Send + 'static, lines: SyncSender<Line>) -> io::Result<()> {
    thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.by_ref().take(LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.pop();
            }
            if lines.send((number, line)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Prints lines with names in front.
#[derive(Debug)]
pub struct Printer {
    names: Vec<String>,
    width: usize,
    color: bool,
    /// Whether the processes' own lines are left out.
    pub quiet: bool,
}

impl Printer {
    /// For processes of these names.
    #[must_use]
    pub fn new(names: Vec<String>, color: bool, quiet: bool) -> Self {
        let width = names.iter().map(String::len).max().unwrap_or(0);
        Self { names, width, color, quiet }
    }

    /// A line of a process.
    pub fn line(&self, (number, line): &Line) {
        if self.quiet {
            return;
        }
        let name = self.names.get(*number).map_or("", String::as_str);
        let (on, off) = if self.color { (format!("\x1b[{}m", COLORS[number % COLORS.len()]), "\x1b[0m") } else { (String::new(), "") };
        let mut text = format!("{on}{name:width$}  |{off} ", width = self.width).into_bytes();
        text.extend_from_slice(line);
        text.push(b'\n');
        put(&text);
    }

    /// A line of our own.
    pub fn say(&self, text: &str) {
        let (on, off) = if self.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        put(format!("{on}{text}{off}\n").as_bytes());
    }
}

/// A reader that has gone away has read enough: what runs goes on.
fn put(text: &[u8]) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text).and_then(|()| stdout.flush());
}
