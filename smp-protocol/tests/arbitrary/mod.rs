//! Strategies for the values of the protocol.

// Part of one test only, so nothing outside can reach it.
#![allow(unreachable_pub)]

use std::borrow::Cow;
use std::ops::Range;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use smp_crypto::{
    Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, Nonce, PrivateSignatureKey, PublicAuthKey,
    X25519PublicKey,
};
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::certificate::{CertificateChain, CertifiedKey, SignedKey};
use smp_protocol::command::{
    Command, IdsHash, LinkData, LinkRequest, MessageFlags, NewQueue, NotifierCredentials, QueueMode,
    QueueRequest, ServiceQueues, SubscriptionMode,
};
use smp_protocol::encoding::{LargeString, Latin1Text, NonEmpty, ShortString, UtcTime};
use smp_protocol::error::{
    BlockingInfo, BlockingReason, BrokerErrorType, ClientNotice, CommandError, ErrorType, HandshakeError,
    NetworkError, ProxyError, TransportError,
};
use smp_protocol::message::{
    BrokerMessage, MessageInfo, MessageKind, QueueIds, QueueInfo, RelayNotifierCredentials, SubscriptionInfo,
    SubscriptionThread,
};
use smp_protocol::version::{SmpVersion, VersionRange};

pub fn bytes(length: Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), length)
}

pub fn any_version() -> impl Strategy<Value = SmpVersion> {
    (SmpVersion::MIN.0..=SmpVersion::MAX.0).prop_map(SmpVersion)
}

/// The bytes of an ID, often of the size that we make.
pub fn any_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![bytes(24..25), bytes(0..1), bytes(0..256)]
}

fn id<T: for<'a> TryFrom<&'a [u8]> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any_id().prop_map(|bytes| T::try_from(&bytes).unwrap_or_else(|_| unreachable!("at most 255 bytes")))
}

fn body() -> impl Strategy<Value = Cow<'static, [u8]>> {
    prop_oneof![bytes(0..100), bytes(16_000..16_100)].prop_map(Cow::Owned)
}

pub fn any_auth_key() -> impl Strategy<Value = PublicAuthKey> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|key| X25519PublicKey::from_bytes(key).into()),
        any::<[u8; 32]>().prop_map(|key| Ed25519PublicKey::from_bytes(key).into()),
        bytes(57..58).prop_map(|key| Ed448PublicKey::try_from(&key[..]).unwrap().into()),
    ]
}

fn auth_key<T: From<PublicAuthKey> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any_auth_key().prop_map(T::from)
}

fn dh_key<T: From<X25519PublicKey> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    any::<[u8; 32]>().prop_map(|key| X25519PublicKey::from_bytes(key).into())
}

fn password() -> impl Strategy<Value = Password> {
    "[!-.0-9;-?A-~]{1,40}".prop_map(|text| Password::new(&text).unwrap())
}

pub fn any_address() -> impl Strategy<Value = RelayAddress> {
    let host = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        any::<[u8; 16]>().prop_map(|ip| std::net::Ipv6Addr::from(ip).to_string()),
        "[a-z0-9]{1,56}\\.onion",
        "[g-z][a-z0-9-]{0,20}(\\.[a-z]{2,5}){0,3}",
    ];
    let hosts = vec(host.prop_map(|host| host.parse().unwrap()), 1..4);
    (any::<[u8; 32]>(), hosts, any::<Option<u16>>(), of(password())).prop_map(
        |(fingerprint, hosts, port, password)| RelayAddress {
            fingerprint,
            hosts: NonEmpty::new(hosts).unwrap(),
            port,
            password,
        },
    )
}

fn link_data() -> impl Strategy<Value = LinkData<'static>> {
    (bytes(0..300), bytes(0..300)).prop_map(|(fixed, user)| LinkData {
        fixed: LargeString::new(fixed).unwrap(),
        user: LargeString::new(user).unwrap(),
    })
}

fn queue_mode() -> impl Strategy<Value = QueueMode> {
    prop_oneof![Just(QueueMode::Messaging), Just(QueueMode::Contact)]
}

fn queue_request() -> impl Strategy<Value = QueueRequest<'static>> {
    let link = || (id(), link_data()).prop_map(|(sender_id, data)| LinkRequest { sender_id, data });
    prop_oneof![
        of(link()).prop_map(QueueRequest::Messaging),
        of((id(), link())).prop_map(QueueRequest::Contact),
    ]
}

fn new_queue() -> impl Strategy<Value = NewQueue<'static>> {
    let notifier =
        (auth_key(), dh_key()).prop_map(|(auth_key, dh_key)| NotifierCredentials { auth_key, dh_key });
    (auth_key(), dh_key(), of(password()), any::<bool>(), of(queue_request()), of(notifier)).prop_map(
        |(auth_key, dh_key, password, subscribe, request, notifier)| NewQueue {
            auth_key,
            dh_key,
            password,
            subscription: if subscribe { SubscriptionMode::Subscribe } else { SubscriptionMode::OnlyCreate },
            request,
            notifier,
        },
    )
}

