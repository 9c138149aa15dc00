//! `stated`: what the topology itself says must be so (`checks`).
//!
//! What is asked and what an answer means is the plan's ([`crate::plan::checks`]); here it is only asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Bench, Check};
use crate::live::Instance;
use crate::plan::checks::{self, Answer, At, Probe};

const NAME: &str = "stated";
/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most of an answer that is looked into, in bytes.
const MOST: u64 = 1 << 20;

/// Asks once for each check. An endpoint that is not published is asked at the container's own address.
#[must_use]
pub fn checks(bench: &Bench<'_>, seen: &[Instance]) -> Vec<Check> {
    bench.plan.checks.iter().map(|check| one(bench, seen, check)).collect()
}

fn one(bench: &Bench<'_>, seen: &[Instance], check: &checks::Check) -> Check {
    let subject = check.component.as_deref().unwrap_or_default();
    let Some(authority) = authority(bench.deployment.kind(), seen, check) else {
        let advice = "`cbwgen status` shows what runs";
        return Check::fail(NAME, subject, format!("asked whether {check}"), "no running instance has an address here", advice);
    };
    let asked = ask(&authority, &check.probe);
    let answer = match &asked {
        Ok(None) => Answer::Connected,
        Ok(Some((status, body))) => Answer::Http { status: *status, body },
        Err(why) => Answer::Failed(why),
    };
    let done = format!("asked at {authority} whether {check}");
    match check.failure(bench.plan, &answer) {
        None => Check::pass(NAME, subject, done, "it is so"),
        Some(failure) => Check::fail(NAME, subject, done, failure, "`docker compose logs` of what it is bound to tells more"),
    }
}

/// Where to ask: processes listen on this machine, containers on what is published or on an address of their own.
fn authority(kind: &str, seen: &[Instance], check: &checks::Check) -> Option<String> {
    match &check.at {
        At::Endpoint { port, .. } if kind == "local" => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), *port).to_string()),
        At::Endpoint { component, .. } => {
            let running = seen.iter().find(|instance| instance.component == *component && instance.is_running());
            let address = running.and_then(|instance| instance.addresses.iter().find_map(|address| address.parse::<IpAddr>().ok()));
            check.at.authority(address)
        }
        At::Host { .. } => check.at.authority(None),
    }
}

/// Connects, and asks by HTTP where that is asked for: status and the beginning of the body.
fn ask(authority: &str, probe: &Probe) -> Result<Option<(u16, String)>, String> {
    let deadline = Instant::now() + PATIENCE;
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let addresses = authority.to_socket_addrs().map_err(words)?;
    let mut why = "the name has no address".to_owned();
    let mut connected = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => {
                connected = Some(stream);
                break;
            }
            Err(error) => why = words(error),
        }
    }
    let mut stream = connected.ok_or(why)?;
    let Probe::Http { path, .. } = probe else { return Ok(None) };
    stream.set_write_timeout(Some(left())).map_err(words)?;
    // HTTP/1.0: the answer ends with the connection, in one piece (RFC 1945).
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: cbwgen\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(words)?;
    let mut answer = Vec::new();
    let mut piece = [0; 8192];
    while (answer.len() as u64) < MOST {
        stream.set_read_timeout(Some(left())).map_err(words)?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What has come can be judged.
            Err(_) if status(&answer).is_some() => break,
            Err(error) => return Err(words(error)),
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let status = status(&answer).ok_or("it did not answer by HTTP")?;
    let text = String::from_utf8_lossy(&answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Some((status, body.to_owned())))
}

/// The status in the first line of an answer: `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

/// The system's words without its number.
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn words(error: std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("no answer within {} s", PATIENCE.as_secs()),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that says one thing, and what is heard of it.
    fn heard(said: &'static [u8]) -> Result<Option<(u16, String)>, String> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = server.local_addr().unwrap().to_string();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(said).unwrap();
            String::from_utf8(request[..read].to_vec()).unwrap()
        });
        let answer = ask(&authority, &Probe::Http { path: "/a?b".to_owned(), expect: 200, contains: None });
        assert!(serving.join().unwrap().starts_with("GET /a?b HTTP/1.0\r\nHost: 127.0.0.1:"));
        answer
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(heard(b"HTTP/1.1 500 Oh\r\nA: b\r\n\r\nhello\xff"), Ok(Some((500, "hello\u{fffd}".to_owned()))));
        assert_eq!(heard(b"HTTP/1.0 204\r\n\r\n"), Ok(Some((204, String::new()))));
        for wrong in [&b""[..], b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 many\r\n"] {
            assert_eq!(heard(wrong), Err("it did not answer by HTTP".to_owned()));
        }
    }

    #[test]
    fn a_connection_is_enough_for_tcp_and_a_refusal_has_words() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = server.local_addr().unwrap().to_string();
        assert_eq!(ask(&authority, &Probe::Tcp), Ok(None));
        drop(server);
        assert_eq!(ask(&authority, &Probe::Tcp), Err("connection refused".to_owned()));
    }
}
