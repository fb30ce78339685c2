//! Envelopes and messages of agents against vectors of the reference implementation.

#![allow(clippy::unwrap_used)]

mod agent_support;

use std::borrow::Cow;

use agent_support::values::{
    auth_key, connection_request, non_empty, queue_info, queue_uri, ratchet, sender_queue, version,
};
use agent_support::{
    array, assert_same_error, bytes, check_fields, fields, number, optional, result, run, text,
};
use serde_json::Value;
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, AgentMessageId, AnyKem, MessageHeader, MessageReceipt,
    ProposedKem, QueueKey, QueueReady, QueueReplacement, connection_info_length, message_hash,
    message_length,
};
use smp_protocol::encoding::{
    DecodeError, Encode, LargeString, ShortString, from_bytes, from_text, to_bytes, to_text,
};
use smp_protocol::link::ConnectionRequest;
use smp_protocol::version::SmpClientVersion;

/// Where we refuse what the reference reads; the reason is in chapter `6-agent.md`.
const REFUSED_BY_US: [(&str, DecodeError); 1] =
    [("read_e2e_short_kem_key_is_read", DecodeError::Invalid("KEM public key"))];

#[test]
fn agent_messages() {
    run("agent_messages.json", |kind, case| match kind {
        "envelope" => encoding(case, envelope, read_envelope),
        "agent_message" => encoding(case, agent_message, read_agent_message),
        "a_message" => encoding(case, a_message, |bytes| from_bytes(bytes).map(AMessage::into_owned)),
        "e2e_params" => encoding(case, ratchet::<AnyKem>, |bytes| from_bytes(bytes)),
        "queue_info" => encoding(case, queue_info, |bytes| from_bytes(bytes)),
        "queue_uri" => queue_uri_case(case),
        "queue_uri_to_info" => queue_uri_to_info(case),
        "private_header" => private_header(case),
        "read_envelope" => reading(case, envelope, read_envelope),
        "read_agent_message" => reading(case, agent_message, read_agent_message),
        "read_e2e_params" => reading(case, ratchet::<AnyKem>, |bytes| from_bytes(bytes)),
        "read_e2e_params_proposed_only" => reading(case, ratchet::<ProposedKem>, |bytes| from_bytes(bytes)),
        "read_queue_info" => reading(case, queue_info, |bytes| from_bytes(bytes)),
        "read_queue_uri" => reading(case, queue_uri, |bytes| from_bytes(bytes)),
        "hash_chain" => hash_chain(case),
        "padded_lengths" => padded_lengths(case),
        other => panic!("unknown kind {other}"),
    });
}

fn read_envelope(bytes: &[u8]) -> Result<AgentEnvelope<'static>, DecodeError> {
    from_bytes(bytes).map(AgentEnvelope::into_owned)
}

fn read_agent_message(bytes: &[u8]) -> Result<AgentMessage<'static>, DecodeError> {
    from_bytes(bytes).map(AgentMessage::into_owned)
}

/// Encodes the value, and reads the encoding.
fn encoding<T: Encode + PartialEq + std::fmt::Debug>(
    case: &Value,
    value: fn(&Value) -> T,
    read: fn(&[u8]) -> Result<T, DecodeError>,
) {
    check_fields(case, &["value", "encoded"], &["parsed_back"]);
    let encoded = bytes(&case["encoded"]);
    assert_eq!(hex::encode(to_bytes(&value(&case["value"]))), hex::encode(&encoded));
    let expected = case.get("parsed_back").unwrap_or(&case["value"]);
    assert_eq!(read(&encoded), Ok(value(expected)));
}