fn service_queues() -> impl Strategy<Value = ServiceQueues> {
    any::<(i64, [u8; 16])>().prop_map(|(count, hash)| ServiceQueues { count, ids_hash: IdsHash(hash) })
}

pub fn any_command() -> impl Strategy<Value = Command<'static>> {
    let flags = any::<bool>().prop_map(|notification| MessageFlags { notification });
    let keys = vec(auth_key(), 1..5).prop_map(|keys| NonEmpty::new(keys).unwrap());
    let plain = prop::sample::select(vec![
        Command::Subscribe,
        Command::DeleteLink,
        Command::DeleteNotifier,
        Command::Get,
        Command::Suspend,
        Command::Delete,
        Command::QueueInfo,
        Command::Ping,
        Command::GetLink,
        Command::SubscribeNotifications,
    ]);
    let session = (any_address(), of(password())).prop_map(|(relay, password)| Command::ProxySession {
        relay: Box::new(relay.without_password()),
        password,
    });
    let forward = (any::<u16>(), dh_key(), body()).prop_map(|(version, key, transmission)| {
        Command::ProxyForward { version: SmpVersion(version), key, transmission }
    });
    prop_oneof![
        plain,
        new_queue().prop_map(|queue| Command::New(Box::new(queue))),
        service_queues().prop_map(Command::SubscribeAll),
        service_queues().prop_map(Command::SubscribeAllNotifications),
        auth_key().prop_map(Command::Secure),
        auth_key().prop_map(Command::SenderSecure),
        auth_key().prop_map(Command::SecureAndGetLink),
        keys.prop_map(Command::SetRecipientKeys),
        (id(), link_data()).prop_map(|(id, data)| Command::SetLink(id, data)),
        (auth_key(), dh_key()).prop_map(|(key, dh_key)| Command::SetNotifier(key, dh_key)),
        id().prop_map(Command::Acknowledge),
        (flags, body()).prop_map(|(flags, body)| Command::Send(flags, body)),
        session,
        forward,
        body().prop_map(Command::RelayForward),
    ]
}

/// A key signed for a chain of one or two well-formed objects that are no certificates inside.
pub fn any_certified_key() -> impl Strategy<Value = CertifiedKey> {
    (any::<[u8; 32]>(), any::<[u8; 32]>(), 1..5usize).prop_map(|(signer, key, count)| {
        let signer = PrivateSignatureKey::from(Ed25519PrivateKey::from_bytes(signer));
        let signed_key = SignedKey::sign_x25519(&X25519PublicKey::from_bytes(key), &signer);
        let certificate = signed_key.as_der().to_vec();
        CertifiedKey { chain: CertificateChain::new(vec![certificate; count]).unwrap(), signed_key }
    })
}

fn latin1() -> impl Strategy<Value = Latin1Text> {
    vec(any::<u8>(), 0..256)
        .prop_map(|bytes| Latin1Text::new(&bytes.iter().map(|&b| char::from(b)).collect::<String>()).unwrap())
}

fn transport_error() -> impl Strategy<Value = TransportError> {
    prop::sample::select(vec![
        TransportError::BadBlock,
        TransportError::Version,
        TransportError::LargeMessage,
        TransportError::BadSession,
        TransportError::NoRelayAuth,
        HandshakeError::Parse.into(),
        HandshakeError::Identity.into(),
        HandshakeError::BadAuth.into(),
        HandshakeError::BadService.into(),
    ])
}

fn network_error() -> impl Strategy<Value = NetworkError> {
    prop_oneof![
        latin1().prop_map(NetworkError::Connect),
        latin1().prop_map(NetworkError::Tls),
        latin1().prop_map(NetworkError::Subscribe),
        Just(NetworkError::UnknownCa),
        Just(NetworkError::Failed),
        Just(NetworkError::Timeout),
    ]
}

fn broker_error() -> impl Strategy<Value = BrokerErrorType> {
    prop_oneof![
        latin1().prop_map(BrokerErrorType::Response),
        latin1().prop_map(BrokerErrorType::Unexpected),
        network_error().prop_map(BrokerErrorType::Network),
        transport_error().prop_map(BrokerErrorType::Transport),
        Just(BrokerErrorType::Host),
        Just(BrokerErrorType::NoService),
        Just(BrokerErrorType::Timeout),
    ]
}

