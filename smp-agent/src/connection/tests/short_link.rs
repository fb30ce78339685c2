//! Link data that is fetched by short links, and data that must not be used.

use super::super::{Connection, Effects, JoinLink, LinkFetch, MAX_SHOWN_LENGTH, Phase};
use super::pair::{Pair, config};
use crate::config::AgentConfig;
use crate::error::{ConnectionError, LinkError};
use crate::event::Event;
use smp_crypto::Ed25519PrivateKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{LargeString, NonEmpty, from_bytes, to_bytes};
use smp_protocol::id::{LinkId, SenderId};
use smp_protocol::link::{
    ConnectionLink, FixedLinkData, InvitationShortLink, ShortLink, ShortLinkRelay, ShortLinkScheme, UserData,
    UserLinkData, seal_fixed_data, seal_user_data,
};
use smp_protocol::version::{AgentVersion, VersionRange};

/// A short link for a full one, and what its relay keeps.
fn shorten(full: &str) -> (InvitationShortLink, LinkData<'static>) {
    let rng = &mut rand::rng();
    let Ok(ConnectionLink::Full(request)) = full.parse() else { panic!("not a full link: {full}") };
    let relay = ShortLinkRelay::from(&request.queues().first().address.relay);
    let root = Ed25519PrivateKey::generate(rng);
    let versions = request.versions();
    let fixed = FixedLinkData { versions, root_key: root.public_key(), request, entity_id: None };
    let user = UserLinkData::Invitation { versions, user_data: UserData::default() };
    let link_key = fixed.link_key();
    let key = link_key.invitation_key();
    let data = LinkData {
        fixed: seal_fixed_data(&fixed, &root, &key, rng).unwrap(),
        user: seal_user_data(&user, &root, &key, rng).unwrap(),
    };
    (InvitationShortLink { relay, link_id: LinkId::generate(rng), link_key }, data)
}

/// Alice's invitation: full, short, and as her relay has it.
struct Scene {
    link: InvitationShortLink,
    data: LinkData<'static>,
    sender_id: SenderId,
}

impl Scene {
    fn new() -> Self {
        let pair = Pair::new([config(), config()], [true, true]);
        let alice = &pair.alice.connection;
        let (link, data) = shorten(alice.link.as_ref().unwrap());
        let sender_id = alice.receive.as_ref().unwrap().created.as_ref().unwrap().sender_id.clone();
        Self { link, data, sender_id }
    }

    /// Bob's connection after the relay has answered, and why it failed.
    fn fetched(&self, config: &AgentConfig) -> (Connection, Option<ConnectionError>) {
        let rng = &mut rand::rng();
        let fetch = LinkFetch::new(ShortLink::Invitation(self.link.clone()), &config.relays, rng).unwrap();
        let mut bob = Connection::join_short(fetch, b"bob", &config.relays[0].address, config, rng);
        let mut effects = Effects::default();
        bob.link_fetched(&self.sender_id, &self.data, config, rng, &mut effects).unwrap();
        let error = effects.events.into_iter().next().map(|event| match event {
            Event::ConnectionFailed { error, .. } => error,
            event => panic!("{event:?}"),
        });
        assert_eq!(bob.phase == Phase::Failed, error.is_some());
        assert!(bob.link_fetch.is_none());
        (bob, error)
    }

    fn error(&self, config: &AgentConfig) -> ConnectionError {
        self.fetched(config).1.expect("refused")
    }
}

#[test]
fn queue_is_used_with_the_key_and_at_the_relay_of_the_fetch() {
    let mut scene = Scene::new();
    let config = config();
    // As links that leave out what the reader knows.
    scene.link.relay = ShortLinkRelay::only_host(scene.link.relay.hosts.first().clone());
    let fetch =
        LinkFetch::new(ShortLink::Invitation(scene.link.clone()), &config.relays, &mut rand::rng()).unwrap();
    let stored: LinkFetch = from_bytes(&to_bytes(&fetch)).unwrap();
    assert_eq!((&stored.link, &stored.relay), (&fetch.link, &fetch.relay));
    let key = fetch.sender_key.to_der().to_vec();
    assert_eq!(stored.sender_key.to_der().to_vec(), key);
    let mut bob =
        Connection::join_short(stored, b"bob", &config.relays[0].address, &config, &mut rand::rng());
    let mut effects = Effects::default();
    for _ in 0..2 {
        bob.link_fetched(&scene.sender_id, &scene.data, &config, &mut rand::rng(), &mut effects).unwrap();
        assert_eq!(bob.phase, Phase::Creating);
        let queue = bob.send.as_ref().unwrap();
        assert_eq!(queue.sender_key.to_der().to_vec(), key);
        assert_eq!((&queue.relay, &queue.sender_id), (&config.relays[0].address, &scene.sender_id));
    }
    assert!(effects.events.is_empty());
}

