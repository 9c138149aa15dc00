//! Learns the names of workers that would never say them.
//!
//! A REQ worker that had registered with an earlier broker reconnects to the next one and waits, in silence, for work. It
//! takes work, but a ROUTER socket can only send to an identity, and libzmq tells an identity only with a message. Yet
//! every peer shows it in the handshake: the READY command of ZMTP 3 carries `Socket-Type` and `Identity` (RFC 23), and libzmq
//! sends it before it has seen ours.
//!
//! So for the first moments after its start the broker listens on the backend's port itself, reads each peer's card and closes
//! the connection *before the handshake is complete*. To the peer that is a connection that failed: it has sent no message, so
//! none is lost, and it tries again after its reconnect interval (libzmq's default is 100 to 200 ms). By then the ROUTER has the
//! port.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tracing::info;

use super::bind::{self, Address, BindError};
use crate::status::wake::Signals;

/// Our greeting: signature, version 3.0, mechanism NULL, not a server (RFC 23, "Greeting").
const GREETING: [u8; 64] = {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[8] = 1;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    [greeting[12], greeting[13], greeting[14], greeting[15]] = *b"NULL";
    greeting
};
/// Longest greeting and READY command together that are read; a peer with more to say is not a worker.
const CARD_MAX: usize = 2_048;
/// Most peers that are listened to at a time.
const PEERS_MAX: usize = 4_096;
const PAUSE: Duration = Duration::from_millis(1);

/// The door of the backend, before the backend opens.
pub struct Door {
    listeners: Vec<TcpListener>,
    window: Duration,
}

