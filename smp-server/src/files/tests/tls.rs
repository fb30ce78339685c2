//! The same over TLS: the session ID is that of the connection, and the key of the hello is signed by the certificate in TLS.

use smp_transport::tls::{TlsClient, TlsServer};

use super::*;

/// A client over TLS, without a handshake inside, and the chain that TLS has seen.
async fn connect_tls(relay: &FileRelay, protocols: &[&[u8]]) -> (Client, CertificateChain) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let time = Surroundings::machine().time;
    let server = TlsServer::speaking(&[b"xftp/1"], relay_identity(), time.clone()).unwrap();
    let relay = relay.clone();
    tokio::spawn(async move {
        let tls = server.accept(theirs).await.unwrap();
        relay.serve_tls(tls).await
    });
    let client = TlsClient::new(relay_identity().fingerprint(), None, time).unwrap().speaking(protocols);
    let tls = client.connect(ours).await.unwrap();
    let chain = CertificateChain::new(tls.peer_chain().iter().map(|der| der.to_vec()).collect()).unwrap();
    let id = SessionId::new(tls.session_id()).unwrap();
    (Client::over(tls.into_stream(), id).await, chain)
}

#[tokio::test]
async fn a_chunk_goes_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let (mut client, chain) = connect_tls(&relay, &[b"xftp/1"]).await;
    client.agree(&identity().fingerprint, &chain).await;
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    // The second recipient agrees on a secret with the key of this session.
    let (mut other, chain) = connect_tls(&relay, &[b"xftp/1"]).await;
    other.agree(&identity().fingerprint, &chain).await;
    assert_ne!(client.session.id, other.session.id);
    assert_eq!(other.get(&recipient_ids[1], &chunk.recipients[1]).await, Ok(chunk.content));
    // A command of one session is nothing in another one.
    let stolen = client.block(&XftpCommand::Delete, &sender_id, Some(&chunk.sender));
    let answer = other.request(&[&stolen]).await;
    assert_eq!(read_response(&answer, &other.session).response, Ok(error(XftpError::Session)));
}

#[tokio::test]
async fn old_clients_agree_on_nothing_by_alpn() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let (mut client, _) = connect_tls(&relay, &[]).await;
    let (pong, _) = client.send(XftpCommand::Ping, &EntityId::empty(), None, &[]).await;
    assert_eq!(pong, XftpResponse::Pong);
}
