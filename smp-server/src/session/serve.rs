//! A connection from its first byte to its last: handshake, the two tasks, and the end of its subscriptions.

use std::sync::{Arc, RwLock};

use smp_crypto::hash;
use smp_protocol::{
    error::{HandshakeError, TransportError},
    handshake::{self, relay::VerifiedService},
    id::{ID_BYTES, ServiceId},
};
use smp_transport::{
    connection::{Accepted, BlockReader, Connection, RelayAcceptor, RelaySide},
    tls::TlsSession,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    reader::read,
    state::{Agreed, Session},
    writer::{WriteError, Writer},
};
use crate::{
    admission::Guest, commands::Service, files::FileRelay, node::Node, stopping::Stopping,
    store::ServiceRole, sync,
};

/// The certificate and the versions that are offered to the next connection; can be replaced while the relay runs.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<RwLock<RelayAcceptor>>);

impl Acceptor {
    pub(crate) fn new(acceptor: RelayAcceptor) -> Self {
        Self(Arc::new(RwLock::new(acceptor)))
    }

    /// That for the next connection.
    fn current(&self) -> RelayAcceptor {
        sync::read(&self.0).clone()
    }

    /// Connections from now on are made by this one.
    pub(crate) fn replace(&self, acceptor: RelayAcceptor) {
        *sync::write(&self.0) = acceptor;
    }
}

/// Serves a client until it disconnects or has to go; then what it has asked is still answered. Those who have agreed on it by ALPN are
/// served by the relay of files, if there is one.
pub(crate) async fn serve(
    node: Arc<Node>,
    acceptor: Acceptor,
    files: Option<FileRelay>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    guest: Arc<Guest>,
    stopping: Stopping,
) {
    // On the heap: afterwards the task keeps no room for it. Tens of thousands of connections do nothing else than wait.
    let accepted = Box::pin(async {
        let acceptor = acceptor.current();
        let accepted = tokio::select! {
            accepted = acceptor.accept_any(stream, |service| register(&node, service)) => accepted,
            () = stopping.begun() => return None,
        };
        // Scanners and clients that gave up are no concern of the operator.
        let failed = |_| _ = node.metrics.failed_handshakes.inc();
        Some(match accepted.map_err(failed).ok()? {
            Accepted::Smp(connection) => Client::OfMessages(Talk::begin(&node, *connection, guest)),
            Accepted::Other(tls) => Client::OfFiles(tls, guest),
        })
    });
    match accepted.await {
        None => {}
        Some(Client::OfMessages(mut talk)) => talk.finish(&stopping).await,
        // On the heap for the same reason.
        Some(Client::OfFiles(tls, guest)) => {
            if let Some(files) = files {
                Box::pin(files.serve_guest(*tls, guest, &stopping)).await;
            }
        }
    }
}

/// A client, by what it wants.
enum Client {
    OfMessages(Talk),
    OfFiles(Box<TlsSession>, Arc<Guest>),
}

/// The ID of a service. Its certificates are known by the fingerprint of the identity. Anybody can make some: a new service is
/// not kept before it is allowed to have a queue.
async fn register(node: &Node, service: VerifiedService) -> Result<ServiceId, TransportError> {
    let role = service_role(service.role).ok_or(HandshakeError::BadService)?;
    let known = node.store.find_service(&service.fingerprint, role).await;
    let known = known.map_err(|_| HandshakeError::BadService)?;
    Ok(known.unwrap_or_else(|| id_of_new_service(&service.fingerprint)))
}

/// A connection after its handshake. Its writer runs in a task of its own.
struct Talk {
    session: Arc<Session>,
    node: Arc<Node>,
    reader: BlockReader,
    writing: AbortOnDropHandle<Result<(), WriteError>>,
    /// Cancelled when everything is answered: the writer ends then.
    finished: CancellationToken,
}

