//! Who connected.

use std::net::IpAddr;
use std::sync::Arc;

use crate::intake::Sender;

/// The other end of a connection, as far as the door itself can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none over a UNIX socket.
    pub address: Option<IpAddr>,
    /// Names in its certificate, which has been verified; none without one.
    pub names: Arc<[String]>,
}

impl Peer {
    /// For the choice of a source.
    #[must_use]
    pub fn sender(&self) -> Sender<'_> {
        Sender { address: self.address, names: &self.names }
    }
}
