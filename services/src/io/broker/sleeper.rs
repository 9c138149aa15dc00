//! One `epoll_wait` for everything that the loop waits for.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::router::Router;

const FRONTEND: Token = Token(0);
const BACKEND: Token = Token(1);
const FRONTEND_MONITOR: Token = Token(2);
const BACKEND_MONITOR: Token = Token(3);
const WAKEUP: Token = Token(4);

/// Waits on file descriptors, each of which tells of a change once (edge-triggered): whoever is woken must take all there is.
/// libzmq's own descriptors (`ZMQ_FD`) mean nothing more either.
pub struct Sleeper {
    poll: Poll,
    events: Events,
}

/// What ended a sleep, besides time.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct Woken {
    pub by_frontend: bool,
    pub by_backend: bool,
    pub by_frontend_monitor: bool,
    pub by_backend_monitor: bool,
    pub by_wakeup: bool,
}

impl Sleeper {
    /// A sleeper that wakes for messages and ends of connections on either side, and for `wakeup`.
    pub fn new(frontend: &Router, backend: &Router, wakeup: RawFd) -> io::Result<Self> {
        let poll = Poll::new()?;
        let fds = [frontend.fd, backend.fd, frontend.connections.fd, backend.connections.fd, wakeup];
        for (token, fd) in fds.iter().enumerate() {
            poll.registry().register(&mut SourceFd(fd), Token(token), Interest::READABLE)?;
        }
        Ok(Self { poll, events: Events::with_capacity(fds.len()) })
    }

    /// Sleeps until something happens, for `time` at most.
    pub fn sleep(&mut self, time: Option<Duration>) -> io::Result<Woken> {
        // epoll counts milliseconds. Rounded up, since a sleep that ends a moment too early would be slept again and again.
        let time = time.map(|time| Duration::from_millis(u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)));
        match self.poll.poll(&mut self.events, time) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(Woken::default()),
            Ok(()) => {}
        }
        let is = |token| self.events.iter().any(|event| event.token() == token);
        Ok(Woken {
            by_frontend: is(FRONTEND),
            by_backend: is(BACKEND),
            by_frontend_monitor: is(FRONTEND_MONITOR),
            by_backend_monitor: is(BACKEND_MONITOR),
            by_wakeup: is(WAKEUP),
        })
    }
}