impl Talk {
    fn begin(node: &Arc<Node>, connection: Connection<RelaySide>, guest: Arc<Guest>) -> Self {
        let Connection { session, side, reader, writer } = connection;
        let agreed = Agreed {
            parameters: session.parameters,
            private_key: side.key,
            proxy_secret: session.secret.map(|secret| secret.box_key()),
            service: side.service.and_then(|(verified, id)| {
                let role = service_role(verified.role)?;
                let (fingerprint, key) = (verified.fingerprint, verified.key);
                Some(Service { id, role, fingerprint, key, is_kept: Arc::default() })
            }),
        };
        let session = Session::new(agreed, guest, node);
        let finished = CancellationToken::new();
        let writer = Writer::new(session.clone(), node.clone(), writer);
        let stop = finished.clone();
        let writing = node.surroundings.spawner.spawn(async move { writer.write(&stop).await });
        let writing = AbortOnDropHandle::new(writing);
        Self { session, node: node.clone(), reader, writing, finished }
    }

    /// Serves to the end.
    async fn finish(&mut self, stopping: &Stopping) {
        let Self { session, node, reader, writing, finished } = self;
        let reading = async {
            read(session, node, reader, stopping).await;
            session.in_flight.answered().await;
        };
        tokio::select! {
            () = reading => {
                finished.cancel();
                let _ = (&mut *writing).await;
            }
            // A command has died, and with it what is behind it.
            () = session.failed.cancelled() => {}
            // The connection is lost, or the client does not read.
            _ = &mut *writing => {}
        }
    }
}

/// Ends the subscriptions of the client, in whatever way its session ends.
impl Drop for Talk {
    fn drop(&mut self) {
        self.node.hub.client_ended(self.session.client());
        if let Some(cluster) = &self.node.cluster {
            cluster.client_ended(self.session.client().number());
        }
    }
}

/// The role of a service here. Proxies need no identity.
fn service_role(role: handshake::ServiceRole) -> Option<ServiceRole> {
    match role {
        handshake::ServiceRole::Messaging => Some(ServiceRole::Messaging),
        handshake::ServiceRole::Notifier => Some(ServiceRole::Notifier),
        handshake::ServiceRole::Proxy => None,
    }
}

/// The ID that a service gets, unless it has another one: the same in all its sessions, before and after it is kept.
pub(crate) fn id_of_new_service(fingerprint: &[u8; 32]) -> ServiceId {
    let digest = hash::sha3_384(fingerprint);
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&digest[..ID_BYTES]);
    ServiceId::from(id)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use smp_protocol::{
        command::{Command, MessageFlags},
        id::{CorrelationId, EntityId},
        transmission::{BlockContent, prepare},
    };

    use super::*;
    use crate::testing;

    /// Commands behind it would wait for ever otherwise. Nobody else notices.
    #[tokio::test]
    async fn a_command_that_dies_ends_its_session() {
        let store = testing::memory();
        let node = testing::node_on(store.clone());
        let queue = testing::queue(&node).await;
        let (mut client, relay) = testing::connected().await;
        let mut talk = Talk::begin(&node, relay, testing::guest());
        let talking = tokio::spawn(async move { talk.finish(&Stopping::default()).await });
        let parameters = &client.session.parameters;
        let mut block = BlockContent::new();
        for number in [1, 2] {
            let id = CorrelationId::from([number; 24]);
            let entity = EntityId::from(queue.sender_id.clone());
            let command = Command::Send(MessageFlags { notification: false }, Cow::Borrowed(b"body"));
            let send = prepare(parameters, &id, &entity, &command);
            block.push(|out| send.write(None, parameters, out)).unwrap();
        }
        store.seam.die_at_next_append();
        client.writer.write_block(block.as_bytes()).await.unwrap();
        client.writer.flush().await.unwrap();
        assert!(client.reader.read_block().await.is_err(), "no answer comes, but the connection is closed");
        talking.await.unwrap();
        testing::send(&node, &queue).await;
    }
}
