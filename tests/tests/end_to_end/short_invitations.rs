//! Short links that one agent makes and another one joins.

use crate::harness::{Peer, TestRelay, finish};
use crate::talk;
use smp_agent::{
    AgentError, ConnectionError, ConnectionStatus, Event, Invitation, LinkError, ShortLink, ShortLinkScheme,
};
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey};
use smp_protocol::command::Command;
use smp_protocol::link::{UserLinkData, open_link_data};
use smp_protocol::message::BrokerMessage;
use smp_transport::client::{ClientConfig, RelayClient};

const SHOWN: &[u8] = br#"{"profile":{"displayName":"alice","fullName":""},"business":false}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_invitations_of_both_schemes_connect() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    for scheme in [ShortLinkScheme::Simplex, ShortLinkScheme::Https] {
        let (mut alice, mut bob) = (Peer::open(&[&one]).await, Peer::open(&[&other]).await);
        let (a, Invitation { short, .. }) = alice.agent.create_short_invitation(SHOWN).await.unwrap();
        let link = short.unwrap().to_uri(scheme);
        assert!(link.len() < 250, "{link}");
        let b = bob.agent.join(&link, b"bob").await.unwrap();
        finish(&mut alice, &mut bob).await;
        talk(&mut alice, &mut bob, (a, b)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_link_of_a_short_invitation_connects_and_uses_up_both() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let mut mallory = Peer::open(&[&relay]).await;
    let (a, Invitation { full, short }) = alice.agent.create_short_invitation(SHOWN).await.unwrap();
    assert!(full.to_string().len() < 1000, "no post-quantum key");
    let b = bob.agent.join(&full.to_string(), b"bob").await.unwrap();
    finish(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, (a, b)).await;
    for link in [full.to_string(), short.unwrap().to_string()] {
        let connection = mallory.agent.join(&link, b"mallory").await.unwrap();
        let error = ConnectionError::InvitationUsed;
        assert_eq!(mallory.next().await, Event::ConnectionFailed { connection, error });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_invitation_is_kept_until_somebody_joins() {
    let mut relay = TestRelay::start().await;
    let (alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, invitation) = alice.agent.create_short_invitation(b"").await.unwrap();
    let mut alice = alice.crash().await;
    relay.restart().await;
    let summary = alice.agent.connections().await.unwrap().remove(0);
    assert_eq!(summary.invitation.as_ref(), Some(&invitation.full));
    assert_eq!(summary.short_invitation, invitation.short);
    let link = invitation.short.unwrap().to_string();
    let own = alice.agent.join(&link, b"alice").await.unwrap_err();
    assert!(matches!(own, AgentError::Link(LinkError::Own)), "{own}");
    bob.agent.join(&link, b"bob").await.unwrap();
    finish(&mut alice, &mut bob).await;
    let summary = alice.agent.connections().await.unwrap().remove(0);
    assert_eq!((summary.id, summary.status), (a, ConnectionStatus::Connected));
    assert_eq!((summary.invitation, summary.short_invitation), (None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_a_short_invitation_sees_what_is_shown() {
    let relay = TestRelay::start().await;
    let alice = Peer::open(&[&relay]).await;
    let (_, invitation) = alice.agent.create_short_invitation(SHOWN).await.unwrap();
    let Some(ShortLink::Invitation(link)) = invitation.short else { panic!() };
    let (client, _events) = RelayClient::connect(&relay.address(), ClientConfig::default()).await.unwrap();
    let key: PrivateAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).into();
    let fetch = || Command::SecureAndGetLink(key.public_key().into());
    for _ in 0..2 {
        let BrokerMessage::Link(sender_id, data) =
            client.send(Some(&key), &link.link_id, fetch()).await.unwrap()
        else {
            panic!()
        };
        let opened = open_link_data(&link.link_key, &link.link_key.invitation_key(), &data).unwrap();
        assert!(opened.is_at(&link.relay, &sender_id));
        let UserLinkData::Invitation { user_data, .. } = opened.user else { panic!() };
        assert_eq!(user_data.as_bytes(), SHOWN);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_without_short_links_give_full_ones() {
    for version in [6, 14] {
        let relay = TestRelay::start_with(|config| config.server.max_version = version).await;
        let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
        let (a, invitation) = alice.agent.create_short_invitation(SHOWN).await.unwrap();
        assert_eq!(invitation.short, None);
        let b = bob.agent.join(&invitation.full.to_string(), b"bob").await.unwrap();
        finish(&mut alice, &mut bob).await;
        talk(&mut alice, &mut bob, (a, b)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_has_a_limit() {
    let relay = TestRelay::start().await;
    let alice = Peer::open(&[&relay]).await;
    let limit = match alice.agent.create_short_invitation(&[b' '; 20_000]).await.unwrap_err() {
        AgentError::TooLarge { limit, .. } => limit,
        error => panic!("{error}"),
    };
    assert!(alice.agent.connections().await.unwrap().is_empty());
    let (_, invitation) = alice.agent.create_short_invitation(&vec![b' '; limit]).await.unwrap();
    assert!(invitation.short.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_short_invitation_has_expired() {
    let relay = TestRelay::start().await;
    let (alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, invitation) = alice.agent.create_short_invitation(b"").await.unwrap();
    alice.agent.connection(a).delete().await.unwrap();
    // As soon as the relay knows it.
    let link = invitation.short.unwrap().to_string();
    let error = loop {
        let b = bob.agent.join(&link, b"bob").await.unwrap();
        match bob.next_of(b).await {
            Some(Event::ConnectionFailed { error, .. }) => break error,
            _ => bob.agent.connection(b).delete().await.unwrap(),
        }
    };
    assert_eq!(error, ConnectionError::InvitationUsed);
}
