//! ZMTP 3.1 framing and the NULL handshake, without I/O.
//!
//! <https://rfc.zeromq.org/spec/23/>: a greeting of 64 bytes, a `READY` command with the socket's properties, then
//! messages of frames. A frame is a flags byte, a length of one or eight bytes, and the body.

use std::ops::Range;

/// Bytes of a greeting.
pub const GREETING: usize = 64;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// What went wrong with a peer's bytes. The connection is of no use after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// The first bytes are not those of ZMTP 3.
    Greeting,
    /// A frame that is longer than the decoder's limit, in bytes.
    TooLong(u64),
    /// A flags byte with reserved bits set.
    Flags(u8),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Greeting => write!(out, "not a ZMTP 3 greeting"),
            Self::TooLong(length) => write!(out, "a frame of {length} bytes"),
            Self::Flags(flags) => write!(out, "a frame with the flags {flags:#04x}"),
        }
    }
}

impl std::error::Error for Violation {}

/// The greeting of a NULL peer.
#[must_use]
pub fn greeting() -> [u8; GREETING] {
    let mut bytes = [0; GREETING];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[11] = 1;
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// Appends the `READY` command of a socket of this type; an empty identity is left out, so the peer makes one up.
pub fn ready(out: &mut Vec<u8>, socket_type: &str, identity: &[u8]) {
    let mut body = b"\x05READY".to_vec();
    property(&mut body, "Socket-Type", socket_type.as_bytes());
    if !identity.is_empty() || matches!(socket_type, "REQ" | "DEALER" | "ROUTER") {
        property(&mut body, "Identity", identity);
    }
    header(out, COMMAND, body.len());
    out.extend_from_slice(&body);
}

fn property(body: &mut Vec<u8>, name: &str, value: &[u8]) {
    body.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(value);
}

/// Appends one message.
pub fn message(out: &mut Vec<u8>, frames: &[&[u8]]) {
    for (index, frame) in frames.iter().enumerate() {
        self::frame(out, frame, index + 1 < frames.len());
    }
}

/// Appends one frame.
pub fn frame(out: &mut Vec<u8>, body: &[u8], more: bool) {
    header(out, if more { MORE } else { 0 }, body.len());
    out.extend_from_slice(body);
}

fn header(out: &mut Vec<u8>, flags: u8, length: usize) {
    if let Ok(short) = u8::try_from(length) {
        out.extend_from_slice(&[flags, short]);
    } else {
        out.push(flags | LONG);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// The `PONG` that answers a `PING` command, if `body` is one (RFC 37: a context of at most 16 bytes comes back).
#[must_use]
pub fn pong(body: &[u8]) -> Option<Vec<u8>> {
    let context = body.strip_prefix(b"\x04PING")?.get(2..)?;
    let mut answer = b"\x04PONG".to_vec();
    answer.extend_from_slice(context);
    let mut out = Vec::new();
    header(&mut out, COMMAND, answer.len());
    out.extend_from_slice(&answer);
    Some(out)
}

/// The value of a property of a `READY` command.
#[must_use]
pub fn ready_property<'a>(body: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut rest = body.strip_prefix(b"\x05READY")?;
    while !rest.is_empty() {
        let (&name_length, after) = rest.split_first()?;
        let name = after.get(..usize::from(name_length))?;
        let after = &after[name.len()..];
        let length = u32::from_be_bytes(after.get(..4)?.try_into().ok()?) as usize;
        let value = after.get(4..4 + length)?;
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(value);
        }
        rest = &after[4 + length..];
    }
    None
}

/// What a peer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// The body of a command.
    Command(&'a [u8]),
    /// A message of one or more frames.
    Message(Frames<'a>),
}

/// The frames of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames<'a> {
    buffer: &'a [u8],
    places: &'a [Range<usize>],
}

impl<'a> Frames<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none; a message has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.places.get(index).map(|place| &self.buffer[place.clone()])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let buffer = self.buffer;
        self.places.iter().map(move |place| &buffer[place.clone()])
    }

    /// Their bytes as they came, headers included: what a broker that changes nothing passes on.
    #[must_use]
    pub fn to_vecs(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }
}

