//! Reading gives back what was written, and nothing that is read makes a reader panic.

use proptest::collection::vec;
use proptest::prelude::*;
use smp_crypto::{Ed25519PrivateKey, Nonce, SecretBoxKey, X25519PrivateKey};
use smp_protocol::address::{Password, XftpAddress};
use smp_protocol::encoding::{NonEmpty, from_bytes, to_bytes};
use smp_protocol::error::{BlockingInfo, BlockingReason, CommandError};
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId, SessionId};
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey, RecipientDownloadKey, RelayDownloadKey};
use smp_protocol::version::{VersionRange, XftpVersion};
use smp_protocol::xftp::command::{NewChunk, XftpCommand};
use smp_protocol::xftp::description::{
    ChunkReplica, FileChunk, FileChunks, FileDescription, FileParty, Redirect,
};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::{WebHello, XftpClientHello, XftpRelayHello, read_refusal};
use smp_protocol::xftp::link::{FileLink, FileWebLink};
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{command_block, read_command, read_response, response_block};

fn id() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..=40)
}

fn recipient_keys() -> impl Strategy<Value = NonEmpty<ChunkRecipientKey>> {
    let key = any::<[u8; 32]>()
        .prop_map(|key| ChunkRecipientKey(Ed25519PrivateKey::from_bytes(key).public_key().into()));
    vec(key, 1..5).prop_map(|keys| NonEmpty::new(keys).unwrap())
}

fn x25519() -> impl Strategy<Value = smp_crypto::X25519PublicKey> {
    any::<[u8; 32]>().prop_map(|key| X25519PrivateKey::from_bytes(key).public_key())
}

fn command() -> impl Strategy<Value = XftpCommand> {
    let password = prop::option::of("[a-z]{0,20}".prop_map(|text| Password::new(&text).unwrap()));
    let new = (any::<[u8; 32]>(), any::<u32>(), any::<[u8; 32]>(), recipient_keys(), password);
    let new = new.prop_map(|(key, size, digest, recipient_keys, password)| {
        let sender_key = ChunkSenderKey(X25519PrivateKey::from_bytes(key).public_key().into());
        XftpCommand::New(Box::new(NewChunk { sender_key, size, digest, recipient_keys, password }))
    });
    let bare = [XftpCommand::Put, XftpCommand::Delete, XftpCommand::Acknowledge, XftpCommand::Ping].map(Just);
    let [put, delete, acknowledge, ping] = bare;
    prop_oneof![
        new,
        recipient_keys().prop_map(XftpCommand::AddRecipients),
        x25519().prop_map(|key| XftpCommand::Get(RecipientDownloadKey(key))),
        put,
        delete,
        acknowledge,
        ping,
    ]
}

fn error() -> impl Strategy<Value = XftpError> {
    let blocked = prop_oneof![Just(BlockingReason::Spam), Just(BlockingReason::Content)];
    prop_oneof![
        Just(XftpError::Block),
        Just(XftpError::Auth),
        Just(XftpError::Size),
        Just(XftpError::Command(CommandError::Syntax)),
        blocked.prop_map(|reason| XftpError::Blocked(BlockingInfo { reason, notice: None })),
        Just(XftpError::Timeout),
    ]
}

fn response() -> impl Strategy<Value = XftpResponse> {
    let recipients = || {
        let ids = vec(id().prop_map(|id| ChunkRecipientId::new(&id).unwrap()), 1..5);
        ids.prop_map(|ids| NonEmpty::new(ids).unwrap())
    };
    prop_oneof![
        (id(), recipients())
            .prop_map(|(id, ids)| XftpResponse::SenderIds(ChunkSenderId::new(&id).unwrap(), ids)),
        recipients().prop_map(XftpResponse::RecipientIds),
        (x25519(), any::<[u8; 24]>())
            .prop_map(|(key, nonce)| XftpResponse::File(RelayDownloadKey(key), Nonce::from_bytes(nonce))),
        Just(XftpResponse::Ok),
        Just(XftpResponse::Pong),
        error().prop_map(XftpResponse::Error),
    ]
}

fn address() -> impl Strategy<Value = XftpAddress> {
    let hosts = prop_oneof![
        Just("a.example"),
        Just("b.example,abcdefgh.onion"),
        Just("192.0.2.7"),
        Just("[2001:db8::7]")
    ];
    (0..3_u8, hosts, prop::option::of(any::<u16>())).prop_map(|(key, hosts, port)| {
        let fingerprint = smp_protocol::base64url::encode(&[key; 32]);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("xftp://{fingerprint}@{hosts}{port}").parse().unwrap()
    })
}

fn replica() -> impl Strategy<Value = ChunkReplica> {
    (address(), id(), any::<[u8; 32]>()).prop_map(|(relay, id, key)| ChunkReplica {
        relay,
        id: EntityId::new(&id).unwrap(),
        key: Ed25519PrivateKey::from_bytes(key).into(),
    })
}

fn description() -> impl Strategy<Value = FileDescription> {
    let size = || prop_oneof![Just(65_536), Just(4_194_304), 1..70_000_u32];
    let chunk = (size(), any::<[u8; 32]>(), vec(replica(), 1..3));
    let chunks = vec(chunk.prop_map(|(size, digest, replicas)| FileChunk { size, digest, replicas }), 1..6);
    let redirect = prop::option::of((any::<u64>(), any::<[u8; 64]>()));
    let head = (any::<bool>(), any::<[u8; 64]>(), any::<[u8; 32]>(), any::<[u8; 24]>(), size());
    (head, chunks, redirect).prop_map(|((is_sender, digest, key, nonce, chunk_size), chunks, redirect)| {
        FileDescription {
            party: if is_sender { FileParty::Sender } else { FileParty::Recipient },
            digest,
            key: SecretBoxKey::from_bytes(key),
            nonce: Nonce::from_bytes(nonce),
            chunk_size,
            chunks: FileChunks::new(sorted(chunks)).unwrap(),
            redirect: redirect.map(|(size, digest)| Redirect { size, digest }),
        }
    })
}