#[test]
fn damaged_or_foreign_data_is_refused() {
    let damage = |part: &LargeString<'static>, at: usize| {
        let mut bytes = part.as_bytes().to_vec();
        bytes[at] ^= 1;
        LargeString::new(bytes).unwrap()
    };
    let scene = Scene::new();
    for at in [0, 30, 2047] {
        let data = LinkData { fixed: damage(&scene.data.fixed, at), ..scene.data.clone() };
        let damaged = Scene { data, link: scene.link.clone(), sender_id: scene.sender_id.clone() };
        assert!(matches!(damaged.error(&config()), ConnectionError::LinkData(_)));
        let data = LinkData { user: damage(&scene.data.user, at), ..scene.data.clone() };
        let damaged = Scene { data, link: scene.link.clone(), sender_id: scene.sender_id.clone() };
        assert!(matches!(damaged.error(&config()), ConnectionError::LinkData(_)));
    }
    let empty = LargeString::new(Vec::new()).unwrap();
    let data = LinkData { fixed: empty.clone(), user: empty };
    let damaged = Scene { data, ..Scene::new() };
    assert!(matches!(damaged.error(&config()), ConnectionError::LinkData(_)));
    let other = Scene { data: Scene::new().data, ..Scene::new() };
    assert!(matches!(other.error(&config()), ConnectionError::LinkData(_)));
}

#[test]
fn data_that_was_made_for_another_queue_is_refused() {
    let expected = ConnectionError::LinkData("it was made for another queue".to_owned());
    let scene = Scene { sender_id: SenderId::generate(&mut rand::rng()), ..Scene::new() };
    assert_eq!(scene.error(&config()), expected);
    let mut scene = Scene::new();
    let elsewhere: RelayAddress =
        "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@elsewhere.example".parse().unwrap();
    scene.link.relay = ShortLinkRelay::from(&elsewhere);
    assert_eq!(scene.error(&config()), expected);
}

#[test]
fn versions_are_agreed_after_the_fetch() {
    let mut newer = config();
    newer.versions.agent = VersionRange::only(AgentVersion(8));
    assert_eq!(Scene::new().error(&newer), ConnectionError::Version);
    let mut older = config();
    older.versions.agent = VersionRange::only(AgentVersion(4));
    let (bob, error) = Scene::new().fetched(&older);
    assert_eq!((bob.agent_version, bob.pq_support, error), (AgentVersion(4), false, None));
}

#[test]
fn short_links_are_read_in_both_schemes_and_need_a_known_relay() {
    let Scene { mut link, .. } = Scene::new();
    let text = |link: &InvitationShortLink, scheme| ShortLink::Invitation(link.clone()).to_uri(scheme);
    for scheme in [ShortLinkScheme::Simplex, ShortLinkScheme::Https] {
        let uri = format!(" {}\n", text(&link, scheme));
        assert!(
            matches!(JoinLink::read(&uri, &config()), Ok(JoinLink::Short(read)) if read == ShortLink::Invitation(link.clone()))
        );
    }
    let uri = text(&link, ShortLinkScheme::Simplex);
    assert!(matches!(JoinLink::read(&uri[..40], &config()), Err(LinkError::Damaged(_))));
    let contact = "simplex:/a#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA?h=relay.example";
    assert!(matches!(JoinLink::read(contact, &config()), Ok(JoinLink::Short(ShortLink::Contact(_)))));
    link.relay = ShortLinkRelay::only_host("unknown.example".parse().unwrap());
    let error = LinkFetch::new(ShortLink::Invitation(link), &config().relays, &mut rand::rng()).err();
    assert_eq!(error, Some(LinkError::UnknownRelay("unknown.example".to_owned())));
}

#[test]
fn offer_holds_the_most_that_fits_and_opens_with_the_link() {
    let config = config();
    let rng = &mut rand::rng();
    let alice = Connection::invite(&config, &config.relays[0].address, true, rng);
    for length in [0, 254, 255, MAX_SHOWN_LENGTH] {
        let shown = UserData::new(vec![b' '; length]).unwrap();
        assert!(alice.offer_short_link(shown, &config, rng).unwrap().is_some(), "{length}");
    }
    let shown = UserData::new(vec![b' '; MAX_SHOWN_LENGTH + 1]).unwrap();
    assert!(alice.offer_short_link(shown, &config, rng).unwrap().is_none());
    let mut hosts = config.clone();
    let host = |number| format!("{number:0>60}.example").parse().unwrap();
    hosts.relays[0].address.hosts = NonEmpty::new((0..20).map(host).collect()).unwrap();
    let alice = Connection::invite(&hosts, &hosts.relays[0].address, true, rng);
    assert!(alice.offer_short_link(UserData::default(), &hosts, rng).unwrap().is_none());
}
