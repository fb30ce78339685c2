//! Vectors of transmissions and blocks.

#![allow(clippy::unwrap_used)]

mod common;

use common::commands::{command, message};
use common::errors::error_name;
use common::{
    assert_bytes, bytes, ed25519, flag, ids, number, optional, private_key, ramp, session, text, version,
    x25519,
};
use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::{BoxKey, Nonce, PrivateAuthKey, X25519PrivateKey, block_chain};
use smp_protocol::error::ErrorType;
use smp_protocol::id::CorrelationId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{
    Authorization, Batch, BatchPart, BlockContent, CommandKey, CommandTransmission, MAX_CONTENT,
    RefusedTransmission, ServiceSigner, authorize, authorized_with_service, prepare, prepare_message,
    read_commands, read_messages, write_message,
};

#[test]
fn vectors() {
    common::run("transmissions.json", |kind, case| match kind {
        "transmission" => transmission(case),
        "response" => response(case),
        "server_reads" => check_commands(case, &case["block_content"], &case["result"]),
        "client_reads" => check_messages(case, &case["block_content"], &case["result"]),
        "batch" => batch(case),
        "ramp_batch" => ramp_batch(case),
        other => panic!("unknown kind {other}"),
    });
}

fn transmission(case: &Value) {
    let session = session(case);
    assert_eq!(session.implies_session_id(), flag(&case["session_id_implied"]));
    assert_eq!(session.has_service_field(), flag(&case["service_auth_field"]));
    let (correlation_id, entity_id) = ids(case);
    let command = command(&case["command"]);

    let prepared = prepare(&session, &correlation_id, &entity_id, &command);
    assert_bytes(prepared.authorized(), &case["for_authorization"]);
    assert_bytes(prepared.to_send(), &case["to_send"]);

    let relay_key = x25519(&case["server_session_key"]);
    let service = optional(&case["service"], |service| {
        let used = flag(&service["used_for_this_command"]);
        assert_eq!(used, command.tag().takes_service_signature());
        let fingerprint: [u8; 32] = bytes(&service["certificate_hash"]).try_into().unwrap();
        (used, fingerprint, ed25519(&service["session_key"]))
    });
    let signer = service.as_ref().filter(|(used, ..)| *used);
    let signer = signer.map(|(_, fingerprint, key)| ServiceSigner { fingerprint, key });
    let nonce = Nonce::from_slice_padded(correlation_id.as_bytes());
    let authorization = optional(&case["key"], |key| {
        let key = private_key(key);
        let command_key = match &key {
            PrivateAuthKey::Ed25519(key) if command.tag().is_service_command() => CommandKey::Service(key),
            key => CommandKey::Queue(key),
        };
        let relay_key = relay_key.public_key();
        authorize(command_key, Some(&relay_key), &nonce, prepared.authorized(), signer).unwrap()
    });
    check_authorization(authorization.as_ref(), &case["authorization"]);

    let mut encoded = Vec::new();
    prepared.write(authorization.as_ref(), &session, &mut encoded);
    assert_bytes(&encoded, &case["encoded"]);
    let mut content = BlockContent::new();
    content.push(|out| prepared.write(authorization.as_ref(), &session, out)).unwrap();
    assert_bytes(content.as_bytes(), &case["block_content"]);
    check_commands(case, &case["block_content"], &case["server_reads"]);

    if let Some(key) = optional(&case["key"], private_key) {
        let fingerprint = signer.map(|signer| *signer.fingerprint);
        check_verification(&session, content.as_bytes(), &key, &relay_key, fingerprint);
        if let Some(signer) = signer {
            let signature = authorization.unwrap();
            let signature = signature.service_signature().unwrap();
            assert!(signer.key.public_key().verify(prepared.authorized(), signature));
        }
    }
}

fn check_authorization(actual: Option<&Authorization>, expected: &Value) {
    let Some(actual) = actual else {
        assert!(expected.is_null());
        return;
    };
    assert_bytes(actual.as_bytes(), &expected["bytes"]);
    let kind = if actual.as_bytes().len() == 80 { "authenticator" } else { "signature" };
    assert_eq!(kind, text(&expected["kind"]));
    match actual.service_signature() {
        Some(signature) => assert_bytes(signature, &expected["service_signature"]),
        None => assert!(expected["service_signature"].is_null()),
    }
}

/// The relay accepts the authorization with the right key, and with no other.
fn check_verification(
    session: &SessionParameters,
    content: &[u8],
    key: &PrivateAuthKey,
    relay_key: &X25519PrivateKey,
    fingerprint: Option<[u8; 32]>,
) {
    let read = read_commands(content, session).next().unwrap().unwrap();
    let mut covered = Vec::new();
    read.write_authorized(session, &mut covered);
    assert_eq!(read.authorized_digest(session), smp_crypto::hash::sha512(&covered));
    if let Some(fingerprint) = fingerprint {
        covered = authorized_with_service(&fingerprint, &covered);
    }
    let authorization = read.authorization.unwrap();
    let nonce = Nonce::from_slice_padded(read.correlation_id.as_bytes());
    let agree = |key: &_| relay_key.agree(key).box_key();
    assert!(authorization.is_by(&key.public_key(), agree, &nonce, &covered));
    covered[0] ^= 1;
    assert!(!authorization.is_by(&key.public_key(), agree, &nonce, &covered));
    covered[0] ^= 1;
    let wrong = |_: &_| BoxKey::from_bytes([0; 32]);
    let other = X25519PrivateKey::from_bytes([1; 32]).public_key().into();
    assert!(!authorization.is_by(&other, wrong, &nonce, &covered));
    assert_eq!(authorization.signature().is_some(), !matches!(key, PrivateAuthKey::X25519(_)));
}

