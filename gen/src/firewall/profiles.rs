//! Application profiles that are met on many hosts: `ufw status` names them without their ports.

use super::{Ranges, ports};
use crate::spec::values::Protocol;

/// Name and ports, as the packages of Debian and Ubuntu ship them in `/etc/ufw/applications.d`.
const KNOWN: &[(&str, &str)] = &[
    ("Apache", "80/tcp"),
    ("Apache Full", "80,443/tcp"),
    ("Apache Secure", "443/tcp"),
    ("Bind9", "53"),
    ("CIFS", "137,138/udp|139,445/tcp"),
    ("CUPS", "631"),
    ("DNS", "53"),
    ("Dovecot IMAP", "143/tcp"),
    ("Dovecot POP3", "110/tcp"),
    ("Dovecot Secure IMAP", "993/tcp"),
    ("Dovecot Secure POP3", "995/tcp"),
    ("IMAP", "143/tcp"),
    ("IMAPS", "993/tcp"),
    ("IPP", "631"),
    ("LDAP", "389/tcp"),
    ("LDAPS", "636/tcp"),
    ("Lighttpd Full", "80,443/tcp"),
    ("Lighttpd HTTP", "80/tcp"),
    ("Lighttpd HTTPS", "443/tcp"),
    ("Mail submission", "587/tcp"),
    ("NFS", "2049,111/tcp|2049,111/udp"),
    ("Nginx Full", "80,443/tcp"),
    ("Nginx HTTP", "80/tcp"),
    ("Nginx HTTPS", "443/tcp"),
    ("Nginx QUIC", "443/udp"),
    ("OpenSSH", "22/tcp"),
    ("POP3", "110/tcp"),
    ("POP3S", "995/tcp"),
    ("Postfix", "25/tcp"),
    ("Postfix SMTPS", "465/tcp"),
    ("Postfix Submission", "587/tcp"),
    ("SMTP", "25/tcp"),
    ("SSH", "22/tcp"),
    ("Samba", "137,138/udp|139,445/tcp"),
    ("Socks", "1080/tcp"),
    ("Squid", "3128/tcp"),
    ("Syncthing", "22000|21027/udp"),
    ("VNC", "5900/tcp"),
    ("WWW", "80/tcp"),
    ("WWW Cache", "8080/tcp"),
    ("WWW Full", "80,443/tcp"),
    ("WWW Secure", "443/tcp"),
];

/// The ports of a profile, by protocol; nothing when it is not known.
pub(super) fn ports_of(name: &str) -> Vec<(Ranges, Option<Protocol>)> {
    let Some((_, text)) = KNOWN.iter().find(|(known, _)| *known == name) else { return Vec::new() };
    let one = |part: &str| {
        let (numbers, protocol) = part.split_once('/').map_or((part, None), |(numbers, protocol)| (numbers, Some(protocol)));
        Some((ports(numbers)?, super::protocol(protocol.unwrap_or("any")).ok()?))
    };
    text.split('|').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_ports() {
        for (name, text) in KNOWN {
            assert_eq!(ports_of(name).len(), text.split('|').count(), "{name}");
        }
        assert!(ports_of("My App").is_empty());
    }
}