/// Reads unusual bytes.
fn reading<T: PartialEq + std::fmt::Debug>(
    case: &Value,
    value: fn(&Value) -> T,
    read: fn(&[u8]) -> Result<T, DecodeError>,
) {
    check_fields(case, &["input", "result"], &[]);
    let ours = read(&bytes(&case["input"]));
    if let Some((_, error)) = REFUSED_BY_US.iter().find(|(name, _)| *name == text(&case["name"])) {
        assert!(result(&case["result"]).is_ok());
        assert_eq!(ours.unwrap_err(), *error);
        return;
    }
    match result(&case["result"]) {
        Ok(expected) => assert_eq!(ours, Ok(value(expected))),
        Err(reference) => assert_same_error(ours.unwrap_err(), reference),
    }
}

fn queue_uri_case(case: &Value) {
    check_fields(case, &["value", "encoded", "str_encoded"], &["parsed_back", "str_parsed_back"]);
    let value = &case["value"];
    let uri = queue_uri(value);
    assert_eq!(hex::encode(to_bytes(&uri)), text(&case["encoded"]));
    assert_eq!(to_text(&uri), text(&case["str_encoded"]));
    let read = from_bytes(&bytes(&case["encoded"]));
    assert_eq!(read, Ok(queue_uri(case.get("parsed_back").unwrap_or(value))));
    let read = from_text(text(&case["str_encoded"]));
    assert_eq!(read, Ok(queue_uri(case.get("str_parsed_back").unwrap_or(value))));
}

fn queue_uri_to_info(case: &Value) {
    check_fields(case, &["queue_uri", "agreed_version", "encoded"], &[]);
    let version: SmpClientVersion = version(&case["agreed_version"]);
    let info = queue_uri(&case["queue_uri"]).at(version);
    assert_eq!(hex::encode(to_bytes(&info)), text(&case["encoded"]));
}

fn private_header(case: &Value) {
    check_fields(case, &["message_id", "previous_hash", "encoded"], &[]);
    let hash = bytes(&case["previous_hash"]);
    let hash = (!hash.is_empty()).then(|| hash.try_into().unwrap());
    let header = MessageHeader::new(message_id(&case["message_id"]), hash.as_ref());
    assert_eq!(hex::encode(to_bytes(&header)), text(&case["encoded"]));
    assert_eq!(from_bytes::<MessageHeader<'_>>(&bytes(&case["encoded"])), Ok(header));
}

fn hash_chain(case: &Value) {
    check_fields(case, &["first", "first_hash", "second", "second_hash", "note"], &[]);
    let (first, second) = (bytes(&case["first"]), bytes(&case["second"]));
    let first_hash = message_hash(&first);
    assert_eq!(first_hash, array(&case["first_hash"]));
    assert_eq!(message_hash(&second), array(&case["second_hash"]));
    let message = |number, previous_hash: Option<&[u8; 32]>, body: &'static [u8]| AgentMessage::Message {
        header: MessageHeader::new(AgentMessageId(number), previous_hash),
        message: AMessage::Message(body.into()),
    };
    assert_eq!(to_bytes(&message(1, None, b"first")), first);
    assert_eq!(to_bytes(&message(2, Some(&first_hash), b"second")), second);
}

fn padded_lengths(case: &Value) {
    check_fields(case, &["agent_version", "pq", "connection_info", "message"], &[]);
    let (version, pq) = (version(&case["agent_version"]), case["pq"].as_bool().unwrap());
    assert_eq!(connection_info_length(version, pq) as u64, number(&case["connection_info"]));
    assert_eq!(message_length(version, pq) as u64, number(&case["message"]));
}

fn message_id(value: &Value) -> AgentMessageId {
    AgentMessageId(value.as_i64().unwrap())
}

fn body(value: &Value) -> Cow<'static, [u8]> {
    Cow::Owned(bytes(value))
}

