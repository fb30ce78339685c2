//! Commands, answers and their blocks in the vectors.

use std::convert::Infallible;

use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::{
    Ed25519PrivateKey, Nonce, PrivateAuthKey, PublicAuthKey, X25519PrivateKey, X25519PublicKey, padding,
};
use smp_protocol::address::Password;
use smp_protocol::encoding::{NonEmpty, to_bytes};
use smp_protocol::error::TransportError;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId, SessionId};
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey, RecipientDownloadKey, RelayDownloadKey};
use smp_protocol::transmission::{CommandKey, authorize};
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::command::{NewChunk, XftpCommand, XftpCommandTag};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{
    CommandBlockError, command_block, read_command, read_response, response_block as write_response_block,
};
use smp_vectors::{array, assert_bytes, bytes, flag, list, number, optional, text};

fn session(case: &Value) -> XftpSession {
    let version = XftpVersion(number(&case["version"]).try_into().unwrap());
    XftpSession { version, id: SessionId::new(&bytes(&case["session_id"])).unwrap() }
}

fn ids(case: &Value) -> (CorrelationId, EntityId) {
    let corr_id = CorrelationId::new(&bytes(&case["corr_id"])).unwrap();
    (corr_id, EntityId::new(&bytes(&case["entity_id"])).unwrap())
}

fn block_of(content: &[u8]) -> Vec<u8> {
    padding::pad(content, 16_384).unwrap()
}

fn auth_key(der: &Value) -> PublicAuthKey {
    PublicAuthKey::from_der(&bytes(der)).unwrap()
}

fn recipient_keys(case: &Value) -> NonEmpty<ChunkRecipientKey> {
    NonEmpty::new(list(&case["recipient_keys"]).iter().map(auth_key).map(ChunkRecipientKey).collect())
        .unwrap()
}

/// The command that a case has as a structure.
fn structure(case: &Value) -> XftpCommand {
    match text(&case["tag"]) {
        "FNEW" => XftpCommand::New(Box::new(NewChunk {
            sender_key: ChunkSenderKey(auth_key(&case["sender_key"])),
            size: number(&case["size"]).try_into().unwrap(),
            digest: array(&case["digest"]),
            recipient_keys: recipient_keys(case),
            password: optional(&case["password"], |password| Password::new(text(password)).unwrap()),
        })),
        "FADD" => XftpCommand::AddRecipients(recipient_keys(case)),
        "FPUT" => XftpCommand::Put,
        "FDEL" => XftpCommand::Delete,
        "FGET" => {
            let key = X25519PublicKey::from_der(&bytes(&case["dh_key"])).unwrap();
            XftpCommand::Get(RecipientDownloadKey(key))
        }
        "FACK" => XftpCommand::Acknowledge,
        "PING" => XftpCommand::Ping,
        other => panic!("unknown command {other}"),
    }
}

/// The Ed25519 key that authorizes a command.
fn key(case: &Value) -> Option<PrivateAuthKey> {
    optional(&case["ed25519_key"], |key| Ed25519PrivateKey::from_bytes(array(key)).into())
}

pub(crate) fn command(case: &Value) {
    let command = structure(case);
    assert_bytes(&to_bytes(&command), &case["command"]);
    assert_eq!(XftpCommand::decode(&bytes(&case["command"])).as_ref(), Ok(&command));
    assert_eq!(command.tag().name(), text(&case["tag"]));

    let (session, (correlation_id, entity_id)) = (session(case), ids(case));
    let (key, nonce) = (key(case), Nonce::from_slice_padded(correlation_id.as_bytes()));
    let sign = |covered: &[u8]| {
        let key = key.as_ref().map(CommandKey::Queue);
        key.map(|key| authorize(key, None, &nonce, covered, None)).transpose()
    };
    let block = command_block(&session, &correlation_id, &entity_id, &command, sign).unwrap();
    assert_eq!(block, block_of(&bytes(&case["content"])));
    assert_bytes(&sha256(&block), &case["block_sha256"]);

    let read = read_command(&block, &session).unwrap();
    assert_eq!((&read.correlation_id, &read.entity_id), (&correlation_id, &entity_id));
    assert_eq!(read.command, command);
    let by = |key: &PrivateAuthKey| {
        let no_agreement = |_: &X25519PublicKey| unreachable!("the key signs");
        let authorization = read.authorization.unwrap();
        authorization.is_by(&key.public_key(), no_agreement, &nonce, read.authorized)
    };
    match &key {
        Some(key) => {
            assert!(by(key) && !by(&Ed25519PrivateKey::from_bytes([1; 32]).into()));
        }
        None => assert!(read.authorization.is_none()),
    }
}

