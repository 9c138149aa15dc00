//! Ports for tests that run side by side, each in a process of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// Below the ports that the system gives to connections, which would take one while its service is away for a moment.
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 600;
const SIZE: u16 = 20;

/// What this process has: of each of its blocks the first port, as a claim that others see, and the ports of the last block that
/// nobody was given yet.
static OWN: Mutex<(Vec<TcpListener>, Range<u16>)> = Mutex::new((Vec::new(), 0..0));

/// A port that nobody listens on, and that is given to nobody else.
pub fn free_port() -> u16 {
    let mut own = OWN.lock().unwrap();
    let (claims, ports) = &mut *own;
    loop {
        if let Some(port) = ports.find(|port| listen(*port).is_some()) {
            return port;
        }
        let wanted = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
        let mut blocks = (0..BLOCKS).map(|block| FIRST + (wanted + block) % BLOCKS * SIZE);
        let (claim, first) = blocks.find_map(|first| Some((listen(first)?, first))).expect("a free block of ports");
        claims.push(claim);
        *ports = first + 1..first + SIZE;
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}
