//! A conversation over two onion relays, through a Tor network of its own on loopback.

use crate::harness::{Peer, TestRelay, connect};
use crate::socks::socket;
use crate::talk;
use crate::tor_network::TorNetwork;
use smp_agent::{AgentConfig, OnionHosts, RelayAddress, RelayEntry, SocksSettings};
use smp_protocol::encoding::NonEmpty;
use std::time::Duration;

/// Until a relay answers by its onion host: the network has to agree on itself, and to hear of the service.
const ANNOUNCED: Duration = Duration::from_secs(180);

/// The relay by its onion host only.
fn onion(relay: &TestRelay, host: &str) -> RelayAddress {
    let hosts = NonEmpty::new(vec![host.parse().unwrap()]).unwrap();
    RelayAddress { hosts, port: None, ..relay.address() }
}

async fn peer(relay: RelayAddress, proxy: &str) -> Peer {
    let peer = Peer::open_with(&[], |config: &mut AgentConfig| {
        config.relays = vec![RelayEntry::new(relay)];
        config.network.socks = Some(SocksSettings::new(proxy));
        config.network.onion = OnionHosts::Required;
        // Circuits through six relays are slow to build.
        config.timeouts.connect = Duration::from_secs(30);
        config.timeouts.command = Duration::from_secs(30);
    })
    .await;
    let announced = async {
        while peer.agent.create_invitation().await.is_err() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(ANNOUNCED, announced).await.expect("the onion relay does not answer");
    peer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_talk_over_onion_relays() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let services = [socket(&one), socket(&other)];
    let Some(tor) = TorNetwork::start(&services).await else { return };
    let [first, second] = tor.onion_hosts().await;
    let mut alice = peer(onion(&one, &first), tor.proxy()).await;
    let mut bob = peer(onion(&other, &second), tor.proxy()).await;
    let connections = connect(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, connections).await;
    let known: Vec<_> = alice.agent.relays().borrow().keys().cloned().collect();
    assert!(known.len() == 2 && known.iter().all(|name| name.contains(".onion")), "{known:?}");
}
