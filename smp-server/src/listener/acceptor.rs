//! The certificate and the versions that are offered now.

use std::sync::{Arc, PoisonError, RwLock};

use smp_transport::connection::RelayAcceptor;

/// What makes connections; can be replaced while the relay runs.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<RwLock<RelayAcceptor>>);

impl Acceptor {
    pub(crate) fn new(acceptor: RelayAcceptor) -> Self {
        Self(Arc::new(RwLock::new(acceptor)))
    }

    /// That for the next connection.
    pub(super) fn current(&self) -> RelayAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections from now on are made by this one.
    pub(crate) fn replace(&self, acceptor: RelayAcceptor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}
