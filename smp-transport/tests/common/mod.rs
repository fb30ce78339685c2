//! Identities, pipes and connected pairs for the tests of this crate.

#![allow(clippy::unwrap_used, dead_code)]

use smp_transport::connection::{
    AcceptorSettings, ClientSide, Connection, ConnectionError, ConnectorSettings, RelayAcceptor,
    RelayConnector, RelaySide,
};
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity};
use time::OffsetDateTime;
use tokio::io::DuplexStream;

pub(crate) fn identity() -> RelayIdentity {
    let now = OffsetDateTime::now_utc();
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rand::rng());
    authority.issue("localhost", KeyAlgorithm::Ed25519, now, &mut rand::rng()).unwrap()
}

/// A pipe that holds a few blocks.
pub(crate) fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(64 * 1024)
}

pub(crate) fn acceptor(identity: &RelayIdentity) -> RelayAcceptor {
    RelayAcceptor::new(identity, AcceptorSettings::default()).unwrap()
}

pub(crate) fn connector(identity: &RelayIdentity) -> RelayConnector {
    RelayConnector::new(identity.fingerprint(), ConnectorSettings::default()).unwrap()
}

pub(crate) type Both =
    (Result<Connection<ClientSide>, ConnectionError>, Result<Connection<RelaySide>, ConnectionError>);

pub(crate) async fn connect(connector: &RelayConnector, acceptor: &RelayAcceptor) -> Both {
    let (ours, theirs) = pipe();
    tokio::join!(connector.connect(ours), acceptor.accept(theirs))
}

/// A connection of the newest version, from both sides.
pub(crate) async fn connected() -> (Connection<ClientSide>, Connection<RelaySide>) {
    let identity = identity();
    let (client, relay) = connect(&connector(&identity), &acceptor(&identity)).await;
    (client.unwrap(), relay.unwrap())
}
