//! Messages on the wire: a header with a length, then JSON. What comes in is bounded, and nonsense is told, not fatal.

use std::io::{self, BufRead, Read as _, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

/// The largest message that is read, in bytes: the largest file, with all of it escaped.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The longest line of a header.
const MAX_HEADER: u64 = 8 * 1024;

/// One message, or what is wrong with it.
pub(super) enum Received {
    Message(Message),
    Malformed(String),
}

/// Reads the next message; `None` at the end of the input.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut length: Option<u64> = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            match length {
                Some(length) => return body(input, length),
                // Empty lines between messages.
                None => continue,
            }
        }
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            let Ok(number) = value.trim().parse() else {
                return Ok(Some(Received::Malformed(format!("`{line}` is no length"))));
            };
            length = Some(number);
        }
    }
}

fn body(input: &mut impl BufRead, length: u64) -> io::Result<Option<Received>> {
    if length > MAX_BYTES {
        io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
        return Ok(Some(Received::Malformed(format!("a message of {length} bytes is too large"))));
    }
    let mut text = Vec::new();
    input.by_ref().take(length).read_to_end(&mut text)?;
    if (text.len() as u64) < length {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice(&text) {
        Ok(message) => Received::Message(message),
        Err(error) => Received::Malformed(error.to_string()),
    }))
}

/// Writes a message.
pub(super) fn write(output: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut value = serde_json::to_value(message).map_err(io::Error::other)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("jsonrpc".to_owned(), "2.0".into());
    }
    write_value(output, &value)
}

/// Says that a message could not be understood.
pub(super) fn write_malformed(output: &mut impl Write, why: &str) -> io::Result<()> {
    let error = json!({ "code": ErrorCode::ParseError as i32, "message": why });
    write_value(output, &json!({ "jsonrpc": "2.0", "id": null, "error": error }))
}

fn write_value(output: &mut impl Write, value: &Value) -> io::Result<()> {
    let text = value.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}
