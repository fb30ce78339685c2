//! Vectors of message bodies.

#![allow(clippy::unwrap_used)]

mod common;

use std::borrow::Cow;

use common::commands::flags;
use common::{
    assert_bytes, auth_key, bytes, dh_key, id, number, optional, ramp, read_result, text, time, x25519,
};
use serde_json::Value;
use smp_crypto::{BoxKey, DhSecret, Nonce};
use smp_protocol::body::{
    CONFIRMATION_PADDED_LENGTH, ClientEnvelope, ClientMessage, MESSAGE_PADDED_LENGTH, META_PADDED_LENGTH,
    NotificationMeta, PrivateHeader, RECEIVED_PADDED_LENGTH, ReceivedBody, max_message_length,
};
use smp_protocol::encoding::{from_bytes, to_bytes};
use smp_protocol::id::MessageId;
use smp_protocol::proxy::PROXIED_PADDED_LENGTH;
use smp_protocol::version::SmpClientVersion;

#[test]
fn vectors() {
    common::run("message_bodies.json", |kind, case| match kind {
        "server_encrypted_body" => received(case),
        "body_size" => {
            assert_eq!(text(&case["result"]), "CryptoLargeMsgError");
            let body = ReceivedBody::Message {
                time: time(&1.into()),
                flags: Default::default(),
                body: Cow::Owned(ramp(number(&case["length"]) as usize)),
            };
            let mut out = vec![7];
            assert!(body.seal_into(&BoxKey::from_bytes([1; 32]), &MessageId::empty(), &mut out).is_err());
            assert_eq!(out, [7]);
        }
        "recipient_reads_content" => {
            let content = bytes(&case["content"]);
            if let Some((read, expected)) = read_result::<ReceivedBody<'_>>(&content, &case["result"]) {
                check_received(&read, expected);
            }
        }
        "notification_meta" => notification(case),
        "notification_meta_read" => {
            let input = bytes(&case["input"]);
            if let Some((read, expected)) = read_result::<NotificationMeta>(&input, &case["result"]) {
                assert_eq!(read, meta(expected));
            }
        }
        "envelope" => envelope(case),
        "envelope_size" => {
            assert_eq!(number(&case["padded_length"]) as usize, MESSAGE_PADDED_LENGTH);
            assert_eq!(text(&case["result"]), "CryptoLargeMsgError");
            // One byte of the message is the header.
            let body = Cow::Owned(ramp(number(&case["client_message_length"]) as usize - 1));
            let message = ClientMessage { header: PrivateHeader::Empty, body };
            let (key, nonce) = (BoxKey::from_bytes([1; 32]), Nonce::from_bytes([2; 24]));
            assert!(ClientEnvelope::seal(SmpClientVersion(4), None, nonce, &key, &message).is_err());
        }
        "max_message_length" => {
            let length = max_message_length(common::version(&case["version"]));
            assert_eq!(length as i64, number(&case["length"]));
        }
        "lengths" => {
            assert_eq!(number(&case["confirmation_padded"]) as usize, CONFIRMATION_PADDED_LENGTH);
            assert_eq!(number(&case["message_padded"]) as usize, MESSAGE_PADDED_LENGTH);
            assert_eq!(number(&case["proxied_transmission_padded"]) as usize, PROXIED_PADDED_LENGTH);
            assert_eq!(number(&case["received_body_padded"]) as usize, RECEIVED_PADDED_LENGTH);
            assert_eq!(number(&case["notification_meta_padded"]) as usize, META_PADDED_LENGTH);
        }
        "envelope_read" => {
            let input = bytes(&case["input"]);
            if let Some((read, expected)) = read_result::<ClientEnvelope<'_>>(&input, &case["result"]) {
                assert_eq!(i64::from(read.version.0), number(&expected["client_version"]));
                assert_eq!(read.key, optional(&expected["public_header_key_der"], dh_key));
                assert_bytes(read.nonce.as_bytes(), &expected["nonce"]);
                assert_bytes(&read.encrypted, &expected["encrypted"]);
            }
        }
        "client_message_read" => {
            let input = bytes(&case["input"]);
            if let Some((read, expected)) = read_result::<ClientMessage<'_>>(&input, &case["result"]) {
                assert_eq!(read.header, private_header(&expected["private_header"]));
                assert_bytes(&read.body, &expected["body"]);
                assert_eq!(to_bytes(&read), input);
            }
        }
        other => panic!("unknown kind {other}"),
    });
}

/// The secret of two key pairs, from both sides.
fn agreed(case: &Value, ours: &str, theirs: &str) -> BoxKey {
    let (ours, theirs) = (x25519(&case[ours]), x25519(&case[theirs]));
    let secret = ours.agree(&theirs.public_key());
    assert_eq!(theirs.agree(&ours.public_key()), secret);
    assert_eq!(secret, DhSecret::from_slice(&bytes(&case["dh_secret"])).unwrap());
    secret.box_key()
}

