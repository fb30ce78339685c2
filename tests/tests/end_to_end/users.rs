//! Several users of one agent, and sessions for each connection: what relays and proxies see of them.

use crate::harness::{Peer, TestRelay, connect, exchange, finish, soon};
use crate::socks::{Seen, socket, socks_proxy};
use smp_agent::{
    AgentError, ConnectionId, ConnectionStatus, Event, MessageRouting, RelayEntry, RelayState, Secret,
    SessionMode, SocksSettings, UserId, restore_archive,
};
use std::collections::HashSet;

/// Connects a user of alice's agent with bob.
async fn connect_user(alice: &mut Peer, user: UserId, bob: &mut Peer) -> (ConnectionId, ConnectionId) {
    let (a, link) = alice.agent.user(user).create_invitation().await.unwrap();
    let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    finish(alice, bob).await;
    (a, b)
}

/// The names of the streams that a proxy has seen so far.
fn streams(seen: &Seen) -> HashSet<Vec<u8>> {
    seen.lock().unwrap().iter().map(|(user, _)| user.clone()).collect()
}

async fn all_up(peer: &Peer) {
    let mut states = peer.agent.relays();
    let up = |state: &RelayState| matches!(state, RelayState::Up | RelayState::Unused);
    soon("sessions", states.wait_for(|states| states.values().all(up))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_share_no_session_and_keep_their_circuits() {
    let relay = TestRelay::start().await;
    let (proxy, seen) = socks_proxy(socket(&relay)).await;
    let mut alice =
        Peer::open_with(&[&relay], |config| config.network.socks = Some(SocksSettings::new(proxy))).await;
    let mut bob = Peer::open(&[&relay]).await;
    let first = connect(&mut alice, &mut bob).await;
    let second_of_first = connect(&mut alice, &mut bob).await;
    assert_eq!(streams(&seen).len(), 1);
    let user = alice.agent.create_user(None).await.unwrap();
    let second = connect_user(&mut alice, user, &mut bob).await;
    assert_eq!(streams(&seen).len(), 2);
    // Sessions that are made anew go over the circuits that are there.
    alice.agent.network_changed();
    for connections in [first, second_of_first, second] {
        exchange(&mut alice, &mut bob, connections).await;
    }
    all_up(&alice).await;
    assert_eq!(streams(&seen).len(), 2);
    let of = |summaries: Vec<smp_agent::ConnectionSummary>| -> Vec<_> {
        summaries.into_iter().map(|connection| (connection.id, connection.user)).collect()
    };
    let (ours, theirs) = (alice.agent.user(UserId::DEFAULT), alice.agent.user(user));
    assert_eq!(of(theirs.connections().await.unwrap()), [(second.0, user)]);
    assert_eq!(
        of(ours.connections().await.unwrap()),
        [(first.0, UserId::DEFAULT), (second_of_first.0, UserId::DEFAULT)]
    );
    assert_eq!(alice.agent.connections().await.unwrap().len(), 3);
    // They would keep the agent going.
    drop((ours, theirs));
    // Over a restart it is the same, with other circuits.
    let mut alice = alice.crash().await;
    for connections in [first, second] {
        exchange(&mut alice, &mut bob, connections).await;
    }
    assert_eq!(streams(&seen).len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_connection_has_sessions_of_its_own_on_request() {
    let relay = TestRelay::start().await;
    let (proxy, seen) = socks_proxy(socket(&relay)).await;
    let mut alice = Peer::open_with(&[&relay], |config| {
        config.network.socks = Some(SocksSettings::new(proxy));
        config.network.sessions = SessionMode::Connection;
    })
    .await;
    let mut bob = Peer::open(&[&relay]).await;
    let first = connect(&mut alice, &mut bob).await;
    let second = connect(&mut alice, &mut bob).await;
    for connections in [first, second] {
        exchange(&mut alice, &mut bob, connections).await;
    }
    assert_eq!(streams(&seen).len(), 2);
    let mut alice = alice.crash().await;
    for connections in [first, second] {
        exchange(&mut alice, &mut bob, connections).await;
    }
    assert_eq!(streams(&seen).len(), 4);
    // The sessions of a connection end with it, once its queue is deleted.
    let mut states = alice.agent.relays();
    alice.agent.connection(first.0).delete().await.unwrap();
    exchange(&mut alice, &mut bob, second).await;
    alice.agent.connection(second.0).delete().await.unwrap();
    soon("end of the sessions", states.wait_for(|states| states.is_empty())).await.unwrap();
    for b in [first.1, second.1] {
        bob.agent.connection(b).send(b"too late").await.unwrap();
        bob.until(|event| *event == Event::QueueRefused { connection: b }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_two_users_go_through_a_relay_in_two_sessions() {
    let (proxying, relay) = (TestRelay::start().await, TestRelay::start().await);
    let (proxy, seen) = socks_proxy(socket(&proxying)).await;
    let mut alice = Peer::open_with(&[&proxying], |config| {
        config.network.socks = Some(SocksSettings::new(proxy));
        config.network.routing = MessageRouting::Always;
    })
    .await;
    let mut bob = Peer::open(&[&relay]).await;
    let user = alice.agent.create_user(None).await.unwrap();
    let first = connect(&mut alice, &mut bob).await;
    let second = connect_user(&mut alice, user, &mut bob).await;
    for connections in [first, second] {
        exchange(&mut alice, &mut bob, connections).await;
    }
    // The only relay that was connected to, in one session of each user.
    assert_eq!(alice.agent.relays().borrow().len(), 1);
    assert_eq!(streams(&seen).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_have_relays_of_their_own_and_may_talk_with_each_other() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let mut peer = Peer::open(&[&one]).await;
    let own = vec![RelayEntry::new(other.address()).operator("other")];
    let user = peer.agent.create_user(Some(own.clone())).await.unwrap();
    let (a, link) = peer.agent.create_invitation().await.unwrap();
    let error = peer.agent.join(&link.to_string(), b"me").await.unwrap_err();
    assert!(matches!(error, AgentError::Link(_)), "{error}");
    let b = peer.agent.user(user).join(&link.to_string(), b"me").await.unwrap();
    let confirmed = peer.until(|event| matches!(event, Event::Confirmation { .. })).await;
    assert_eq!(confirmed.connection(), Some(a));
    peer.agent.connection(a).accept(b"other me").await.unwrap();
    let mut connected = HashSet::new();
    while connected.len() < 2 {
        let event = peer.until(|event| matches!(event, Event::Connected { .. })).await;
        connected.extend(event.connection());
    }
    peer.agent.connection(b).send(b"to myself").await.unwrap();
    assert_eq!(peer.texts(1).await, ["to myself"]);
    let expected = [&one, &other].map(|relay| relay.address().without_password().to_string());
    assert_eq!(peer.agent.relays().borrow().keys().cloned().collect::<HashSet<_>>(), HashSet::from(expected));

    // All of it is in an archive, and in what is made of one.
    let dir = tempfile::tempdir().unwrap();
    let (archive, secret) = (dir.path().join("archive"), Secret::passphrase("only for this test"));
    peer.agent.export(&archive, std::slice::from_ref(&secret)).await.unwrap();
    let restored = dir.path().join("restored");
    restore_archive(&archive, &secret, &restored).unwrap();
    peer.agent.shutdown().await;
    let (agent, _events) = smp_agent::Agent::builder(&restored).relays([one.address()]).open().await.unwrap();
    let users = agent.users();
    assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), [UserId::DEFAULT, user]);
    assert_eq!((&users[0].relays, &users[1].relays), (&None, &Some(own)));
    for (id, of) in [(a, UserId::DEFAULT), (b, user)] {
        assert_eq!(agent.connection(id).summary().await.unwrap().unwrap().user, of);
    }
    agent.user(user).set_relays(None).await.unwrap();
    assert_eq!(agent.users()[1].relays, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_is_gone_with_its_connections_and_sessions() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Peer::open(&[&one]).await;
    let mut bob = Peer::open(&[&one]).await;
    let own = vec![RelayEntry::new(other.address())];
    let user = alice.agent.create_user(Some(own)).await.unwrap();
    let kept = connect(&mut alice, &mut bob).await;
    let (gone, to_gone) = connect_user(&mut alice, user, &mut bob).await;
    let (address, _) = alice.agent.user(user).create_address(b"", None).await.unwrap();
    let mut states = alice.agent.relays();
    alice.agent.user(user).delete().await.unwrap();
    assert_eq!(alice.agent.users().len(), 1);
    for id in [gone, address] {
        let summary = alice.agent.connection(id).summary().await;
        assert!(matches!(summary, Err(AgentError::UnknownConnection(_))));
    }
    let handle = alice.agent.user(user);
    let errors = [
        handle.create_invitation().await.map(drop),
        handle.connections().await.map(drop),
        handle.delete().await,
    ];
    assert!(errors.iter().all(|error| matches!(error, Err(AgentError::UnknownUser(id)) if *id == user)));
    drop(handle);
    let first = alice.agent.user(UserId::DEFAULT).delete().await;
    assert!(matches!(first, Err(AgentError::DefaultUser)));
    // Its queues are deleted at their relay, and then its sessions end.
    let name = other.address().without_password().to_string();
    soon("end of the session", states.wait_for(|states| !states.contains_key(&name))).await.unwrap();
    bob.agent.connection(to_gone).send(b"too late").await.unwrap();
    bob.until(|event| *event == Event::QueueRefused { connection: to_gone }).await;
    exchange(&mut alice, &mut bob, kept).await;
    let alice = alice.crash().await;
    assert_eq!(alice.agent.users().len(), 1);
    // Its number is not given again.
    assert!(alice.agent.create_user(None).await.unwrap() > user);
    let kept = alice.agent.connection(kept.0).summary().await.unwrap().unwrap();
    assert_eq!((kept.status, kept.user), (ConnectionStatus::Connected, UserId::DEFAULT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_a_link_is_in_a_session_that_ends_with_it() {
    let relay = TestRelay::start().await;
    let alice = Peer::open_with(&[&relay], |config| config.network.sessions = SessionMode::Connection).await;
    let bob = Peer::open(&[&relay]).await;
    let (_, link) = bob.agent.create_address(b"bob's page", None).await.unwrap();
    let mut states = alice.agent.relays();
    let short = link.short.unwrap().to_string();
    let preview = alice.agent.look_at_link(&short).await.unwrap();
    assert_eq!(preview.shown.as_deref(), Some(&b"bob's page"[..]));
    soon("end of the session", states.wait_for(|states| states.is_empty())).await.unwrap();
}