pub(crate) fn command_refused(case: &Value) {
    let error = XftpCommand::decode(&bytes(&case["command"])).unwrap_err();
    assert_eq!(XftpError::from(error).to_string(), text(&case["error"]));
}

pub(crate) fn command_block_refused(case: &Value) {
    let block = block_of(&bytes(&case["content"]));
    let refused = read_command(&block, &session(case)).unwrap_err();
    assert_eq!(refused.error.to_string(), text(&case["error"]));
    assert_bytes(refused.correlation_id.as_bytes(), &case["corr_id"]);
    assert!(refused.entity_id.is_empty());
}

pub(crate) fn credentials(case: &Value) {
    let tag = XftpCommandTag::from_name(text(&case["tag"]).as_bytes()).unwrap();
    let result = tag.check_credentials(flag(&case["authorization"]), flag(&case["entity"]));
    let result = result.map_err(|error| XftpError::from(error).to_string());
    assert_eq!(result.err().as_deref().unwrap_or("ok"), text(&case["result"]));
}

pub(crate) fn response(case: &Value) {
    let encoded = bytes(&case["response"]);
    let response = XftpResponse::decode(&encoded).unwrap();
    let expected = match text(&case["tag"]) {
        "SIDS" => {
            XftpResponse::SenderIds(ChunkSenderId::new(&bytes(&case["sender_id"])).unwrap(), recipients(case))
        }
        "RIDS" => XftpResponse::RecipientIds(recipients(case)),
        "FILE" => {
            let key = X25519PublicKey::from_der(&bytes(&case["dh_key"])).unwrap();
            XftpResponse::File(RelayDownloadKey(key), Nonce::from_bytes(array(&case["nonce"])))
        }
        "OK" => XftpResponse::Ok,
        "PONG" => XftpResponse::Pong,
        "ERR" => {
            let XftpResponse::Error(error) = &response else { panic!("{response:?}") };
            assert_eq!(error.to_string(), text(&case["error"]));
            response.clone()
        }
        other => panic!("unknown answer {other}"),
    };
    assert_eq!(response, expected);
    let written = |version| {
        let mut out = Vec::new();
        response.encode(version, &mut out);
        out
    };
    let same: Vec<u64> = list(&case["versions"]).iter().map(number).collect();
    for version in 1..=3 {
        let before = if same.contains(&version) { &case["response"] } else { &case["before_version_3"] };
        assert_bytes(&written(XftpVersion(version as u16)), before);
    }
}

fn recipients(case: &Value) -> NonEmpty<ChunkRecipientId> {
    let ids = list(&case["recipient_ids"]).iter().map(|id| ChunkRecipientId::new(&bytes(id)).unwrap());
    NonEmpty::new(ids.collect()).unwrap()
}

pub(crate) fn response_block(case: &Value) {
    let (session, (correlation_id, entity_id)) = (session(case), ids(case));
    let response = XftpResponse::decode(&bytes(&case["response"])).unwrap();
    let block = write_response_block(&session, &correlation_id, &entity_id, &response).unwrap();
    assert_eq!(block, block_of(&bytes(&case["content"])));
    assert_bytes(&sha256(&block), &case["block_sha256"]);
    let read = read_response(&block, &session);
    assert_eq!(
        (read.correlation_id, read.entity_id, read.response),
        (correlation_id, entity_id, Ok(response))
    );
}

/// A session of version 3, with an ID of its own.
fn any_session() -> XftpSession {
    XftpSession { version: XftpVersion(3), id: SessionId::new(&[7; 32]).unwrap() }
}

