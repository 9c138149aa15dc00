//! Says of each argument `HOST:PORT` whether a TCP connection can be made: `HOST:PORT open` or `HOST:PORT closed`.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

fn main() {
    for target in std::env::args().skip(1) {
        let open = target.to_socket_addrs().is_ok_and(|mut addresses| {
            addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
        });
        println!("{target} {}", if open { "open" } else { "closed" });
    }
}