fn check_commands(case: &Value, content: &Value, expected: &Value) {
    let session = session(case);
    check_read_commands(&bytes(content), &session, expected);
}

fn check_read_commands(content: &[u8], session: &SessionParameters, expected: &Value) {
    let read: Vec<_> = read_commands(content, session).collect();
    let expected = expected.as_array().unwrap();
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        let (correlation_id, entity_id) = ids(expected);
        if let Some(error) = expected.get("error") {
            let error = error_name(text(error));
            assert_eq!(*read, Err(RefusedTransmission { correlation_id, entity_id, error }));
            continue;
        }
        let read = read.as_ref().unwrap();
        assert_eq!((&read.correlation_id, &read.entity_id), (&correlation_id, &entity_id));
        assert_eq!(read.command, command(&expected["command"]));
        check_read_authorization(read, session, expected);
    }
}

fn check_read_authorization(read: &CommandTransmission<'_>, session: &SessionParameters, expected: &Value) {
    let mut covered = Vec::new();
    read.write_authorized(session, &mut covered);
    assert_eq!(read.authorized_digest(session), smp_crypto::hash::sha512(&covered));
    assert_bytes(&covered, &expected["authorized_bytes"]);
    let expected = &expected["authorization"];
    let Some(authorization) = read.authorization else {
        assert!(expected.is_null());
        return;
    };
    assert_bytes(authorization.as_bytes(), &expected["bytes"]);
    let kind = if authorization.signature().is_some() { "signature" } else { "authenticator" };
    assert_eq!(kind, text(&expected["kind"]));
    match read.service_signature {
        Some(signature) => assert_bytes(signature, &expected["service_signature"]),
        None => assert!(expected["service_signature"].is_null()),
    }
}

fn response(case: &Value) {
    let session = session(case);
    let (correlation_id, entity_id) = ids(case);
    let message = message(&case["message"]);
    let mut encoded = Vec::new();
    write_message(&session, &correlation_id, &entity_id, &message, &mut encoded);
    assert_bytes(&encoded, &case["encoded"]);
    let mut prepared = Vec::new();
    prepare_message(&session, &correlation_id, &entity_id, &message).write(None, &session, &mut prepared);
    assert_eq!(prepared, encoded);
    let mut content = BlockContent::new();
    content.push(|out| out.extend_from_slice(&encoded)).unwrap();
    assert_bytes(content.as_bytes(), &case["block_content"]);
    check_messages(case, &case["block_content"], &case["client_reads"]);
}

fn check_messages(case: &Value, content: &Value, expected: &Value) {
    let (content, session) = (bytes(content), session(case));
    let read: Vec<_> = read_messages(&content, &session).collect();
    let expected = expected.as_array().unwrap();
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        let (correlation_id, entity_id) = ids(expected);
        assert_eq!((&read.correlation_id, &read.entity_id), (&correlation_id, &entity_id));
        let expected: Result<BrokerMessage<'_>, ErrorType> = match expected.get("error") {
            Some(error) => Err(error_name(text(error))),
            None => Ok(message(&expected["message"])),
        };
        assert_eq!(read.message, expected);
    }
}

/// A part of a batch: a transmission, or the error with which it was not even made.
enum Item {
    Transmission(Vec<u8>),
    Error(String),
}

/// Real transmissions, of which only short ones are recorded. Where there is a length only, any bytes will do.
fn batch(case: &Value) {
    assert_eq!(number(&case["block_size"]), block_chain::BLOCK_SIZE as i64);
    assert_eq!(flag(&case["service_auth_field"]), version(&case["version"]).0 >= 16);
    let recorded = case.get("encoded_transmissions").map(|all| {
        let all: Vec<Vec<u8>> = all.as_array().unwrap().iter().map(bytes).collect();
        assert_eq!(hex::encode(sha256(&all.concat())), text(&case["encoded_concatenation_sha256"]));
        all
    });
    let items: Vec<Item> = match recorded {
        Some(all) => all.into_iter().map(Item::Transmission).collect(),
        None => case["encoded_lengths"].as_array().unwrap().iter().map(any_of_length).collect(),
    };
    assert_eq!(items.len() as i64, number(&case["count"]));
    if flag(&case["batch"]) {
        let known = case.get("encoded_transmissions").is_some();
        check_blocks(&divide(&items), case, known);
    } else {
        alone(&items, case);
    }
}

