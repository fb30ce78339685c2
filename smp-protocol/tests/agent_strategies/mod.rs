//! Arbitrary values of the agent's, the links' and the chat's types.
//!
//! Only values that can be written are made: an address of version 1 has one host, and its mode is absent.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use smp_crypto::link_kdf::LinkKey;
use smp_crypto::sntrup761::{CIPHERTEXT_SIZE, KemCiphertext, KemPublicKey, PUBLIC_KEY_SIZE};
use smp_crypto::x448::X448PublicKey;
use smp_crypto::{Ed25519PublicKey, PublicAuthKey, X25519PublicKey};
use smp_protocol::address::{Host, RelayAddress};
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, AgentMessageId, AnyKem, MessageHeader, MessageReceipt,
    ProposedKem, QueueAddress, QueueInfo, QueueKey, QueueMode, QueueReady, QueueReplacement, QueueUri,
    RatchetParameters, RatchetParametersUri, SenderQueueAddress,
};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, ContactRequest as ChatContactRequest, MessageContainer, MessageContent,
    MessageReference, Profile, Quote, Reaction, SharedMessageId,
};
use smp_protocol::encoding::{LargeString, List, NonEmpty, ShortString};
use smp_protocol::id::{LinkId, SenderId};
use smp_protocol::link::{
    ConnectionRequest, ContactKind, ContactRequest, ContactShortLink, FixedLinkData, InvitationRequest,
    InvitationShortLink, OwnerAuth, ShortLink, ShortLinkRelay, UserContactData, UserData, UserLinkData,
};
use smp_protocol::version::{AgentVersion, RatchetVersion, SmpClientVersion, VersionRange};

fn bytes() -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..60).prop_map(Cow::Owned)
}

fn short() -> impl Strategy<Value = ShortString<'static>> {
    vec(any::<u8>(), 0..256).prop_map(|bytes| ShortString::new(bytes).unwrap())
}

fn non_empty<T: Clone + std::fmt::Debug>(
    item: impl Strategy<Value = T>,
) -> impl Strategy<Value = NonEmpty<T>> {
    vec(item, 1..4).prop_map(|items| NonEmpty::new(items).unwrap())
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|parts| Host::Ipv4(parts.into())),
        select(vec!["smp.example.com", "abcdefgh234567.onion", "localhost"])
            .prop_map(|name| name.parse().unwrap()),
    ]
}

pub(crate) fn relay() -> impl Strategy<Value = RelayAddress> {
    (any::<[u8; 32]>(), non_empty(host()), option::of(any::<u16>()))
        .prop_map(|(fingerprint, hosts, port)| RelayAddress { fingerprint, hosts, port, password: None })
}

fn x25519() -> impl Strategy<Value = X25519PublicKey> {
    any::<[u8; 32]>().prop_map(X25519PublicKey::from_bytes)
}

fn x448() -> impl Strategy<Value = X448PublicKey> {
    vec(any::<u8>(), 56).prop_map(|bytes| X448PublicKey::from_bytes(bytes.try_into().unwrap()))
}

fn sender_id() -> impl Strategy<Value = SenderId> {
    vec(any::<u8>(), 1..256).prop_map(|bytes| SenderId::new(&bytes).unwrap())
}

fn mode() -> impl Strategy<Value = QueueMode> {
    select(vec![QueueMode::Messaging, QueueMode::Contact])
}

fn queue_address(mode: impl Strategy<Value = Option<QueueMode>>) -> impl Strategy<Value = QueueAddress> {
    (relay(), sender_id(), x25519(), mode).prop_map(|(relay, sender_id, dh_key, mode)| QueueAddress {
        relay,
        sender_id,
        dh_key,
        mode,
    })
}

/// Of the newest version, which can write everything; a mode, as what follows could be mistaken for one.
pub(crate) fn queue_info() -> impl Strategy<Value = QueueInfo> {
    (4u16.., queue_address(mode().prop_map(Some)))
        .prop_map(|(version, address)| QueueInfo { version: SmpClientVersion(version), address })
}