impl Door {
    /// Listens where the backend will. With no window there is no door.
    pub fn open(address: &Address, window: Duration) -> Result<Self, BindError> {
        let failed = |error: std::io::Error| BindError::Bind { side: "backend", address: address.clone(), why: reason(&error) };
        let mut listeners = Vec::new();
        if !window.is_zero() && address.port != 0 {
            let mut hosts = bind::resolve(address).map_err(failed)?;
            if hosts.is_empty() {
                let dual = listen(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port);
                match dual {
                    Ok(listener) => listeners.push(listener),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(failed(error)),
                    Err(_) => hosts.push(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                }
            }
            for host in hosts {
                listeners.push(listen(host, address.port).map_err(failed)?);
            }
        }
        Ok(Self { listeners, window })
    }

    /// The identities of the REQ sockets that knock while the window is open. Returns early when the service is to stop.
    pub fn name_cards(self, signals: &Signals) -> BTreeSet<Vec<u8>> {
        let mut names = BTreeSet::new();
        let mut peers = Vec::new();
        let end = Instant::now() + self.window;
        while !self.listeners.is_empty() && Instant::now() < end && !signals.stop() {
            for listener in &self.listeners {
                while let Ok((stream, _)) = listener.accept()
                    && peers.len() < PEERS_MAX
                {
                    peers.extend(Peer::greet(stream));
                }
            }
            peers.retain_mut(|peer| match peer.listen() {
                Heard::Nothing => true,
                Heard::Card(Card { is_req, identity }) => {
                    if is_req && !identity.is_empty() {
                        names.insert(identity);
                    }
                    false
                }
                Heard::NoCard => false,
            });
            thread::sleep(PAUSE);
        }
        if !names.is_empty() {
            info!(workers = names.len(), "workers that may have registered with an earlier broker have knocked");
        }
        names
    }
}

fn listen(host: IpAddr, port: u16) -> Result<TcpListener, std::io::Error> {
    let listener = TcpListener::bind(SocketAddr::new(host, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What the system says, without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

struct Peer {
    stream: TcpStream,
    heard: Vec<u8>,
}

enum Heard {
    Nothing,
    Card(Card),
    NoCard,
}

impl Peer {
    fn greet(mut stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        stream.write_all(&GREETING).ok()?;
        Some(Self { stream, heard: Vec::new() })
    }

    fn listen(&mut self) -> Heard {
        let mut chunk = [0; 512];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Heard::NoCard,
                Ok(count) => {
                    self.heard.extend_from_slice(&chunk[..count]);
                    match card(&self.heard) {
                        Ok(card) => return Heard::Card(card),
                        Err(Unread::NotYet) if self.heard.len() < CARD_MAX => {}
                        Err(_) => return Heard::NoCard,
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Heard::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Heard::NoCard,
            }
        }
    }
}

/// What a peer shows of itself in the handshake.
#[derive(Debug, PartialEq, Eq)]
struct Card {
    is_req: bool,
    identity: Vec<u8>,
}

/// Why there is no card in what a peer has sent.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    NotYet,
    Never,
}

/// Reads a greeting and a READY command of ZMTP 3 (RFC 23).
fn card(heard: &[u8]) -> Result<Card, Unread> {
    let (greeting, rest) = heard.split_at_checked(GREETING.len()).ok_or(Unread::NotYet)?;
    if greeting[0] != 0xff || greeting[9] != 0x7f || greeting[10] < 3 || greeting[12..17] != *b"NULL\0" {
        return Err(Unread::Never);
    }
    // A command's flags are 4, or 6 when its size takes eight bytes.
    let (size, rest) = match rest {
        [4, size, rest @ ..] => (usize::from(*size), rest),
        [6, size @ ..] => {
            let (size, rest) = size.split_first_chunk().ok_or(Unread::NotYet)?;
            (usize::try_from(u64::from_be_bytes(*size)).map_err(|_| Unread::Never)?, rest)
        }
        [] | [4] => return Err(Unread::NotYet),
        _ => return Err(Unread::Never),
    };
    if size > CARD_MAX {
        return Err(Unread::Never);
    }
    let command = rest.get(..size).ok_or(Unread::NotYet)?;
    let mut properties = command.strip_prefix(b"\x05READY").ok_or(Unread::Never)?;
    let mut card = Card { is_req: false, identity: Vec::new() };
    while let Some((&length, after)) = properties.split_first() {
        let (name, after) = after.split_at_checked(usize::from(length)).ok_or(Unread::Never)?;
        let (length, after) = after.split_first_chunk().ok_or(Unread::Never)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Unread::Never)?;
        let (value, after) = after.split_at_checked(length).ok_or(Unread::Never)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            card.is_req = value == b"REQ";
        } else if name.eq_ignore_ascii_case(b"Identity") {
            card.identity = value.to_vec();
        }
        properties = after;
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a libzmq REQ socket with an identity sends.
    fn handshake(socket_type: &[u8], identity: &[u8]) -> Vec<u8> {
        let mut command = b"\x05READY".to_vec();
        for (name, value) in [(&b"Socket-Type"[..], socket_type), (b"Identity", identity)] {
            command.push(u8::try_from(name.len()).unwrap());
            command.extend_from_slice(name);
            command.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            command.extend_from_slice(value);
        }
        let mut sent = GREETING.to_vec();
        sent.extend([4, u8::try_from(command.len()).unwrap()]);
        sent.extend(command);
        sent
    }

    #[test]
    fn a_card_shows_socket_type_and_identity() {
        assert_eq!(card(&handshake(b"REQ", b"WOR_1")), Ok(Card { is_req: true, identity: b"WOR_1".to_vec() }));
        assert_eq!(card(&handshake(b"DEALER", b"w")), Ok(Card { is_req: false, identity: b"w".to_vec() }));
    }

    #[test]
    fn a_card_that_has_not_come_whole_is_waited_for() {
        let sent = handshake(b"REQ", b"WOR_1");
        for length in 0..sent.len() {
            assert_eq!(card(&sent[..length]), Err(Unread::NotYet), "{length} bytes");
        }
    }

    #[test]
    fn http_is_no_card() {
        assert_eq!(card(&b"GET / HTTP/1.1\r\nHost: example\r\nUser-Agent: test\r\nAccept: text/plain\r\n\r\n"[..]), Err(Unread::Never));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_card_or_none(after in prop::collection::vec(any::<u8>(), 0..200), greeted in any::<bool>()) {
            let mut sent = if greeted { GREETING.to_vec() } else { Vec::new() };
            sent.extend(after);
            let _ = card(&sent);
        }
    }
}