fn nonce(value: &Value) -> Nonce {
    Nonce::from_bytes(bytes(value).try_into().unwrap())
}

fn received(case: &Value) {
    let key = agreed(case, "recipient_key_pair", "server_key_pair");
    let message_id: MessageId = id(&case["message_id"]);
    assert_eq!(number(&case["padded_length"]) as usize, RECEIVED_PADDED_LENGTH);
    let time = time(&case["timestamp"]);
    let body = match optional(&case["body"], body) {
        Some(body) => {
            if let Some(length) = case.get("body_ramp_length") {
                assert_eq!(body.len() as i64, number(length));
            }
            ReceivedBody::Message { time, flags: flags(&case["flags"]), body: Cow::Owned(body) }
        }
        None => {
            assert!(case["flags"].is_null());
            ReceivedBody::Quota { time }
        }
    };
    let content = to_bytes(&body);
    assert_bytes(&content, &case["content"]);
    let mut sealed = vec![7];
    body.seal_into(&key, &message_id, &mut sealed).unwrap();
    let encrypted = &mut sealed[1..];
    assert_bytes(encrypted, &case["encrypted"]);
    assert_eq!(ReceivedBody::open(&key, &message_id, encrypted), Ok(body.clone()));
    let opened = ReceivedBody::open_in_place(&key, &message_id, encrypted).unwrap();
    if let Some(expected) = case.get("recipient_reads") {
        check_received(&opened, expected);
    }
    assert_eq!(opened, body);
    assert!(ReceivedBody::open(&key, &MessageId::from([9; 24]), &sealed[1..]).is_err());
}

fn body(value: &Value) -> Vec<u8> {
    bytes(value)
}

fn check_received(read: &ReceivedBody<'_>, expected: &Value) {
    match read {
        ReceivedBody::Quota { time: read } => assert_eq!(*read, time(&expected["quota_timestamp"])),
        ReceivedBody::Message { time: read, flags: read_flags, body } => {
            assert_eq!(*read, time(&expected["timestamp"]));
            assert_eq!(*read_flags, flags(&expected["flags"]));
            assert_bytes(body, &expected["body"]);
        }
    }
}

fn meta(value: &Value) -> NotificationMeta {
    NotificationMeta { message_id: id(&value["message_id"]), time: time(&value["timestamp"]) }
}

fn notification(case: &Value) {
    let key = agreed(case, "recipient_key_pair", "server_key_pair");
    let (meta, nonce) = (meta(case), nonce(&case["nonce"]));
    assert_bytes(&to_bytes(&meta), &case["meta"]);
    assert_eq!(from_bytes(&bytes(&case["meta"])), Ok(meta.clone()));
    assert_eq!(number(&case["padded_length"]) as usize, META_PADDED_LENGTH);
    match meta.seal(&key, &nonce) {
        Ok(sealed) => {
            assert_bytes(sealed.as_bytes(), &case["result"]["encrypted"]);
            assert_eq!(NotificationMeta::open(&key, &nonce, sealed.as_bytes()), Ok(meta));
        }
        Err(_) => assert_eq!(text(&case["result"]["error"]), "CryptoLargeMsgError"),
    }
}

fn private_header(value: &Value) -> PrivateHeader {
    match value.get("confirmation_key") {
        Some(key) => PrivateHeader::Confirmation(auth_key(key)),
        None => {
            assert_eq!(value["empty"], true);
            PrivateHeader::Empty
        }
    }
}

fn envelope(case: &Value) {
    let box_key = agreed(case, "recipient_queue_key_pair", "sender_key_pair");
    let body = body(&case["body"]);
    if let Some(length) = case.get("body_ramp_length") {
        assert_eq!(body.len() as i64, number(length));
    }
    let header = private_header(&case["private_header"]);
    let message = ClientMessage { header, body: Cow::Owned(body) };
    let encoded = to_bytes(&message);
    assert_bytes(&encoded, &case["client_message"]);
    assert_eq!(from_bytes(&encoded), Ok(message.clone()));

    let version = SmpClientVersion(number(&case["client_version"]) as u16);
    let key = optional(&case["public_header_key_der"], dh_key);
    let padded = if key.is_some() { CONFIRMATION_PADDED_LENGTH } else { MESSAGE_PADDED_LENGTH };
    assert_eq!(number(&case["padded_length"]) as usize, padded);
    let envelope = ClientEnvelope::seal(version, key, nonce(&case["nonce"]), &box_key, &message).unwrap();
    let encoded = to_bytes(&envelope);
    assert_bytes(&encoded, &case["envelope"]);
    assert_eq!(encoded.len() as i64, number(&case["envelope_length"]));
    let read: ClientEnvelope<'_> = from_bytes(&encoded).unwrap();
    assert_eq!(read, envelope);
    assert_eq!(read.open(&box_key), Ok(message));
    assert_eq!(read.into_owned(), envelope);
}