/// Bytes in, commands and messages out.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    places: Vec<Range<usize>>,
    greeted: bool,
    limit: u64,
}

impl Decoder {
    /// Reads frames of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { buffer: Vec::new(), start: 0, places: Vec::new(), greeted: false, limit }
    }

    /// Whether the peer's greeting has arrived.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 1 << 16 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next command or whole message, if it is there.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, Violation> {
        if !self.greeted {
            let bytes = &self.buffer[self.start..];
            if bytes.first().is_some_and(|first| *first != 0xff) {
                return Err(Violation::Greeting);
            }
            if bytes.len() < GREETING {
                return Ok(None);
            }
            if bytes[10] < 3 {
                return Err(Violation::Greeting);
            }
            self.start += GREETING;
            self.greeted = true;
        }
        self.places.clear();
        let mut at = self.start;
        loop {
            let Some((flags, place)) = self.frame_at(at)? else {
                return Ok(None);
            };
            at = place.end;
            if flags & COMMAND != 0 {
                self.start = at;
                return Ok(Some(Item::Command(&self.buffer[place])));
            }
            self.places.push(place);
            if flags & MORE == 0 {
                self.start = at;
                return Ok(Some(Item::Message(Frames { buffer: &self.buffer, places: &self.places })));
            }
        }
    }

    fn frame_at(&self, at: usize) -> Result<Option<(u8, Range<usize>)>, Violation> {
        let bytes = &self.buffer[at..];
        let Some(&flags) = bytes.first() else {
            return Ok(None);
        };
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(Violation::Flags(flags));
        }
        let (head, length) = if flags & LONG == 0 {
            let Some(&short) = bytes.get(1) else {
                return Ok(None);
            };
            (2, u64::from(short))
        } else {
            let Some(long) = bytes.get(1..9).and_then(|eight| eight.try_into().ok()) else {
                return Ok(None);
            };
            (9, u64::from_be_bytes(long))
        };
        let Some(length) = (length <= self.limit).then_some(length).and_then(|length| usize::try_from(length).ok()) else {
            return Err(Violation::TooLong(length));
        };
        let begin = at + head;
        Ok((self.buffer.len() >= begin + length).then(|| (flags, begin..begin + length)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_message_survives_any_cut() {
        let mut wire = greeting().to_vec();
        ready(&mut wire, "REQ", b"me");
        let long = vec![7; 300];
        message(&mut wire, &[b"", b"hello", &long]);
        for cut in 0..wire.len() {
            let mut decoder = Decoder::new(1 << 20);
            let mut seen = Vec::new();
            for part in [&wire[..cut], &wire[cut..]] {
                decoder.feed(part);
                while let Some(item) = decoder.next_item().unwrap() {
                    match item {
                        Item::Command(body) => {
                            assert_eq!(ready_property(body, "identity"), Some(&b"me"[..]));
                        }
                        Item::Message(frames) => seen.push(frames.to_vecs()),
                    }
                }
            }
            assert_eq!(seen, vec![vec![vec![], b"hello".to_vec(), long.clone()]]);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut http = Decoder::new(1024);
        http.feed(b"GET / HTTP/1.1\r\n");
        assert_eq!(http.next_item().unwrap_err(), Violation::Greeting);
        let mut long = Decoder::new(1024);
        long.feed(&greeting());
        long.feed(&[2, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(long.next_item().unwrap_err(), Violation::TooLong(1 << 32));
    }

    #[test]
    fn a_ping_is_answered_with_its_context() {
        assert_eq!(pong(b"\x04PING\x00\x0aabc").unwrap(), b"\x04\x08\x04PONGabc");
        assert_eq!(pong(b"\x05READY"), None);
    }
}
