//! `Acceptor`: the certificate and the versions that are offered to the next connection.

use std::sync::{Arc, RwLock};

use smp_transport::connection::RelayAcceptor;

use crate::sync::{read, write};

/// Makes connections; can be replaced while the relay runs.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<RwLock<RelayAcceptor>>);

impl Acceptor {
    pub(crate) fn new(acceptor: RelayAcceptor) -> Self {
        Self(Arc::new(RwLock::new(acceptor)))
    }

    /// That for the next connection.
    pub(super) fn current(&self) -> RelayAcceptor {
        read(&self.0).clone()
    }

    /// Connections from now on are made by this one.
    pub(crate) fn replace(&self, acceptor: RelayAcceptor) {
        *write(&self.0) = acceptor;
    }
}