pub(crate) fn queue_uri() -> impl Strategy<Value = QueueUri> {
    (range(4), queue_address(mode().prop_map(Some))).prop_map(|((min, max), address)| QueueUri {
        versions: VersionRange::new(SmpClientVersion(min), SmpClientVersion(max)).unwrap(),
        address,
    })
}

fn range(lowest: u16) -> impl Strategy<Value = (u16, u16)> {
    (lowest..=u16::MAX).prop_flat_map(|min| (Just(min), min..=u16::MAX))
}

fn agent_versions() -> impl Strategy<Value = VersionRange<AgentVersion>> {
    range(2).prop_map(|(min, max)| VersionRange::new(AgentVersion(min), AgentVersion(max)).unwrap())
}

fn kem_key() -> impl Strategy<Value = KemPublicKey> {
    vec(any::<u8>(), PUBLIC_KEY_SIZE).prop_map(|bytes| KemPublicKey::from_slice(&bytes).unwrap())
}

fn any_kem() -> impl Strategy<Value = AnyKem> {
    let ciphertext =
        vec(any::<u8>(), CIPHERTEXT_SIZE).prop_map(|bytes| KemCiphertext::from_slice(&bytes).unwrap());
    prop_oneof![
        kem_key().prop_map(AnyKem::Proposed),
        (ciphertext, kem_key())
            .prop_map(|(ciphertext, public_key)| AnyKem::Accepted { ciphertext, public_key }),
    ]
}

fn ratchet<K: Clone + std::fmt::Debug>(
    kem: impl Strategy<Value = K>,
) -> impl Strategy<Value = RatchetParameters<K>> {
    (3u16.., x448(), x448(), option::of(kem)).prop_map(|(version, key_1, key_2, kem)| RatchetParameters {
        version: RatchetVersion(version),
        key_1,
        key_2,
        kem,
    })
}

pub(crate) fn ratchet_uri() -> impl Strategy<Value = RatchetParametersUri<ProposedKem>> {
    (range(3), x448(), x448(), option::of(kem_key().prop_map(ProposedKem))).prop_map(
        |((min, max), key_1, key_2, kem)| RatchetParametersUri {
            versions: VersionRange::new(RatchetVersion(min), RatchetVersion(max)).unwrap(),
            key_1,
            key_2,
            kem,
        },
    )
}

fn client_data() -> impl Strategy<Value = Option<String>> {
    option::of(".{0,30}")
}

pub(crate) fn invitation() -> impl Strategy<Value = InvitationRequest> {
    (agent_versions(), non_empty(queue_uri()), client_data(), ratchet_uri()).prop_map(
        |(versions, queues, client_data, ratchet)| InvitationRequest {
            versions,
            queues,
            client_data,
            ratchet,
        },
    )
}

pub(crate) fn connection_request() -> impl Strategy<Value = ConnectionRequest> {
    prop_oneof![
        invitation().prop_map(|request| ConnectionRequest::Invitation(Box::new(request))),
        (agent_versions(), non_empty(queue_uri()), client_data()).prop_map(
            |(versions, queues, client_data)| {
                ConnectionRequest::Contact(ContactRequest { versions, queues, client_data })
            }
        ),
    ]
}

pub(crate) fn envelope() -> impl Strategy<Value = AgentEnvelope<'static>> {
    let version = any::<u16>().prop_map(AgentVersion);
    let confirmation = (version.clone(), option::of(ratchet(any_kem())), bytes());
    prop_oneof![
        confirmation.prop_map(|(version, ratchet, encrypted_info)| AgentEnvelope::Confirmation {
            version,
            ratchet: ratchet.map(Box::new),
            encrypted_info
        }),
        (version.clone(), bytes())
            .prop_map(|(version, encrypted_message)| AgentEnvelope::Message { version, encrypted_message }),
        (version.clone(), invitation(), bytes()).prop_map(|(version, request, info)| {
            AgentEnvelope::Invitation { version, request: Box::new(request), info }
        }),
        (version, ratchet(kem_key().prop_map(ProposedKem)), bytes()).prop_map(|(version, ratchet, info)| {
            AgentEnvelope::RatchetKey { version, ratchet: Box::new(ratchet), info }
        }),
    ]
}