fn any_of_length(length: &Value) -> Item {
    match length.as_u64() {
        Some(length) => Item::Transmission(ramp(length as usize)),
        None => Item::Error(text(length).to_owned()),
    }
}

fn ramp_batch(case: &Value) {
    assert_eq!(number(&case["block_size"]), block_chain::BLOCK_SIZE as i64);
    version(&case["version"]);
    let lengths = case["to_send_ramp_lengths"].as_array().unwrap();
    let items: Vec<Item> = lengths
        .iter()
        .map(|length| Item::Transmission([vec![0], ramp(number(length) as usize)].concat()))
        .collect();
    check_blocks(&divide(&items), case, true);
}

/// Contents of blocks, or errors. One that could not be made ends the block before it.
fn divide(items: &[Item]) -> Vec<Result<Vec<u8>, String>> {
    let mut blocks = Vec::new();
    let mut batch = Batch::new();
    for item in items {
        match item {
            Item::Transmission(transmission) => batch.push(|out| out.extend_from_slice(transmission)),
            Item::Error(error) => {
                flush(&mut batch, &mut blocks);
                blocks.push(Err(error.clone()));
            }
        }
    }
    flush(&mut batch, &mut blocks);
    blocks
}

fn flush(batch: &mut Batch, blocks: &mut Vec<Result<Vec<u8>, String>>) {
    let mut next = 0;
    for part in batch.parts() {
        match &part {
            BatchPart::Block { indices, .. } => {
                assert_eq!(indices.start, next);
                next = indices.end;
                let mut content = Vec::new();
                part.write_content(&mut content);
                assert!(content.len() <= MAX_CONTENT);
                blocks.push(Ok(content));
            }
            BatchPart::TooLarge(index) => {
                assert_eq!(*index, next);
                next += 1;
                blocks.push(Err("TELargeMsg".to_owned()));
            }
        }
    }
    assert_eq!(next, batch.len());
    batch.clear();
}

fn check_blocks(actual: &[Result<Vec<u8>, String>], case: &Value, contents_known: bool) {
    let expected = case["blocks"].as_array().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        let content = match actual {
            Ok(content) => content,
            Err(error) => {
                assert_eq!(error, text(&expected["error"]));
                continue;
            }
        };
        assert_eq!(i64::from(content[0]), number(&expected["transmissions"]));
        if let Some(length) = expected.get("content_length") {
            assert_eq!(content.len() as i64, number(length));
        }
        if contents_known {
            assert_bytes(content, &expected["content"]);
        } else {
            check_frame(content, &expected["content"]);
        }
    }
}

/// Compares length, count and the length of the first transmission.
fn check_frame(content: &[u8], expected: &Value) {
    let start = match expected.get("first64") {
        Some(first) => {
            assert_eq!(content.len() as i64, number(&expected["length"]));
            bytes(first)
        }
        None => {
            let bytes = bytes(expected);
            assert_eq!(content.len(), bytes.len());
            bytes
        }
    };
    assert_eq!(content[..3], start[..3]);
}

/// Versions before those that we speak had one transmission in a block, and no count: only the limit of a block is left of it.
fn alone(items: &[Item], case: &Value) {
    let expected = case["blocks"].as_array().unwrap();
    assert_eq!(items.len(), expected.len());
    for (item, expected) in items.iter().zip(expected) {
        let Item::Transmission(transmission) = item else { panic!("no errors here") };
        let mut block = Box::new([0; block_chain::BLOCK_SIZE]);
        match block_chain::pad_block(transmission, &mut block) {
            Ok(()) => {
                let length = expected["transmission"].get("length").map(|length| number(length) as usize);
                let length = length.unwrap_or_else(|| bytes(&expected["transmission"]).len());
                assert_eq!(transmission.len(), length);
            }
            Err(_) => assert_eq!(text(&expected["error"]), "TELargeMsg"),
        }
    }
}

/// Filling blocks in the given order: as many as fit, and the limits of a block.
#[test]
fn blocks_in_order() {
    let mut content = BlockContent::new();
    assert!(content.is_empty());
    let push = |content: &mut BlockContent, length| content.push(|out| out.extend(ramp(length)));
    assert_eq!(push(&mut content, MAX_CONTENT - 3), Ok(()));
    assert_eq!(content.as_bytes().len(), MAX_CONTENT);
    assert_eq!(push(&mut content, 0), Err(smp_protocol::transmission::DoesNotFit::Full));
    content.clear();
    assert_eq!(push(&mut content, MAX_CONTENT - 2), Err(smp_protocol::transmission::DoesNotFit::TooLarge));
    assert_eq!(push(&mut content, 70000), Err(smp_protocol::transmission::DoesNotFit::TooLarge));
    assert_eq!(content.as_bytes(), [0]);
    for _ in 0..255 {
        assert_eq!(push(&mut content, 1), Ok(()));
    }
    assert_eq!(push(&mut content, 1), Err(smp_protocol::transmission::DoesNotFit::Full));
    assert_eq!(content.count(), 255);
    assert_eq!(CorrelationId::default(), CorrelationId::empty());
}
