//! Waking a loop that sleeps in a poll: by another thread, or by a signal.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

/// The loop's end: readable when somebody wants the loop's attention.
#[derive(Debug)]
pub struct Wakeup {
    near: UnixStream,
    far: Arc<UnixStream>,
}

/// Everybody else's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Waker {
    far: Arc<UnixStream>,
}

impl Wakeup {
    /// A pair of ends, as a socket pair, since libzmq and the kernel both poll file descriptors.
    pub fn new() -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok(Self { near, far: Arc::new(far) })
    }

    /// An end to give away.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker { far: Arc::clone(&self.far) }
    }

    /// What to poll for input.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.near.as_raw_fd()
    }

    /// Takes note of all wake-ups so far. Look at what they may mean after this, not before.
    pub fn drain(&self) {
        let mut bytes = [0; 256];
        while matches!((&self.near).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }

    /// From now on SIGTERM, SIGINT and SIGHUP wake the loop and are remembered instead of ending the process. (The process with
    /// number 1 of a container has no default action for them: without this it could only be killed.)
    pub fn signals(&self) -> io::Result<Signals> {
        let signals = Signals::default();
        for (signal, flag) in [(SIGTERM, &signals.stop), (SIGINT, &signals.stop), (SIGHUP, &signals.reopen)] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            // Registered after the flag, so that the flag is set when the loop looks.
            signal_hook::low_level::pipe::register(signal, self.far.try_clone()?)?;
        }
        Ok(signals)
    }
}

impl Waker {
    /// Wakes the loop; a wake-up that is already on its way is enough.
    pub fn wake(&self) {
        // A full pipe means that the loop will wake anyway.
        let _ = (&*self.far).write(&[1]);
    }
}

/// Signals that have arrived.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
}

impl Signals {
    /// Whether SIGTERM or SIGINT asked the service to end.
    #[must_use]
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Whether SIGHUP came since this was last asked.
    #[must_use]
    pub fn take_reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wake_ups_are_one() {
        let wakeup = Wakeup::new().unwrap();
        let waker = wakeup.waker();
        for _ in 0..100_000 {
            waker.wake();
        }
        wakeup.drain();
        assert_eq!((&wakeup.near).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        waker.wake();
        assert_eq!((&wakeup.near).read(&mut [0]).unwrap(), 1);
    }
}