fn message_id() -> impl Strategy<Value = AgentMessageId> {
    any::<i64>().prop_map(AgentMessageId)
}

fn sender_queue() -> impl Strategy<Value = SenderQueueAddress> {
    (relay(), sender_id()).prop_map(|(relay, sender_id)| SenderQueueAddress { relay, sender_id })
}

fn a_message() -> impl Strategy<Value = AMessage<'static>> {
    let large = vec(any::<u8>(), 0..400).prop_map(|bytes| LargeString::new(bytes).unwrap());
    let receipt = (message_id(), short(), large)
        .prop_map(|(message_id, message_hash, info)| MessageReceipt { message_id, message_hash, info });
    let replacement = (queue_uri(), option::of(sender_queue()))
        .prop_map(|(queue, replaced)| QueueReplacement { queue, replaced });
    let key = (queue_info(), x25519())
        .prop_map(|(queue, key)| QueueKey { queue, sender_key: PublicAuthKey::X25519(key).into() });
    let ready = (sender_queue(), any::<bool>()).prop_map(|(queue, primary)| QueueReady { queue, primary });
    prop_oneof![
        Just(AMessage::Hello),
        bytes().prop_map(AMessage::Message),
        non_empty(receipt).prop_map(AMessage::Received),
        message_id().prop_map(AMessage::RatchetReady),
        sender_queue().prop_map(AMessage::QueueContinue),
        non_empty(replacement).prop_map(AMessage::QueueAdd),
        non_empty(key).prop_map(AMessage::QueueKey),
        non_empty(ready).prop_map(AMessage::QueueUse),
        non_empty(sender_queue()).prop_map(AMessage::QueueTest),
    ]
}

pub(crate) fn agent_message() -> impl Strategy<Value = AgentMessage<'static>> {
    prop_oneof![
        1 => bytes().prop_map(AgentMessage::ConnectionInfo),
        1 => (non_empty(queue_info()), bytes())
            .prop_map(|(queues, info)| AgentMessage::ConnectionInfoReply { queues, info }),
        1 => bytes().prop_map(AgentMessage::RatchetInfo),
        6 => (message_id(), short(), a_message()).prop_map(|(message_id, previous_hash, message)| {
            AgentMessage::Message { header: MessageHeader { message_id, previous_hash }, message }
        }),
    ]
}

fn link_key() -> impl Strategy<Value = LinkKey> {
    any::<[u8; 32]>().prop_map(LinkKey::from_bytes)
}

fn short_link_relay() -> impl Strategy<Value = ShortLinkRelay> {
    (non_empty(host()), option::of(any::<u16>()), option::of(any::<[u8; 32]>()))
        .prop_map(|(hosts, port, fingerprint)| ShortLinkRelay { hosts, port, fingerprint })
}

fn contact_short_link() -> impl Strategy<Value = ContactShortLink> {
    let kind =
        select(vec![ContactKind::Contact, ContactKind::Channel, ContactKind::Group, ContactKind::Relay]);
    (kind, short_link_relay(), link_key()).prop_map(|(kind, relay, link_key)| ContactShortLink {
        kind,
        relay,
        link_key,
    })
}

pub(crate) fn short_link() -> impl Strategy<Value = ShortLink> {
    let link_id = vec(any::<u8>(), 1..256).prop_map(|bytes| LinkId::new(&bytes).unwrap());
    prop_oneof![
        contact_short_link().prop_map(ShortLink::Contact),
        (short_link_relay(), link_id, link_key()).prop_map(|(relay, link_id, link_key)| {
            ShortLink::Invitation(InvitationShortLink { relay, link_id, link_key })
        }),
    ]
}

fn ed25519() -> impl Strategy<Value = Ed25519PublicKey> {
    any::<[u8; 32]>().prop_map(Ed25519PublicKey::from_bytes)
}

pub(crate) fn owner() -> impl Strategy<Value = OwnerAuth> {
    let signature = vec(any::<u8>(), 64).prop_map(|bytes| bytes.try_into().unwrap());
    (vec(any::<u8>(), 0..=smp_protocol::link::MAX_OWNER_ID), ed25519(), signature)
        .prop_map(|(id, key, signature)| OwnerAuth::new(&id, key, signature).unwrap())
}