/// Chunks as they come back: with their replicas in the order in which they are written, by relay.
fn sorted(mut chunks: Vec<FileChunk>) -> Vec<FileChunk> {
    let key = |replica: &ChunkReplica| {
        let address = &replica.relay.0;
        let port = address.port.map(|port| port.to_string()).unwrap_or_default();
        (address.hosts.as_slice().to_vec(), port, address.fingerprint)
    };
    chunks.iter_mut().for_each(|chunk| chunk.replicas.sort_by_key(key));
    chunks
}

fn session(version: u16) -> XftpSession {
    XftpSession { version: XftpVersion(version), id: SessionId::new(&[3; 32]).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_come_back(command in command(), corr_id in id(), entity in id()) {
        prop_assert_eq!(XftpCommand::decode(&to_bytes(&command)), Ok(command.clone()));
        let entity = if matches!(command, XftpCommand::Ping) { vec![] } else { entity };
        let (corr_id, entity) = (CorrelationId::new(&corr_id).unwrap(), EntityId::new(&entity).unwrap());
        let none = |_: &[u8]| Ok::<_, std::fmt::Error>(None);
        let block = command_block(&session(3), &corr_id, &entity, &command, none).unwrap();
        prop_assert_eq!(block.len(), 16_384);
        // Without an authorization only PING is read.
        match read_command(&block, &session(3)) {
            Ok(read) => prop_assert_eq!((read.command, read.correlation_id), (XftpCommand::Ping, corr_id)),
            Err(refused) => prop_assert_eq!(
                (refused.error, refused.correlation_id, refused.entity_id),
                (XftpError::Command(CommandError::NoAuth), corr_id, entity)
            ),
        }
    }

    #[test]
    fn answers_come_back(response in response(), version in 1..=3_u16, corr_id in id(), entity in id()) {
        let without = matches!(response, XftpResponse::Pong | XftpResponse::SenderIds(..));
        let entity = if without { EntityId::empty() } else { EntityId::new(&entity).unwrap() };
        let corr_id = CorrelationId::new(&corr_id).unwrap();
        let block = response_block(&session(version), &corr_id, &entity, &response).unwrap();
        let read = read_response(&block, &session(version));
        let expected = match response {
            XftpResponse::Error(XftpError::Blocked(_)) if version < 3 => XftpResponse::Error(XftpError::Auth),
            response => response,
        };
        prop_assert_eq!((read.correlation_id, read.entity_id, read.response), (corr_id, entity, Ok(expected)));
    }

    #[test]
    fn descriptions_come_back(description in description()) {
        let yaml = description.to_yaml();
        let read = FileDescription::from_yaml(&yaml).unwrap();
        prop_assert_eq!(read.to_yaml(), yaml);
        prop_assert!(read == description);
    }

    #[test]
    fn links_come_back(description in description(), data in prop::option::of("\\PC{0,30}")) {
        let description = FileDescription { party: FileParty::Recipient, ..description };
        let yaml = description.to_yaml();
        let mut link = FileLink::new(description.clone()).unwrap();
        link.client_data = data;
        let read = FileLink::from_uri(&link.to_uri()).unwrap();
        prop_assert_eq!(read.description().to_yaml(), yaml.clone());
        prop_assert_eq!(read.client_data, link.client_data);
        let web = FileWebLink::of_first_relay(description.clone()).unwrap();
        prop_assert_eq!(FileWebLink::from_uri(&web.to_uri()).unwrap().description().to_yaml(), yaml);
        let senders = FileDescription { party: FileParty::Sender, ..description };
        prop_assert!(FileLink::new(senders.clone()).is_err() && FileWebLink::of_first_relay(senders).is_err());
    }

    #[test]
    fn hellos_come_back(challenge: Option<[u8; 32]>, version: u16, fingerprint: [u8; 32], min in 1..5_u16) {
        let hello = WebHello { challenge };
        prop_assert_eq!(WebHello::read(&to_bytes(&hello)), Ok(hello));
        let fingerprint = smp_protocol::encoding::ShortString::from(fingerprint);
        let hello = XftpClientHello { version: XftpVersion(version), fingerprint };
        prop_assert_eq!(XftpClientHello::read(&to_bytes(&hello)), Ok(hello));
        let range = VersionRange::new(XftpVersion(min), XftpVersion(min + 1)).unwrap();
        prop_assert_eq!(from_bytes(&to_bytes(&range)), Ok(range));
    }

    #[test]
    fn readers_never_panic(bytes: Vec<u8>, text in "\\PC*", lines in "([a-z]{1,4}: |- |  |\\[|\\{|'|\"|\n|&a |\\*a|#|[0-9])*") {
        let _ = (XftpCommand::decode(&bytes), XftpResponse::decode(&bytes), read_refusal(&bytes));
        let _ = (WebHello::read(&bytes), XftpClientHello::read(&bytes), XftpRelayHello::read(&bytes));
        let _ = (FileDescription::from_yaml(&text), FileDescription::from_yaml(&lines));
        let _ = (FileLink::from_uri(&text), FileWebLink::from_uri(&text));
        let mut block = smp_crypto::padding::pad(&bytes, 16_384).unwrap();
        let _ = (read_command(&block, &session(3)).is_ok(), read_response(&block, &session(3)));
        block.truncate(bytes.len());
        let _ = read_response(&block, &session(3));
    }
}
