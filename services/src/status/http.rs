//! As much HTTP/1.1 as a probe, Prometheus and `curl` need: GET and HEAD, one request a connection, bounded in everything.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Events, Hub, PATIENCE};
use crate::logsink::mailbox::Batch;

/// Connections served at a time; the next one is told to come back.
const CONNECTIONS: usize = 16;
/// Bytes of a request's head at most.
const HEAD: usize = 8 << 10;
/// A peer that sends or reads more slowly than this is given up.
const SLOWEST: Duration = Duration::from_secs(5);

/// Serves what `hub` tells at `address` (`host:port`) from threads of its own; returns the address that was bound.
pub fn serve(address: &str, hub: Hub) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    thread::Builder::new().name("status".to_owned()).spawn(move || accept(&listener, &hub))?;
    Ok(bound)
}

fn accept(listener: &TcpListener, hub: &Hub) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, for instance: the listener is fine and this passes.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let Some(place) = Place::take(&open) else {
            turn_away(stream);
            continue;
        };
        let hub = hub.clone();
        // Without a thread the connection is closed, which is all that can be said.
        let _ = thread::Builder::new().name("status-peer".to_owned()).spawn(move || {
            // A peer that goes away in the middle is its own affair.
            let _ = converse(stream, &hub);
            drop(place);
        });
    }
}

/// Says no without waiting for anything: it fits into the socket's buffer.
fn turn_away(mut stream: TcpStream) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// One of the connections that may be served.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = open.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(open));
        (taken < CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn converse(mut stream: TcpStream, hub: &Hub) -> io::Result<()> {
    stream.set_write_timeout(Some(SLOWEST))?;
    let _ = stream.set_nodelay(true);
    let Some(head) = read_head(&mut stream)? else {
        return respond(&mut stream, true, "400 Bad Request", TEXT, "not a request\n");
    };
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return respond(&mut stream, true, "405 Method Not Allowed", TEXT, "GET or HEAD\n"),
    };
    let path = target.split('?').next().unwrap_or_default();
    if let ("/events", true, Some(events)) = (path, body, hub.events()) {
        return stream_events(&mut stream, events);
    }
    if !["/metrics", "/healthz", "/readyz", "/status", "/"].contains(&path) {
        return respond(&mut stream, body, "404 Not Found", TEXT, "no such page\n");
    }
    if path == "/" {
        let pages = if hub.events().is_some() { "/metrics /healthz /readyz /status /events\n" } else { "/metrics /healthz /readyz\n" };
        return respond(&mut stream, body, "200 OK", TEXT, pages);
    }
    let Some(report) = hub.ask() else {
        let text = format!("no answer within {} s: the service hangs\n", PATIENCE.as_secs());
        return respond(&mut stream, body, "503 Service Unavailable", TEXT, &text);
    };
    let judged = |trouble: &Option<String>| match trouble {
        None => ("200 OK", TEXT, "ok\n".to_owned()),
        Some(why) => ("503 Service Unavailable", TEXT, format!("{why}\n")),
    };
    let (status, kind, text) = match path {
        "/healthz" => judged(&report.unhealthy),
        "/readyz" => judged(if report.unhealthy.is_some() { &report.unhealthy } else { &report.unready }),
        "/metrics" => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", report.metrics.clone()),
        _ => match &report.status {
            Some(status) => ("200 OK", "application/json", status.clone()),
            None => ("404 Not Found", TEXT, "no such page\n".to_owned()),
        },
    };
    respond(&mut stream, body, status, kind, &text)
}

const TEXT: &str = "text/plain; charset=utf-8";

/// Reads up to the empty line; none when the peer closed, sent too much or took too long.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let deadline = Instant::now() + SLOWEST;
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > HEAD {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(n) => head.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(None),
            Err(error) => return Err(error),
        }
        if head.windows(4).any(|w| w == b"\r\n\r\n") || head.windows(2).any(|w| w == b"\n\n") {
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
    }
}

fn respond(stream: &mut TcpStream, body: bool, status: &str, kind: &str, text: &str) -> io::Result<()> {
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        text.len()
    );
    if body {
        response.push_str(text);
    }
    stream.write_all(response.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    // Closing with unread input would be a reset, which may take the response with it.
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}