pub(crate) fn fixed_data() -> impl Strategy<Value = FixedLinkData> {
    (agent_versions(), ed25519(), connection_request(), option::of(short())).prop_map(
        |(versions, root_key, request, entity_id)| FixedLinkData { versions, root_key, request, entity_id },
    )
}

fn user_data() -> impl Strategy<Value = UserData> {
    vec(any::<u8>(), 0..600).prop_map(|bytes| UserData::new(bytes).unwrap())
}

pub(crate) fn user_link_data() -> impl Strategy<Value = UserLinkData> {
    let contact = (any::<bool>(), vec(owner(), 0..3), vec(contact_short_link(), 0..3), user_data()).prop_map(
        |(direct, owners, relays, user_data)| UserContactData {
            direct,
            owners: List::new(owners).unwrap(),
            relays: List::new(relays).unwrap(),
            user_data,
        },
    );
    prop_oneof![
        (agent_versions(), user_data())
            .prop_map(|(versions, user_data)| UserLinkData::Invitation { versions, user_data }),
        (agent_versions(), contact)
            .prop_map(|(versions, contact)| UserLinkData::Contact { versions, contact }),
    ]
}

fn shared_id() -> impl Strategy<Value = SharedMessageId> {
    vec(any::<u8>(), 0..20).prop_map(SharedMessageId::from_bytes)
}

fn profile() -> impl Strategy<Value = Profile> {
    (".{0,20}", ".{0,20}", option::of(".{0,20}")).prop_map(|(name, full_name, image)| {
        let mut profile = Profile::new(name);
        profile.full_name = full_name;
        profile.image = image;
        profile
    })
}

fn container() -> impl Strategy<Value = MessageContainer> {
    let time = (-62_135_596_800i64..253_402_300_800, 0..1_000_000_000i128).prop_map(|(seconds, nanos)| {
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(seconds) * 1_000_000_000 + nanos).unwrap()
    });
    let quote = (option::of(shared_id()), time, any::<bool>(), option::of(".{0,20}"), ".{0,20}").prop_map(
        |(message_id, sent_at, sent, member_id, text)| Quote {
            message: MessageReference { message_id, sent_at, sent, member_id, other: Default::default() },
            content: MessageContent::text(text),
            other: [("later".to_owned(), sent.into())].into_iter().collect(),
        },
    );
    (".{0,40}", option::of(quote), any::<bool>(), option::of(any::<u32>()), any::<bool>()).prop_map(
        |(text, quote, forwarded, ttl, live)| {
            let mut container = MessageContainer::text(text);
            container.quote = quote;
            container.forwarded = forwarded;
            container.ttl = ttl;
            container.live = live;
            container
        },
    )
}

pub(crate) fn chat_message() -> impl Strategy<Value = ChatMessage> {
    let event = prop_oneof![
        profile().prop_map(ChatEvent::Info),
        profile().prop_map(|profile| ChatEvent::Contact(ChatContactRequest::new(profile))),
        container().prop_map(ChatEvent::MessageNew),
        (shared_id(), ".{0,20}", option::of(any::<u32>()), any::<bool>()).prop_map(
            |(message_id, text, ttl, live)| ChatEvent::MessageUpdate {
                message_id,
                content: MessageContent::text(text),
                ttl,
                live,
                other: Default::default(),
            }
        ),
        shared_id().prop_map(|message_id| ChatEvent::MessageDelete { message_id, other: Default::default() }),
        (shared_id(), ".{0,3}", any::<bool>()).prop_map(|(message_id, emoji, add)| ChatEvent::Reaction {
            message_id,
            reaction: Reaction::emoji(&emoji),
            add,
            other: Default::default(),
        }),
        Just(ChatEvent::Ok),
        Just(ChatEvent::DirectDelete),
        "x\\.[a-z]{1,3}\\.new"
            .prop_map(|event| ChatEvent::Other { event: format!("{event}.er"), params: Default::default() }),
    ];
    (option::of(shared_id()), event).prop_map(|(id, event)| ChatMessage::new(id, event))
}
