//! Ways to relays: through other relays, through a SOCKS proxy, and when there is none for a while.

use crate::harness::{Peer, TestRelay, connect, exchange, soon};
use crate::socks::{socket, socks_proxy};
use smp_agent::{
    Event, LocalRelays, MessageRouting, OnionHosts, RelayAddress, RelayEntry, RelayState, RoutingFallback,
    SocksSettings,
};
use smp_protocol::encoding::NonEmpty;
use smp_transport::surroundings::{Time, TimeSource};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(300);

fn name(relay: &TestRelay) -> String {
    relay.address().without_password().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_through_a_relay_of_ones_own() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let routed = |config: &mut smp_agent::AgentConfig| config.network.routing = MessageRouting::Unknown;
    let mut alice = Peer::open_with(&[&one], routed).await;
    let mut bob = Peer::open_with(&[&other], routed).await;
    let connections = connect(&mut alice, &mut bob).await;
    exchange(&mut alice, &mut bob, connections).await;
    // Neither has had a session with the other's relay.
    assert_eq!(alice.agent.relays().borrow().keys().collect::<Vec<_>>(), [&name(&one)]);
    assert_eq!(bob.agent.relays().borrow().keys().collect::<Vec<_>>(), [&name(&other)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_no_relay_forwards_wait_or_go_directly() {
    let one = TestRelay::start_with(|config| config.proxy.enabled = false).await;
    let other = TestRelay::start().await;
    let mut bob = Peer::open(&[&other]).await;
    for fallback in [RoutingFallback::Direct, RoutingFallback::Wait] {
        let mut alice = Peer::open_with(&[&one], |config| {
            config.network.routing = MessageRouting::Always;
            config.network.fallback = fallback;
        })
        .await;
        if fallback == RoutingFallback::Direct {
            let connections = connect(&mut alice, &mut bob).await;
            exchange(&mut alice, &mut bob, connections).await;
            continue;
        }
        // The last request at bob's relay shows that nothing was sent before.
        let (_, link) = bob.agent.create_invitation().await.unwrap();
        alice.agent.join(&link.to_string(), b"alice").await.unwrap();
        let mut alice = alice.crash().await;
        alice.until(|event| matches!(event, Event::RelayUp { .. })).await;
        assert!(!alice.agent.relays().borrow().contains_key(&name(&other)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn onion_hosts_and_names_are_left_to_the_socks_proxy() {
    let relay = TestRelay::start().await;
    let (proxy, seen) = socks_proxy(socket(&relay)).await;
    let hosts = ["relay.invalid", "abcdefabcdef.onion"].map(|host| host.parse().unwrap());
    let hosts = NonEmpty::new(hosts.to_vec()).unwrap();
    let address = RelayAddress { hosts, ..relay.address() };
    for (onion, expected) in [
        (OnionHosts::AsListed, "relay.invalid"),
        (OnionHosts::Preferred, "abcdefabcdef.onion"),
        (OnionHosts::Required, "abcdefabcdef.onion"),
    ] {
        let alice = Peer::open_with(&[], |config| {
            config.relays = vec![RelayEntry::new(address.clone())];
            config.network.socks = Some(SocksSettings::new(proxy.clone()));
            config.network.onion = onion;
        })
        .await;
        alice.agent.create_invitation().await.unwrap();
        alice.agent.shutdown().await;
        let seen: HashSet<_> = seen.lock().unwrap().drain().map(|(_, host)| host).collect();
        assert_eq!(seen, HashSet::from([expected.to_owned()]), "{onion:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_without_an_onion_host_is_not_reached_where_one_is_required() {
    let relay = TestRelay::start().await;
    let (proxy, seen) = socks_proxy(socket(&relay)).await;
    let alice = Peer::open_with(&[&relay], |config| {
        config.network.socks = Some(SocksSettings::new(proxy.clone()));
        config.network.onion = OnionHosts::Required;
    })
    .await;
    let error = alice.agent.create_invitation().await.unwrap_err();
    assert!(error.to_string().contains("no onion host"), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_through_the_socks_proxy_has_a_user_of_its_own() {
    let relay = TestRelay::start().await;
    let (proxy, seen) = socks_proxy(socket(&relay)).await;
    let through = |config: &mut smp_agent::AgentConfig| {
        config.network.socks = Some(SocksSettings::new(proxy.clone()));
    };
    let mut alice = Peer::open_with(&[&relay], through).await;
    let mut bob = Peer::open_with(&[&relay], through).await;
    let connections = connect(&mut alice, &mut bob).await;
    exchange(&mut alice, &mut bob, connections).await;
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(seen.iter().all(|(user, host)| user.len() >= 32 && host == "127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_agent_receives_when_it_is_asked_to() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    let mut states = bob.agent.relays();
    bob.agent.pause();
    soon("pause", states.wait_for(|states| states.values().all(|state| *state == RelayState::Paused)))
        .await
        .unwrap();
    for text in [&b"first"[..], b"second"] {
        let mut sent = alice.agent.connection(a).send(text).await.unwrap();
        sent.outcome().await.unwrap();
    }
    bob.agent.connection(b).send(b"waits").await.unwrap();
    let agent = bob.agent.clone();
    tokio::select! {
        texts = bob.texts(2) => assert_eq!(texts, ["first", "second"]),
        _ = agent.receive_for(LONG) => panic!("too late"),
    }
    soon("end", states.wait_for(|states| states.values().all(|state| *state == RelayState::Paused)))
        .await
        .unwrap();
    agent.resume();
    assert_eq!(alice.texts(1).await, ["waits"]);
    // Another network: the session is made anew, and nothing is lost.
    soon("up", states.wait_for(|states| states.values().all(|state| *state == RelayState::Up)))
        .await
        .unwrap();
    agent.network_changed();
    exchange(&mut alice, &mut bob, (a, b)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_may_not_lead_into_the_local_network_where_that_is_not_wanted() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let own_only = |config: &mut smp_agent::AgentConfig| config.network.local = LocalRelays::Own;
    let mut alice = Peer::open_with(&[&one], own_only).await;
    let mut bob = Peer::open_with(&[&one], own_only).await;
    // Relays of one's own are reached wherever they are.
    let connections = connect(&mut alice, &mut bob).await;
    exchange(&mut alice, &mut bob, connections).await;
    let stranger = Peer::open(&[&other]).await;
    let (_, link) = stranger.agent.create_invitation().await.unwrap();
    alice.agent.join(&link.to_string(), b"alice").await.unwrap();
    let told = alice.until(|event| matches!(event, Event::RelayDown { .. })).await;
    let Event::RelayDown { relay, error } = told else { unreachable!() };
    assert!(relay == name(&other) && error.to_string().contains("may be connected to"), "{error}");
}

/// A clock whose wall can jump, as that of a machine which slept.
#[derive(Clone, Default)]
struct Jumping(Arc<AtomicU64>);

impl TimeSource for Jumping {
    fn wall(&self) -> Duration {
        Time::machine().wall() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> tokio::time::Instant {
        Time::machine().monotonic()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_made_anew_after_sleep() {
    let relay = TestRelay::start().await;
    let (dir, clock) = (tempfile::tempdir().unwrap(), Jumping::default());
    let builder = smp_agent::Agent::builder(dir.path()).relays([relay.address()]);
    let (agent, _events) = builder.time(Time::new(clock.clone())).open().await.unwrap();
    agent.create_invitation().await.unwrap();
    let mut states = agent.relays();
    let up = |states: &smp_agent::RelayStates| states.values().all(|state| *state == RelayState::Up);
    soon("up", states.wait_for(up)).await.unwrap();
    clock.0.store(60 * 60, Ordering::Relaxed);
    soon("another session", states.wait_for(|states| !up(states))).await.unwrap();
    soon("up again", states.wait_for(up)).await.unwrap();
}
