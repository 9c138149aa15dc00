//! What the machine itself says: its firewall, and who listens on which port. Values only; [`crate::facts::live`] reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Ufw;
use crate::spec::values::Protocol;

/// What was read of the machine, and what could not be.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Its firewall; one that is switched off where it has none; `None` when that could not be read.
    pub ufw: Option<Ufw>,
    /// Its open ports.
    pub listening: Vec<Listening>,
    /// What could not be read, in words, each with what to do.
    pub unread: Vec<String>,
}

/// A port of this machine that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// The address that it is taken on; an unspecified one means all.
    pub address: IpAddr,
    /// 1 to 65535.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Who has it.
    pub holder: Holder,
}

/// Who has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process.
    Process {
        /// Its number.
        pid: u32,
        /// Its name, as `ps` shows it.
        name: String,
    },
    /// A container.
    Container {
        /// Its name.
        name: String,
        /// The Compose project that it belongs to, and its service there; empty for others.
        project: String,
        /// The service.
        service: String,
    },
    /// A process of another user: only root may see which.
    Hidden,
}

impl Listening {
    /// Whether somebody who wants the port on this address (`None`: on all of them) cannot have it.
    #[must_use]
    pub fn is_in_the_way(&self, address: Option<IpAddr>, port: u16, protocol: Protocol) -> bool {
        let overlaps = match address {
            None => true,
            Some(wanted) if wanted.is_unspecified() => wanted.is_ipv6() || self.address.is_ipv4() || self.address.is_unspecified(),
            // A socket on `::` takes IPv4 as well, unless it says otherwise, which nobody can see.
            Some(wanted) => wanted == self.address || (self.address.is_unspecified() && (self.address.is_ipv6() || wanted.is_ipv4())),
        };
        overlaps && self.port == port && self.protocol == protocol
    }
}

/// A line of `/proc/net/tcp`, `tcp6`, `udp` or `udp6` (proc(5)) that is a taken port: address, port and the socket's inode.
#[must_use]
pub fn proc_line(line: &str, protocol: Protocol) -> Option<(IpAddr, u16, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    // TCP_LISTEN; a UDP socket that is bound and not connected is in TCP_CLOSE.
    let taken = if protocol == Protocol::Tcp { "0A" } else { "07" };
    if *state != taken {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some((proc_address(address)?, u16::from_str_radix(port, 16).ok().filter(|port| *port > 0)?, inode.parse().ok()?))
}

/// Addresses stand there as 32-bit words in the machine's own order of bytes.
fn proc_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for part in 0..4 {
                bytes[part * 4..part * 4 + 4].copy_from_slice(&word(part * 8)?);
            }
            let address = Ipv6Addr::from(bytes);
            Some(address.to_ipv4_mapped().map_or(address.into(), IpAddr::from))
        }
        _ => None,
    }
}

/// A line of `docker ps`: name, project, service and ports, with tabs between them.
#[must_use]
pub fn docker_line(line: &str) -> Vec<Listening> {
    let mut fields = line.split('\t');
    let (Some(name), Some(project), Some(service), Some(ports)) = (fields.next(), fields.next(), fields.next(), fields.next()) else {
        return Vec::new();
    };
    let holder = Holder::Container { name: name.to_owned(), project: project.to_owned(), service: service.to_owned() };
    // `0.0.0.0:9998->9998/tcp, :::9000-9001->9000-9001/tcp, 3306/tcp`
    let published = ports.split(", ").filter_map(|entry| {
        let (host, container) = entry.split_once("->")?;
        let protocol = if container.ends_with("/udp") { Protocol::Udp } else { Protocol::Tcp };
        let (address, range) = host.rsplit_once(':')?;
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((address, first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?, protocol))
    });
    published
        .flat_map(|(address, range, protocol)| range.map(move |port| (address, port, protocol)))
        .map(|(address, port, protocol)| Listening { address, port, protocol, holder: holder.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_read() {
        let line = "   0: 0100007F:270E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        assert_eq!(proc_line(line, Protocol::Tcp), Some(([127, 0, 0, 1].into(), 9998, 4711)));
        assert_eq!(proc_line(&line.replace(" 0A ", " 01 "), Protocol::Tcp), None, "a connection is no open port");
        let line = "  1: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 12";
        assert_eq!(proc_line(line, Protocol::Tcp), Some((IpAddr::V6(Ipv6Addr::UNSPECIFIED), 22, 12)));
        let line = "  1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 12";
        assert_eq!(proc_line(line, Protocol::Tcp), Some(([127, 0, 0, 1].into(), 80, 12)));
        for wrong in ["", "  sl  local_address rem_address   st", "0: x:y z 0A 0 0 0 0 0 1", "0: 0100:1 0 0A 0 0 0 0 0 1"] {
            assert_eq!(proc_line(wrong, Protocol::Tcp), None);
        }
    }

    #[test]
    fn containers_are_read() {
        let found = docker_line("demo-bro-1\tdemo\tbro\t0.0.0.0:9998->9998/tcp, :::9000-9001->80-81/udp, 3306/tcp");
        let ports: Vec<(String, u16, Protocol)> = found.iter().map(|one| (one.address.to_string(), one.port, one.protocol)).collect();
        assert_eq!(
            ports,
            [("0.0.0.0".into(), 9998, Protocol::Tcp), ("::".into(), 9000, Protocol::Udp), ("::".into(), 9001, Protocol::Udp)]
        );
        assert!(docker_line("x").is_empty());
    }

    #[test]
    fn who_wants_all_addresses_is_stopped_by_anybody() {
        let taken =
            |address: &str| Listening { address: address.parse().unwrap(), port: 80, protocol: Protocol::Tcp, holder: Holder::Hidden };
        let wants = |taken: &Listening, address: Option<&str>| taken.is_in_the_way(address.map(|a| a.parse().unwrap()), 80, Protocol::Tcp);
        assert!(wants(&taken("127.0.0.1"), None) && wants(&taken("::1"), None));
        assert!(wants(&taken("0.0.0.0"), Some("127.0.0.1")) && wants(&taken("::"), Some("127.0.0.1")));
        assert!(!wants(&taken("127.0.0.1"), Some("192.0.2.1")) && !wants(&taken("0.0.0.0"), Some("::1")));
        assert!(!taken("0.0.0.0").is_in_the_way(None, 80, Protocol::Udp) && !taken("0.0.0.0").is_in_the_way(None, 81, Protocol::Tcp));
    }
}