#[test]
fn commands_are_authorized_with_x25519_keys_where_the_relay_sent_one() {
    let (session, corr_id) = (any_session(), CorrelationId::from([1; 24]));
    let (key, relay_key) = (X25519PrivateKey::from_bytes([2; 32]), X25519PrivateKey::from_bytes([3; 32]));
    let (own, nonce) = (PrivateAuthKey::from(key), Nonce::from_bytes([1; 24]));
    let (entity, relay_public) = (EntityId::from([4; 24]), relay_key.public_key());
    let make = |relay_key: Option<&X25519PublicKey>| {
        command_block(&session, &corr_id, &entity, &XftpCommand::Acknowledge, |covered| {
            authorize(CommandKey::Queue(&own), relay_key, &nonce, covered, None).map(Some)
        })
    };
    let block = make(Some(&relay_public)).unwrap();
    let read = read_command(&block, &session).unwrap();
    let authorization = read.authorization.unwrap();
    assert_eq!(authorization.as_bytes().len(), 80);
    let agree = |key: &X25519PublicKey| relay_key.agree(key).box_key();
    assert!(authorization.is_by(&own.public_key(), agree, &nonce, read.authorized));
    assert!(!authorization.is_by(&own.public_key(), agree, &Nonce::from_bytes([0; 24]), read.authorized));
    assert_eq!(make(None), Err(CommandBlockError::Authorization(TransportError::NoRelayAuth)));
    assert!(session.takes_authenticators());
    assert!(!XftpSession::without_handshake(SessionId::empty()).takes_authenticators());
}

#[test]
fn a_command_has_255_recipients_and_fits() {
    let recipients = |count| {
        let key = Ed25519PrivateKey::from_bytes([5; 32]).public_key();
        NonEmpty::new(vec![ChunkRecipientKey(key.into()); count]).map(XftpCommand::AddRecipients)
    };
    let none = |_: &[u8]| Ok::<_, Infallible>(None);
    let block = |command: XftpCommand| {
        command_block(&any_session(), &CorrelationId::empty(), &EntityId::from([4; 24]), &command, none)
    };
    assert!(block(recipients(255).unwrap()).is_ok() && recipients(256).is_none());
    // Keys of another algorithm are longer.
    let key = smp_crypto::Ed448PrivateKey::from_bytes([5; 57]).public_key();
    let keys = NonEmpty::new(vec![ChunkRecipientKey(key.into()); 255]).unwrap();
    assert!(matches!(block(XftpCommand::AddRecipients(keys)), Err(CommandBlockError::TooLong(_))));
}

#[test]
fn blocks_of_another_size_are_refused() {
    let session = any_session();
    let none = |_: &[u8]| Ok::<_, Infallible>(None);
    let id = CorrelationId::from([1; 24]);
    let block = command_block(&session, &id, &EntityId::empty(), &XftpCommand::Ping, none).unwrap();
    for length in [0, 1, 16_383] {
        assert_eq!(read_command(&block[..length], &session).unwrap_err().error, XftpError::Block);
        assert_eq!(read_response(&block[..length], &session).response, Err(XftpError::Block));
    }
    let longer = [&block[..], &[0]].concat();
    assert_eq!(read_command(&longer, &session).unwrap_err().error, XftpError::Block);
}

/// Answers must have an entity ID, or must not.
#[test]
fn entities_of_answers() {
    let check =
        |response: &[u8], has_entity| XftpResponse::decode(response).unwrap().check_entity(has_entity);
    assert!(check(b"OK", true).is_ok() && check(b"OK", false).is_err());
    assert!(check(b"PONG", false).is_ok() && check(b"PONG", true).is_err());
    assert!(check(b"ERR AUTH", false).is_ok() && check(b"ERR AUTH", true).is_ok());
    for (unreadable, error) in
        [(&b"OKAY"[..], "UNKNOWN"), (b"OK ", "SYNTAX"), (b"ERR ", "SYNTAX"), (b"SIDS", "SYNTAX")]
    {
        assert_eq!(XftpResponse::decode(unreadable).unwrap_err().to_string(), error);
    }
}