/// Writes events as a chunked body (RFC 9112, section 7.1) until the peer goes away.
fn stream_events(stream: &mut TcpStream, events: &Events) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
    )?;
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    let mailbox = events.subscribe();
    let mut batch = Batch::default();
    let result = loop {
        mailbox.take(&mut batch, Duration::from_secs(1));
        let dropped = mailbox.take_dropped();
        let mut lines = Vec::new();
        for line in batch.records() {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        if dropped > 0 {
            lines.extend_from_slice(format!("{{\"event\":\"lost\",\"count\":{dropped}}}\n").as_bytes());
        }
        if lines.is_empty() {
            // A listener that only listens is noticed to be gone by reading.
            match stream.read(&mut [0; 64]) {
                Ok(0) => break Ok(()),
                Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {
                    break Err(error);
                }
                _ => continue,
            }
        }
        let mut chunk = format!("{:x}\r\n", lines.len()).into_bytes();
        chunk.append(&mut lines);
        chunk.extend_from_slice(b"\r\n");
        if let Err(error) = stream.write_all(&chunk) {
            break Err(error);
        }
    };
    events.unsubscribe(&mailbox);
    result
}

#[cfg(test)]
mod tests {
    use super::super::wake::Wakeup;
    use super::super::{Hub, Report};
    use super::*;

    /// A loop that answers every question, on a thread of its own, and its status server.
    fn service(report: Report) -> (SocketAddr, Hub) {
        let wakeup = Wakeup::new().unwrap();
        let hub = Hub::with_events(wakeup.waker());
        let address = serve("127.0.0.1:0", hub.clone()).unwrap();
        let looping = hub.clone();
        thread::spawn(move || {
            loop {
                if looping.asked() {
                    looping.answer(report.clone());
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        (address, hub)
    }

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut response = Vec::new();
        // One that is turned away may see a reset after the answer.
        let _ = stream.read_to_end(&mut response);
        String::from_utf8(response).unwrap()
    }

    #[test]
    fn pages_are_what_the_loop_reports() {
        let report = Report {
            unready: Some("no worker".to_owned()),
            metrics: "m 1\n".to_owned(),
            status: Some("{}".to_owned()),
            ..Report::default()
        };
        let (address, _hub) = service(report);
        let page = |path: &str| get(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(page("/healthz").starts_with("HTTP/1.1 200"));
        assert!(page("/readyz").starts_with("HTTP/1.1 503") && page("/readyz").ends_with("no worker\n"));
        assert!(page("/metrics").ends_with("\r\n\r\nm 1\n"));
        assert!(page("/status?pretty").ends_with("\r\n\r\n{}"));
        assert!(page("/etc/passwd").starts_with("HTTP/1.1 404"));
        assert!(get(address, "HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(get(address, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(get(address, &format!("GET /{} HTTP/1.1", "x".repeat(20_000))).starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn silent_connections_do_not_pile_up() {
        let (address, _hub) = service(Report::default());
        let silent: Vec<_> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        while !get(address, "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503") {
            thread::sleep(Duration::from_millis(1));
        }
        drop(silent);
        while !get(address, "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200") {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_loop_that_hangs_is_unhealthy() {
        let wakeup = Wakeup::new().unwrap();
        let address = serve("127.0.0.1:0", Hub::new(wakeup.waker())).unwrap();
        assert!(get(address, "GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 503"));
    }

    #[test]
    fn events_are_a_stream_of_lines() {
        let (address, hub) = service(Report::default());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\n\r\n").unwrap();
        let events = hub.events().unwrap();
        while !events.wanted() {
            thread::sleep(Duration::from_millis(1));
        }
        events.publish("{\"event\":\"request\"}");
        let (mut seen, mut chunk) = (String::new(), [0; 256]);
        while !seen.ends_with("{\"event\":\"request\"}\n\r\n") {
            let n = stream.read(&mut chunk).unwrap();
            seen.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
        }
        drop(stream);
        while events.wanted() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}
