//! Connections that a program forwards, with the address of the client before everything else.

use std::net::SocketAddr;

use proxy_header::{ProxiedAddress, ProxyHeader};
use smp_protocol::{command::Command, id::EntityId, message::BrokerMessage};
use smp_server::control::Refused;
use smp_transport::client::{ClientConfig, ClientError, RelayClient};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{Client, TestRelay, relay_with};

async fn forwarding(networks: &[&str]) -> TestRelay {
    relay_with(|config| {
        config.server.proxy_protocol = networks.iter().map(|network| network.parse().unwrap()).collect();
        config.limits.max_connections_per_address = 1;
    })
    .await
}

/// A connection that begins with these bytes.
async fn connect(relay: &TestRelay, header: &[u8]) -> Result<Client, ClientError> {
    let mut stream = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    stream.write_all(header).await.unwrap();
    let fingerprint = relay.running.address().fingerprint;
    let (relay, events) = RelayClient::connect_over(stream, fingerprint, ClientConfig::default()).await?;
    Ok(Client { relay, events })
}

fn header(client: &str, version: u8) -> Vec<u8> {
    let client: SocketAddr = client.parse().unwrap();
    let to = if client.is_ipv4() { "192.0.2.1:5223" } else { "[2001:db8::1]:5223" };
    let header = ProxyHeader::with_address(ProxiedAddress::stream(client, to.parse().unwrap()));
    let mut bytes = Vec::new();
    match version {
        1 => header.encode_v1(&mut bytes).unwrap(),
        _ => header.encode_v2(&mut bytes).unwrap(),
    }
    bytes
}

#[tokio::test]
async fn clients_count_by_the_address_that_the_forwarder_names() {
    let relay = forwarding(&["127.0.0.0/8"]).await;
    let mut clients = Vec::new();
    for (client, version) in
        [("198.51.100.1:1", 1), ("198.51.100.2:1", 2), ("[2001:db8:1::1]:1", 1), ("[2001:db8:2::1]:1", 2)]
    {
        let connected = connect(&relay, &header(client, version)).await.unwrap();
        connected.queue().await;
        clients.push(connected);
        assert!(connect(&relay, &header(client, 3 - version)).await.is_err(), "{client} has its place");
    }
    // The forwarder itself, to see whether the relay is there.
    for local in [b"PROXY UNKNOWN\r\n".as_slice(), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let forwarder = connect(&relay, local).await.unwrap();
        let pong = forwarder.ask(None, EntityId::empty(), Command::Ping).await.unwrap();
        assert_eq!(pong, BrokerMessage::Pong);
    }
}

#[tokio::test]
async fn the_header_is_demanded_of_forwarders_and_refused_from_others() {
    let relay = forwarding(&["127.0.0.1"]).await;
    assert!(connect(&relay, b"").await.is_err(), "without header");
    let refused: Vec<Refused> = relay.running.refused();
    assert_eq!(refused[0].setting, "server.proxy_protocol");
    connect(&relay, &header("198.51.100.1:1", 2)).await.unwrap();

    let relay = forwarding(&["192.0.2.0/24"]).await;
    assert!(connect(&relay, &header("198.51.100.1:1", 2)).await.is_err());
    connect(&relay, b"").await.unwrap();
    assert_eq!(relay.running.refused(), []);
}