fn envelope(value: &Value) -> AgentEnvelope<'static> {
    match text(&value["kind"]) {
        "confirmation" => {
            let [_, version_, e2e, info] = fields(value, ["kind", "agent_version", "e2e", "encrypted_info"]);
            AgentEnvelope::Confirmation {
                version: version(version_),
                ratchet: optional(e2e, |e2e| Box::new(ratchet(e2e))),
                encrypted_info: body(info),
            }
        }
        "message" => {
            let [_, version_, message] = fields(value, ["kind", "agent_version", "encrypted_message"]);
            AgentEnvelope::Message { version: version(version_), encrypted_message: body(message) }
        }
        "invitation" => {
            let names = ["kind", "agent_version", "connection_request", "connection_request_str", "info"];
            let [_, version_, request, uri, info] = fields(value, names);
            let (scheme, request) = connection_request(request);
            assert_eq!(request.to_uri(&scheme), text(uri));
            assert_eq!(ConnectionRequest::from_uri(text(uri)), Ok((scheme, request.clone())));
            let ConnectionRequest::Invitation(request) = request else { panic!("not an invitation") };
            AgentEnvelope::Invitation { version: version(version_), request, info: body(info) }
        }
        "ratchet_key" => {
            let [_, version_, e2e, info] = fields(value, ["kind", "agent_version", "e2e", "info"]);
            AgentEnvelope::RatchetKey {
                version: version(version_),
                ratchet: Box::new(ratchet(e2e)),
                info: body(info),
            }
        }
        other => panic!("unknown envelope {other}"),
    }
}

fn agent_message(value: &Value) -> AgentMessage<'static> {
    match text(&value["kind"]) {
        "connection_info" => AgentMessage::ConnectionInfo(body(fields(value, ["kind", "info"])[1])),
        "connection_info_reply" => {
            let [_, queues, info] = fields(value, ["kind", "queues", "info"]);
            AgentMessage::ConnectionInfoReply { queues: non_empty(queues, queue_info), info: body(info) }
        }
        "ratchet_info" => AgentMessage::RatchetInfo(body(fields(value, ["kind", "info"])[1])),
        "message" => {
            let [_, id, hash, message] = fields(value, ["kind", "message_id", "previous_hash", "message"]);
            AgentMessage::Message {
                header: MessageHeader {
                    message_id: message_id(id),
                    previous_hash: ShortString::new(bytes(hash)).unwrap(),
                },
                message: a_message(message),
            }
        }
        other => panic!("unknown message {other}"),
    }
}

fn a_message(value: &Value) -> AMessage<'static> {
    let second = |name| fields(value, ["type", name])[1];
    let message = match text(&value["type"]) {
        "HELLO" => {
            fields(value, ["type"]);
            AMessage::Hello
        }
        "A_MSG" => AMessage::Message(body(second("body"))),
        "A_RCVD" => AMessage::Received(non_empty(second("receipts"), receipt)),
        "EREADY" => AMessage::RatchetReady(message_id(second("last_decrypted_message_id"))),
        "A_QCONT" => AMessage::QueueContinue(sender_queue(second("address"))),
        "QADD" => AMessage::QueueAdd(non_empty(second("queues"), |item| {
            let [queue, replaced] = fields(item, ["queue", "replaced"]);
            QueueReplacement { queue: queue_uri(queue), replaced: optional(replaced, sender_queue) }
        })),
        "QKEY" => AMessage::QueueKey(non_empty(second("queues"), |item| {
            let [queue, key] = fields(item, ["queue", "sender_key"]);
            QueueKey { queue: queue_info(queue), sender_key: auth_key(key).into() }
        })),
        "QUSE" => AMessage::QueueUse(non_empty(second("queues"), |item| {
            let [address, primary] = fields(item, ["address", "primary"]);
            QueueReady { queue: sender_queue(address), primary: primary.as_bool().unwrap() }
        })),
        "QTEST" => AMessage::QueueTest(non_empty(second("addresses"), sender_queue)),
        other => panic!("unknown type {other}"),
    };
    assert_eq!(message.name(), text(&value["type"]));
    message
}

fn receipt(value: &Value) -> MessageReceipt<'static> {
    let [id, hash, info] = fields(value, ["message_id", "message_hash", "info"]);
    MessageReceipt {
        message_id: message_id(id),
        message_hash: ShortString::new(bytes(hash)).unwrap(),
        info: LargeString::new(bytes(info)).unwrap(),
    }
}
