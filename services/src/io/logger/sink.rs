//! The thread that sends a service's records to the logger.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, DONTWAIT, SocketType};

use crate::backoff::Backoff;
use crate::io::peer::{Link, LinkEvent, poll};
use crate::logsink::mailbox::{Batch, Mailbox};
use crate::logsink::{LIMIT, LogSink, Outlet};

/// Records that libzmq may hold: those that are lost, uncounted, when the logger dies. The rest waits in the mailbox.
const HIGH_WATER_MARK: i32 = 1000;
/// How long an idle thread sleeps between looks at its connection.
const IDLE: Duration = Duration::from_millis(500);
/// How long a busy service's records are gathered, so that the thread wakes once for many.
const GATHER: Duration = Duration::from_millis(20);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the last records may take when the service ends.
const GRACE: Duration = Duration::from_secs(1);

/// Starts the thread for the service `name`. The logger need not be there, now or ever.
pub fn start_sink(name: &str, host: &str, port: u16) -> io::Result<(LogSink, Outlet)> {
    let mailbox = Arc::new(Mailbox::new(LIMIT));
    let mut sender = Sender {
        name: name.to_owned(),
        peer: (host.to_owned(), port),
        // A context of its own: its I/O thread may be slow without slowing down the service's.
        context: Context::new(),
        mailbox: Arc::clone(&mailbox),
        backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2)),
        addresses: Vec::new(),
        unreported: 0,
        closing: None,
    };
    let thread = thread::Builder::new().name("logsink".to_owned()).spawn(move || sender.run())?;
    Ok((LogSink::new(Arc::clone(&mailbox)), Outlet::new(mailbox, thread, GRACE)))
}

struct Sender {
    name: String,
    peer: (String, u16),
    context: Context,
    mailbox: Arc<Mailbox>,
    backoff: Backoff,
    addresses: Vec<SocketAddr>,
    unreported: u64,
    closing: Option<Instant>,
}

/// Nothing more is to be sent, or can be in time.
struct Over;

impl Sender {
    fn run(&mut self) {
        // What was taken from the mailbox, and how much of it is sent: it outlives a connection.
        let (mut batch, mut sent) = (Batch::default(), 0);
        loop {
            let Some(link) = self.connect() else {
                let pause = self.backoff.delay();
                if self.pause(pause).is_err() {
                    return;
                }
                continue;
            };
            self.backoff.reset();
            self.addresses.clear();
            match self.converse(&link, &mut batch, &mut sent) {
                // The link lingers for a moment to send the rest.
                Err(Over) => return,
                Ok(()) => link.abandon(),
            }
        }
    }

    /// Sends until the connection is lost.
    fn converse(&mut self, link: &Link, batch: &mut Batch, sent: &mut usize) -> Result<(), Over> {
        loop {
            self.unreported += self.mailbox.take_dropped();
            if self.unreported > 0 {
                let report = format!("{} WARN {} log records were dropped while the logger did not take them", self.name, self.unreported);
                if !self.send(link, report.as_bytes())? {
                    return Ok(());
                }
                self.unreported = 0;
            }
            for record in batch.records().skip(*sent) {
                if !self.send(link, record)? {
                    return Ok(());
                }
                *sent += 1;
            }
            let busy = batch.len() > 1;
            *sent = 0;
            if !self.mailbox.take(batch, IDLE) {
                return Err(Over);
            }
            if busy && !self.mailbox.is_closed() {
                thread::sleep(GATHER);
            }
            if let Some(LinkEvent::Down) = link.event() {
                return Ok(());
            }
        }
    }

    /// Sends a record, waiting for a logger that is slow; false when the connection is lost.
    fn send(&mut self, link: &Link, record: &[u8]) -> Result<bool, Over> {
        loop {
            match link.socket.send(record, DONTWAIT) {
                Ok(()) => return Ok(true),
                Err(zmq::Error::EAGAIN) => {}
                Err(zmq::Error::EINTR) => continue,
                Err(_) => return Ok(false),
            }
            if let Some(LinkEvent::Down) = link.event() {
                return Ok(false);
            }
            self.check_time()?;
            let [_, news] = link.poll_items();
            if poll(&mut [link.socket.as_poll_item(zmq::POLLOUT), news], Duration::from_millis(100)).is_err() {
                return Ok(false);
            }
        }
    }

    /// Connects to the next address of the logger; in this thread a name server may take its time.
    fn connect(&mut self) -> Option<Link> {
        if self.addresses.is_empty() {
            self.addresses = (self.peer.0.as_str(), self.peer.1).to_socket_addrs().ok()?.collect();
            self.addresses.reverse();
        }
        let address = self.addresses.pop()?;
        let link = Link::open(&self.context, SocketType::PUSH, address, |socket| socket.set_sndhwm(HIGH_WATER_MARK)).ok()?;
        let until = Instant::now() + CONNECT;
        loop {
            match link.event() {
                Some(LinkEvent::Up) => return Some(link),
                Some(LinkEvent::Down) => break,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            let [_, news] = link.poll_items();
            if left.is_zero() || self.check_time().is_err() || poll(&mut [news], left.min(Duration::from_millis(100))).is_err() {
                break;
            }
        }
        link.abandon();
        None
    }

    fn pause(&mut self, pause: Duration) -> Result<(), Over> {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.check_time()?;
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        self.check_time()
    }

    /// Once the service ends, a logger that is not there has half of the grace to come back.
    fn check_time(&mut self) -> Result<(), Over> {
        if !self.mailbox.is_closed() {
            return Ok(());
        }
        let since = *self.closing.get_or_insert_with(Instant::now);
        if since.elapsed() < GRACE / 2 { Ok(()) } else { Err(Over) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    fn logger(port: u16) -> zmq::Socket {
        let socket = Context::new().socket(SocketType::PULL).unwrap();
        socket.set_rcvtimeo(60_000).unwrap();
        socket.bind(&format!("tcp://127.0.0.1:{port}")).unwrap();
        socket
    }

    #[test]
    fn what_a_dead_logger_missed_is_counted_and_told_when_it_is_back() {
        const RECORDS: u64 = 200_000;
        let port = free_port();
        let (sink, outlet) = start_sink("bro", "127.0.0.1", port).unwrap();
        for _ in 0..RECORDS {
            sink.log(|record| record.extend_from_slice(&[b'x'; 99]));
        }
        let logger = logger(port);
        let (mut received, mut dropped) = (0, 0);
        while received + dropped < RECORDS {
            let text = logger.recv_string(0).unwrap().unwrap();
            match text.strip_prefix("bro WARN ").and_then(|rest| rest.split(' ').next()) {
                Some(count) => dropped += count.parse::<u64>().unwrap(),
                None => received += 1,
            }
        }
        assert!(dropped > 0 && received * 99 > 1_000_000, "{received} received, {dropped} dropped");
        drop(outlet);
    }

    #[test]
    fn the_last_records_are_sent_before_the_end() {
        let port = free_port();
        let logger = logger(port);
        let (sink, outlet) = start_sink("bro", "localhost", port).unwrap();
        sink.log(|record| record.extend_from_slice(b"first"));
        assert_eq!(logger.recv_string(0).unwrap().unwrap(), "first");
        sink.log(|record| record.extend_from_slice(b"last"));
        drop(outlet);
        assert_eq!(logger.recv_string(0).unwrap().unwrap(), "last");
    }
}
