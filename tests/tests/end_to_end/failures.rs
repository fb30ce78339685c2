//! Failures: each is said clearly, and loses nothing.

use crate::harness::{Peer, TestRelay, config, connect, finish, numbers, soon};
use smp_agent::{
    Agent, AgentError, ConnectionError, ConnectionStatus, Event, LinkError, RelayError, SendError,
    SubscriptionError, Trouble,
};
use smp_protocol::address::Password;
use smp_server::config::StoreKind;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invitation_works_once() {
    only_one_can_join(&TestRelay::start().await).await;
    only_one_can_join(&TestRelay::start_old().await).await;
}

async fn only_one_can_join(relay: &TestRelay) {
    let (mut alice, mut bob) = (Peer::open(&[relay]).await, Peer::open(&[relay]).await);
    let mut mallory = Peer::open(&[relay]).await;
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    finish(&mut alice, &mut bob).await;
    let joined = mallory.agent.join(&link.to_string(), b"mallory").await.unwrap();
    let expected = Event::ConnectionFailed { connection: joined, error: ConnectionError::InvitationUsed };
    assert_eq!(mallory.next().await, expected);
    assert_eq!(mallory.agent.connections().await.unwrap()[0].status, ConnectionStatus::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invitation_whose_queue_others_have_filled_is_used() {
    let relay = TestRelay::start_with(|config| {
        config.server.max_version = 6;
        config.queues.quota = 1;
    })
    .await;
    let alice = Peer::open(&[&relay]).await;
    let (mut bob, mut carol) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    alice.stop().await;
    // The first confirmation waits for Alice, and there is no space for another one.
    let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    let c = carol.agent.join(&link.to_string(), b"carol").await.unwrap();
    let (event, connection) = tokio::select! {
        event = bob.next() => (event, b),
        event = carol.next() => (event, c),
    };
    assert_eq!(event, Event::ConnectionFailed { connection, error: ConnectionError::InvitationUsed });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_invitation_has_expired() {
    let relay = TestRelay::start().await;
    let (alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, link) = alice.agent.create_invitation().await.unwrap();
    // The relay learns it, though the agent crashes at once.
    alice.agent.connection(a).delete().await.unwrap();
    let alice = alice.crash().await;
    assert!(alice.agent.connections().await.unwrap().is_empty());
    // Joined only after the relay has deleted the queue: until then the invitation works.
    let error = loop {
        let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
        match bob.next_of(b).await {
            Some(Event::ConnectionFailed { error, .. }) => break error,
            _ => bob.agent.connection(b).delete().await.unwrap(),
        }
    };
    assert_eq!(error, ConnectionError::InvitationUsed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_deleted_connection_are_refused() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open_with(&[&relay], |config| config.timeouts.refused = Duration::ZERO).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    bob.agent.connection(b).delete().await.unwrap();
    assert!(matches!(bob.agent.connection(b).send(b"x").await, Err(AgentError::UnknownConnection(_))));
    loop {
        let id = alice.agent.connection(a).send(b"anybody there?").await.unwrap().id();
        match alice.next().await {
            Event::Sent { .. } => {}
            event => {
                assert_eq!(event, Event::QueueRefused { connection: a });
                let failed = Event::SendFailed { connection: a, id, error: SendError::QueueGone };
                assert_eq!(alice.next().await, failed);
                break;
            }
        }
    }
}

/// The relay may have lost its disk and get a backup: one refusal is no reason to throw away what waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_refused_wait_until_the_application_ends_it() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    bob.agent.connection(b).delete().await.unwrap();
    let mut ids = Vec::new();
    loop {
        ids.push(alice.agent.connection(a).send(b"anybody there?").await.unwrap());
        match alice.next().await {
            Event::Sent { .. } => ids.clear(),
            event => {
                assert_eq!(event, Event::QueueRefused { connection: a });
                break;
            }
        }
    }
    ids.push(alice.agent.connection(a).send(b"still not?").await.unwrap());
    // Not an event for each, and not given up by a restart either.
    let mut alice = alice.crash().await;
    let summary = alice.agent.connections().await.unwrap().remove(0);
    assert!(summary.troubles.iter().any(|trouble| matches!(trouble, Trouble::Refused { .. })));
    assert_eq!(summary.waiting as usize, ids.len());
    alice.agent.connection(a).give_up().await.unwrap();
    for id in ids {
        assert_eq!(
            alice.next().await,
            Event::SendFailed { connection: a, id: id.id(), error: SendError::GivenUp }
        );
    }
    assert_eq!(alice.agent.connections().await.unwrap().remove(0).waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_links_are_refused() {
    let relay = TestRelay::start().await;
    let alice = Peer::open(&[&relay]).await;
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    let link = link.to_string();
    let join = async |link: &str| alice.agent.join(link, b"x").await.unwrap_err();
    assert!(matches!(join(&link).await, AgentError::Link(LinkError::Own)));
    assert!(matches!(join(&link[..link.len() - 20]).await, AgentError::Link(LinkError::Damaged(_))));
    assert!(matches!(join("https://example.com").await, AgentError::Link(LinkError::Damaged(_))));
    assert_eq!(alice.agent.connections().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_relay_and_wrong_fingerprint_are_told() {
    let mut relay = TestRelay::start().await;
    let mut alice = Peer::open_with(&[&relay], |config| config.relays[0].address.fingerprint[0] ^= 1).await;
    match alice.agent.create_invitation().await.unwrap_err() {
        AgentError::Relay { error, .. } => assert_eq!(error, RelayError::Fingerprint),
        error => panic!("{error}"),
    }
    assert!(matches!(alice.next_any(true).await, Event::RelayDown { error: RelayError::Fingerprint, .. }));
    let bob = Peer::open(&[&relay]).await;
    relay.kill().await;
    match bob.agent.create_invitation().await.unwrap_err() {
        AgentError::Relay { error, .. } => assert!(matches!(error, RelayError::Unreachable(_)), "{error}"),
        error => panic!("{error}"),
    }
    assert!(bob.agent.connections().await.unwrap().is_empty());
    relay.restart().await;
    bob.agent.create_invitation().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_is_needed_to_make_queues() {
    let relay = TestRelay::start_with(|config| {
        config.queues.create_password = Some(Password::new("secret").unwrap());
    })
    .await;
    let alice = Peer::open(&[&relay]).await;
    alice.agent.create_invitation().await.unwrap();
    let bob = Peer::open_with(&[&relay], |config| config.relays[0].address.password = None).await;
    match bob.agent.create_invitation().await.unwrap_err() {
        AgentError::Relay { error, .. } => assert_eq!(error, RelayError::NotAllowed),
        error => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_directory_has_one_agent() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    let (agent, _events) = Agent::open(config.clone()).await.unwrap();
    match Agent::open(config.clone()).await.err() {
        Some(error @ AgentError::InUse { .. }) => assert!(error.to_string().contains("in use")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(agent.create_invitation().await, Err(AgentError::NoRelay)));
    #[cfg(unix)]
    for file in std::fs::read_dir(dir.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    agent.shutdown().await;
    assert!(matches!(agent.create_invitation().await, Err(AgentError::NoRelay | AgentError::ShutDown)));
    assert!(matches!(agent.connections().await, Err(AgentError::ShutDown)));
    Agent::open(config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_messages_are_refused_before_they_are_numbered() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, _) = connect(&mut alice, &mut bob).await;
    let limit = match alice.agent.connection(a).send(&[0; 20_000]).await.unwrap_err() {
        AgentError::TooLarge { limit, .. } => limit,
        error => panic!("{error}"),
    };
    for text in numbers(0..2) {
        alice.agent.connection(a).send(text.repeat(limit).as_bytes()).await.unwrap();
        assert_eq!(bob.message().await.1, text.repeat(limit).into_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_lost_its_queues_is_told() {
    let mut relay = TestRelay::start_with(|config| config.store.kind = StoreKind::Memory).await;
    let other = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open_with(&[&other], |config| config.timeouts.refused = Duration::ZERO).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    relay.restart().await;
    let expected = Event::ReceivingStopped { connection: a, error: SubscriptionError::Unknown };
    assert_eq!(alice.next().await, expected);
    // The other direction goes on.
    alice.agent.connection(a).send(b"do you hear me?").await.unwrap();
    assert_eq!(bob.texts(1).await, ["do you hear me?"]);
    let id = bob.agent.connection(b).send(b"yes").await.unwrap().id();
    let failed = bob.until(|event| matches!(event, Event::SendFailed { .. })).await;
    assert_eq!(failed, Event::SendFailed { connection: b, id, error: SendError::QueueGone });
    alice.agent.connection(a).delete().await.unwrap();
    assert!(alice.agent.connections().await.unwrap().is_empty());
}

/// A copy of the data directory is no good idea, but must not make the original deaf for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_that_another_program_took_is_told_and_taken_back() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    let (alice_config, dir) = alice.stop().await;
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let mut copy_config = alice_config.clone();
    copy_config.data_dir = copy.path().to_owned();
    let mut alice = Peer::reopen((alice_config, dir)).await;
    alice.agent.connection(a).send(b"here").await.unwrap();
    assert_eq!(bob.texts(1).await, ["here"]);
    let copy = Peer::reopen((copy_config, copy)).await;
    let taken = alice.until(|event| matches!(event, Event::ReceivingStopped { .. })).await;
    assert_eq!(taken, Event::ReceivingStopped { connection: a, error: SubscriptionError::Taken });
    copy.stop().await;
    bob.agent.connection(b).send(b"who is there?").await.unwrap();
    assert_eq!(alice.texts(1).await, ["who is there?"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joiner_whose_relays_all_refuse_is_told() {
    let open = TestRelay::start().await;
    let closed = || TestRelay::start_with(|config| config.queues.new_queues = false);
    let (one, other) = (closed().await, closed().await);
    let (alice, mut bob) = (Peer::open(&[&open]).await, Peer::open(&[&one, &other]).await);
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    let connection = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    let failed = bob.until(|event| matches!(event, Event::ConnectionFailed { .. })).await;
    let error = ConnectionError::Refused(RelayError::NotAllowed.to_string());
    assert_eq!(failed, Event::ConnectionFailed { connection, error });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_agent_leaves_its_relays_though_its_events_are_held() {
    let relay = TestRelay::start().await;
    for shut_down in [true, false] {
        // The listener that the agent connects to, which ends when the agent does.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut address = relay.address();
        let target = format!("127.0.0.1:{}", address.port_or_default());
        address.port = Some(listener.local_addr().unwrap().port());
        let through = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path(), &[]);
        config.relays.push(address.into());
        let (agent, _events) = Agent::open(config).await.unwrap();
        agent.create_invitation().await.unwrap();
        if shut_down {
            agent.shutdown().await;
        }
        drop(agent);
        soon("end of the connection", through).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_joiner_on_an_old_relay_is_given_up_after_a_time() {
    let relay = TestRelay::start_old().await;
    let (mut alice, bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let mallory = Peer::open_with(&[&relay], |config| config.timeouts.accept = Duration::ZERO).await;
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    alice.until(|event| matches!(event, Event::Confirmation { .. })).await;
    // Alice has not accepted, so the queue is not secured yet and takes Mallory's confirmation too.
    let joined = mallory.agent.join(&link.to_string(), b"mallory").await.unwrap();
    let given_up = async {
        let mut mallory = mallory;
        loop {
            // Old data is looked for when the agent is opened, by the second.
            tokio::time::sleep(Duration::from_millis(500)).await;
            mallory = mallory.crash().await;
            if let Some(Event::ConnectionFailed { connection, error }) = mallory.next_of(joined).await {
                return (connection, error);
            }
        }
    };
    assert_eq!(soon("end of the attempt", given_up).await, (joined, ConnectionError::NotAccepted));
}