fn plain_error() -> impl Strategy<Value = ErrorType> {
    let command_error = prop::sample::select(vec![
        CommandError::Unknown,
        CommandError::Syntax,
        CommandError::Prohibited,
        CommandError::NoAuth,
        CommandError::HasAuth,
        CommandError::NoEntity,
    ]);
    let reason = prop_oneof![Just(BlockingReason::Spam), Just(BlockingReason::Content)];
    let notice = of(any::<Option<i64>>().prop_map(|ttl| ClientNotice { ttl }));
    let plain = prop::sample::select(vec![
        ErrorType::Block,
        ErrorType::Session,
        ErrorType::Auth,
        ErrorType::Service,
        ErrorType::Crypto,
        ErrorType::Quota,
        ErrorType::NoMessage,
        ErrorType::LargeMessage,
        ErrorType::Expired,
        ErrorType::Internal,
        ErrorType::Duplicate,
    ]);
    prop_oneof![
        plain,
        command_error.prop_map(ErrorType::Command),
        (reason, notice).prop_map(|(reason, notice)| ErrorType::Blocked(BlockingInfo { reason, notice })),
        "\\PC{0,100}".prop_map(ErrorType::Store),
        Just(ErrorType::Proxy(Box::new(ProxyError::BasicAuth))),
        Just(ErrorType::Proxy(Box::new(ProxyError::NoSession))),
        broker_error().prop_map(|error| ErrorType::Proxy(Box::new(ProxyError::Broker(error)))),
    ]
}

fn error() -> impl Strategy<Value = ErrorType> {
    plain_error().prop_recursive(4, 4, 1, |inner| {
        inner.prop_map(|error| ErrorType::Proxy(Box::new(ProxyError::Protocol(error))))
    })
}

fn queue_ids() -> impl Strategy<Value = QueueIds> {
    let notifier =
        (id(), dh_key()).prop_map(|(notifier_id, dh_key)| RelayNotifierCredentials { notifier_id, dh_key });
    (id(), id(), dh_key(), of(queue_mode()), of(id()), of(id()), of(notifier)).prop_map(
        |(recipient_id, sender_id, dh_key, mode, link_id, service_id, notifier)| QueueIds {
            recipient_id,
            sender_id,
            dh_key,
            mode,
            link_id,
            service_id,
            notifier,
        },
    )
}

fn queue_info() -> impl Strategy<Value = QueueInfo> {
    let thread = prop::sample::select(vec![
        SubscriptionThread::NoSub,
        SubscriptionThread::SubPending,
        SubscriptionThread::SubThread,
        SubscriptionThread::ProhibitSub,
    ]);
    let subscription =
        (thread, of("\\PC{0,30}")).prop_map(|(thread, delivered)| SubscriptionInfo { thread, delivered });
    let kind = prop_oneof![Just(MessageKind::Message), Just(MessageKind::Quota)];
    let message = ("\\PC{0,30}", 0..4_000_000_000i64, 0..1_000_000_000u32, kind).prop_map(
        |(id, seconds, nanoseconds, kind)| MessageInfo {
            id,
            time: UtcTime::new(seconds, nanoseconds).unwrap(),
            kind,
        },
    );
    (any::<bool>(), any::<bool>(), of(subscription), any::<i64>(), of(message)).prop_map(
        |(sender_secured, notifications, subscription, size, message)| QueueInfo {
            sender_secured,
            notifications,
            subscription,
            size,
            message,
        },
    )
}

pub fn any_message() -> impl Strategy<Value = BrokerMessage<'static>> {
    let plain = prop::sample::select(vec![
        BrokerMessage::AllDelivered,
        BrokerMessage::End,
        BrokerMessage::Deleted,
        BrokerMessage::Ok,
        BrokerMessage::Pong,
    ]);
    let notification = (any::<[u8; 24]>(), bytes(0..256)).prop_map(|(nonce, meta)| {
        BrokerMessage::Notification(Nonce::from_bytes(nonce), ShortString::new(meta).unwrap())
    });
    let session_key =
        (id(), any::<(u16, u16)>(), any_certified_key()).prop_map(|(session_id, (a, b), key)| {
            let versions = VersionRange::new(SmpVersion(a.min(b)), SmpVersion(a.max(b))).unwrap();
            BrokerMessage::ProxySessionKey { session_id, versions, key: Box::new(key) }
        });
    prop_oneof![
        plain,
        queue_ids().prop_map(|ids| BrokerMessage::QueueIds(Box::new(ids))),
        (id(), link_data()).prop_map(|(id, data)| BrokerMessage::Link(id, data)),
        of(id()).prop_map(BrokerMessage::Subscribed),
        service_queues().prop_map(BrokerMessage::SubscribedAll),
        service_queues().prop_map(BrokerMessage::EndAll),
        (id(), body()).prop_map(|(id, body)| BrokerMessage::Message(id, body)),
        (id(), dh_key()).prop_map(|(id, key)| BrokerMessage::NotifierId(id, key)),
        notification,
        session_key,
        body().prop_map(BrokerMessage::RelayResponse),
        body().prop_map(BrokerMessage::ProxyResponse),
        queue_info().prop_map(|info| BrokerMessage::QueueInfo(Box::new(info))),
        error().prop_map(BrokerMessage::Error),
    ]
}
