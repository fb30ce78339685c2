//! Accepting connections.

mod accept;
mod acceptor;
mod bind;

use std::{net::SocketAddr, sync::Arc};

use smp_protocol::{
    error::{HandshakeError, TransportError},
    handshake::relay::VerifiedService,
    id::ServiceId,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::accept::Pause;
pub use self::bind::BindError;
pub(crate) use self::{acceptor::Acceptor, bind::bind};
use crate::{
    admission::{Guest, Origin, Places},
    broker::Broker,
    session,
};

/// What is needed to serve the clients of all listeners.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) broker: Arc<Broker>,
    pub(crate) acceptor: Acceptor,
    pub(crate) places: Places,
    /// Tasks of connections.
    pub(crate) connections: TaskTracker,
    /// Cancelled to stop accepting and reading.
    pub(crate) stop: CancellationToken,
}

/// Accepts connections until the service stops.
pub(crate) async fn listen(listener: TcpListener, service: Service) {
    let mut pause = Pause::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = service.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause.succeeded();
                service.start(stream, peer);
            }
            Err(error) => {
                tokio::select! {
                    () = pause.after(&error) => {}
                    () = service.stop.cancelled() => return,
                }
            }
        }
    }
}

impl Service {
    /// Serves a connection in a task of its own, if there is a place for it.
    fn start(&self, stream: TcpStream, peer: SocketAddr) {
        let metrics = &self.broker.metrics;
        let origin = Origin::of(peer.ip(), self.broker.config().limits.count_loopback);
        let place = match self.places.take(origin) {
            Ok((place, displaced)) => {
                if let Some((limit, value)) = displaced {
                    metrics.refusals.note(limit, value as u64);
                }
                place
            }
            Err((limit, value)) => {
                metrics.refused.inc();
                metrics.refusals.note(limit, value as u64);
                return;
            }
        };
        metrics.accepted.inc();
        let service = self.clone();
        self.connections.spawn(async move {
            let abort = service.broker.abort.clone();
            tokio::select! {
                () = service.serve(stream, place.guest().clone()) => {}
                () = place.evicted() => {}
                () = abort.cancelled() => {}
            }
        });
    }

    async fn serve(self, stream: TcpStream, guest: Arc<Guest>) {
        if accept::prepare(&stream).is_err() {
            return;
        }
        let acceptor = self.acceptor.current();
        let accepted = tokio::select! {
            accepted = acceptor.accept_with(stream, |service| self.register(service)) => accepted,
            () = self.stop.cancelled() => return,
        };
        // Scanners and clients that gave up are no concern of the operator.
        let Ok(connection) = accepted else {
            self.broker.metrics.failed_handshakes.inc();
            return;
        };
        session::serve(self.broker, connection, guest, self.stop).await;
    }

    /// The ID of a service. Its certificates are known by the fingerprint of the identity. Anybody can make some: a new
    /// service is not kept before it is allowed to have a queue.
    async fn register(&self, service: VerifiedService) -> Result<ServiceId, TransportError> {
        let role = session::service_role(service.role).ok_or(HandshakeError::BadService)?;
        let known = self.broker.store.find_service(&service.fingerprint, role).await;
        let known = known.map_err(|_| HandshakeError::BadService)?;
        Ok(known.unwrap_or_else(|| session::id_of_new_service(&service.fingerprint)))
    }
}
