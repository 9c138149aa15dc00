//! The host's firewall.

/// Ufw.
#[derive(Debug)]
pub struct Ufw {}
