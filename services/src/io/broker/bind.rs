//! Where the broker listens: by address or by a name that is resolved at the start.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crate::config::authority;

/// A host (`*` = every interface) and a port.
///
/// A name binds to the addresses that it stands for. In a Compose deployment it can be an alias that exists in one network
/// only; then peers in other networks cannot reach the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name, address, or `*`.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

/// Why the broker cannot start.
#[derive(Debug)]
pub enum BindError {
    /// The port is taken, or the address is not of this machine.
    Bind {
        /// `frontend` or `backend`.
        side: &'static str,
        /// Where it should have listened.
        address: Address,
        /// What the system says.
        why: String,
    },
    /// libzmq refuses a setting or cannot work at all.
    Zmq(zmq::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { side, address, why } => write!(f, "cannot listen on `{address}` ({side}): {why}"),
            Self::Zmq(error) => write!(f, "libzmq: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

impl From<zmq::Error> for BindError {
    fn from(error: zmq::Error) -> Self {
        Self::Zmq(error)
    }
}

/// How often and how far apart a name is asked for: a container's own name may be known a moment after it starts.
const RESOLVE_TRIES: u32 = 20;
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// The addresses that a host stands for; none = every interface.
pub fn resolve(address: &Address) -> Result<Vec<IpAddr>, io::Error> {
    if address.host == "*" {
        return Ok(Vec::new());
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match (address.host.as_str(), address.port).to_socket_addrs() {
            Ok(found) => {
                let mut addresses: Vec<_> = found.map(|found| found.ip()).collect();
                addresses.sort_unstable();
                addresses.dedup();
                return Ok(addresses);
            }
            Err(error) if tries == RESOLVE_TRIES => return Err(error),
            Err(_) => thread::sleep(RESOLVE_PAUSE),
        }
    }
}

/// Binds a socket to every address that its host stands for.
pub fn bind(socket: &zmq::Socket, side: &'static str, address: &Address) -> Result<(), BindError> {
    let failed = |why: String| BindError::Bind { side, address: address.clone(), why };
    let hosts = resolve(address).map_err(|error| failed(error.to_string()))?;
    if hosts.is_empty() {
        // Both protocols by one socket. Where the system has no IPv6, libzmq or we go back to IPv4.
        socket.set_ipv6(true)?;
        let mut bound = bind_one(socket, "*", address.port);
        if !matches!(bound, Ok(()) | Err(zmq::Error::EADDRINUSE)) {
            socket.set_ipv6(false)?;
            bound = bind_one(socket, "*", address.port);
        }
        return bound.map_err(|error| failed(error.to_string()));
    }
    for host in hosts {
        socket.set_ipv6(host.is_ipv6())?;
        bind_one(socket, &host.to_string(), address.port).map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

fn bind_one(socket: &zmq::Socket, host: &str, port: u16) -> Result<(), zmq::Error> {
    socket.bind(&format!("tcp://{}", authority(host, port)))
}

/// libzmq holds a connection's descriptor each: as many as the system allows this process.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it there is room for fewer peers, and nothing else is wrong.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
