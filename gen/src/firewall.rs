//! The host's firewall.

use crate::spec::Firewall;

/// Ufw.
#[derive(Debug)]
pub struct Ufw {}

impl Ufw {
    /// From the topology.
    #[must_use]
    pub fn from_spec(_: &Firewall) -> Option<Self> {
        None
    }

    /// From a text.
    pub fn parse(_: &str) -> Result<Self, String> {
        Err("not yet".to_owned())
    }
}
