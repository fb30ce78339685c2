//! Vectors of forwarded commands: all layers, there and back.

#![allow(clippy::unwrap_used)]

mod common;

use std::borrow::Cow;

use common::commands::{command, message};
use common::{assert_bytes, bytes, id, ids, number, optional, private_key, ramp, text, version, x25519};
use serde_json::Value;
use smp_crypto::{BoxKey, DhSecret, Nonce, X25519PrivateKey};
use smp_protocol::command::Command;
use smp_protocol::encoding::{from_bytes, to_bytes};
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::proxy::{
    ForwardedResponse, ForwardedTransmission, PROXIED_PADDED_LENGTH, open_answer, open_content, seal_answer,
    seal_content,
};
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{
    BlockContent, CommandKey, authorize, prepare, prepare_message, read_commands, read_messages,
};

#[test]
fn vectors() {
    common::run("proxy.json", |kind, case| match kind {
        "proxied_command" => proxied_command(case),
        "inner_content_size" => {
            assert_eq!(number(&case["padded_length"]) as usize, PROXIED_PADDED_LENGTH);
            let content = ramp(number(&case["length"]) as usize);
            let sealed = seal_content(&BoxKey::from_bytes([1; 32]), &CorrelationId::empty(), &content);
            assert_eq!(sealed.map_or("CryptoLargeMsgError", |_| "ok"), text(&case["result"]));
        }
        other => panic!("unknown kind {other}"),
    });
}

fn secret(ours: &X25519PrivateKey, theirs: &X25519PrivateKey, expected: &Value) -> BoxKey {
    let secret = ours.agree(&theirs.public_key());
    assert_eq!(theirs.agree(&ours.public_key()), secret);
    assert_eq!(secret, DhSecret::from_slice(&bytes(expected)).unwrap());
    secret.box_key()
}

/// The content of a block with one command without authorization.
fn block_with_command(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    command: &Command<'_>,
) -> BlockContent {
    let mut content = BlockContent::new();
    let prepared = prepare(session, correlation_id, entity_id, command);
    content.push(|out| prepared.write(None, session, out)).unwrap();
    content
}

fn block_with_message(
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    message: &BrokerMessage<'_>,
) -> BlockContent {
    let mut content = BlockContent::new();
    let prepared = prepare_message(session, correlation_id, entity_id, message);
    content.push(|out| prepared.write(None, session, out)).unwrap();
    content
}

struct Parties {
    /// Between client and proxy, between proxy and destination, and of the forwarded command.
    client_proxy: SessionParameters,
    proxy_relay: SessionParameters,
    inner: SessionParameters,
    command_key: X25519PrivateKey,
    relay_key: X25519PrivateKey,
    command_secret: BoxKey,
    proxy_secret: BoxKey,
    correlation_id: CorrelationId,
    entity_id: EntityId,
    proxy_correlation_id: CorrelationId,
}

fn proxied_command(case: &Value) {
    let relay_session = |version| SessionParameters { version, id: id(&case["relay_session_id"]) };
    let command_key = x25519(&case["command_key_pair"]);
    let relay_key = x25519(&case["relay_session_key_pair"]);
    let proxy_key = x25519(&case["proxy_handshake_key_pair"]);
    let (correlation_id, entity_id) = ids(case);
    let parties = Parties {
        client_proxy: SessionParameters {
            version: version(&case["client_proxy_version"]),
            id: id(&case["client_session_id"]),
        },
        proxy_relay: relay_session(version(&case["proxy_relay_version"])),
        inner: relay_session(version(&case["inner_version"])),
        command_secret: secret(&command_key, &relay_key, &case["command_secret"]),
        proxy_secret: secret(&proxy_key, &relay_key, &case["proxy_relay_secret"]),
        command_key,
        relay_key,
        correlation_id,
        entity_id,
        proxy_correlation_id: id(&case["proxy_corr_id"]),
    };
    there(case, &parties);
    back(case, &parties);
}

/// The client's command up to the destination relay.
fn there(case: &Value, p: &Parties) {
    let inner = inner_content(case, p);
    assert_bytes(inner.as_bytes(), &case["inner_block_content"]);
    assert_eq!(number(&case["inner_padded_length"]) as usize, PROXIED_PADDED_LENGTH);
    let encrypted = seal_content(&p.command_secret, &p.correlation_id, inner.as_bytes()).unwrap();
    assert_bytes(&encrypted, &case["encrypted_transmission"]);

    let forward = Command::ProxyForward {
        version: p.inner.version,
        key: p.command_key.public_key().into(),
        transmission: Cow::Borrowed(&encrypted),
    };
    let session_id = EntityId::new(p.proxy_relay.id.as_bytes()).unwrap();
    let pfwd = block_with_command(&p.client_proxy, &p.correlation_id, &session_id, &forward);
    assert_bytes(pfwd.as_bytes(), &case["pfwd_block_content"]);

    let forwarded = ForwardedTransmission {
        correlation_id: p.correlation_id.clone(),
        version: p.inner.version,
        key: p.command_key.public_key().into(),
        transmission: Cow::Borrowed(&encrypted),
    };
    assert_bytes(&to_bytes(&forwarded), &case["forwarded_transmission"]);
    assert_eq!(from_bytes(&to_bytes(&forwarded)), Ok(forwarded.clone()));
    let sealed = forwarded.seal(&p.proxy_secret, &p.proxy_correlation_id);
    assert_bytes(&sealed, &case["encrypted_forwarded_transmission"]);
    let relay_forward = Command::RelayForward(Cow::Borrowed(&sealed));
    let rfwd =
        block_with_command(&p.proxy_relay, &p.proxy_correlation_id, &EntityId::empty(), &relay_forward);
    assert_bytes(rfwd.as_bytes(), &case["rfwd_block_content"]);
    assert_eq!(rfwd.as_bytes().len() as i64, number(&case["rfwd_block_content_length"]));

    let opened = ForwardedTransmission::open(&p.proxy_secret, &p.proxy_correlation_id, &sealed).unwrap();
    assert_eq!(opened, forwarded);
    let key = p.relay_key.agree(&opened.key.0).box_key();
    let content = open_content(&key, &opened.correlation_id, &opened.transmission).unwrap();
    assert_eq!(content, inner.as_bytes());
    check_relay_reads(&content, case, p);
    assert!(open_content(&key, &p.proxy_correlation_id, &opened.transmission).is_err());
}

fn inner_content(case: &Value, p: &Parties) -> BlockContent {
    let prepared = prepare(&p.inner, &p.correlation_id, &p.entity_id, &command(&case["command"]));
    assert_bytes(prepared.authorized(), &case["inner_for_authorization"]);
    assert_bytes(prepared.to_send(), &case["inner_to_send"]);
    let nonce = Nonce::from_slice_padded(p.correlation_id.as_bytes());
    let authorization = optional(&case["queue_key"], |key| {
        let (key, relay_key) = (private_key(key), p.relay_key.public_key());
        authorize(CommandKey::Queue(&key), Some(&relay_key), &nonce, prepared.authorized(), None).unwrap()
    });
    match &authorization {
        None => assert!(case["inner_authorization"].is_null()),
        Some(authorization) => {
            let expected = &case["inner_authorization"];
            assert_bytes(authorization.as_bytes(), &expected["bytes"]);
            let kind = if authorization.as_bytes().len() == 80 { "authenticator" } else { "signature" };
            assert_eq!(kind, text(&expected["kind"]));
            assert!(expected["service_signature"].is_null() && authorization.service_signature().is_none());
        }
    }
    let mut content = BlockContent::new();
    content.push(|out| prepared.write(authorization.as_ref(), &p.inner, out)).unwrap();
    content
}

fn check_relay_reads(content: &[u8], case: &Value, p: &Parties) {
    let read: Vec<_> = read_commands(content, &p.inner).collect();
    let expected = case["relay_reads"].as_array().unwrap();
    let ([Ok(read)], [expected]) = (&read[..], &expected[..]) else { panic!("{read:?}") };
    assert_eq!((read.correlation_id.clone(), read.entity_id.clone()), ids(expected));
    assert_eq!(read.command, command(&expected["command"]));
    let mut authorized = Vec::new();
    read.write_authorized(&p.inner, &mut authorized);
    assert_bytes(&authorized, &expected["authorized_bytes"]);
    match read.authorization {
        None => assert!(expected["authorization"].is_null()),
        Some(authorization) => {
            assert_bytes(authorization.as_bytes(), &expected["authorization"]["bytes"]);
            let kind = if authorization.signature().is_some() { "signature" } else { "authenticator" };
            assert_eq!(kind, text(&expected["authorization"]["kind"]));
            assert!(expected["authorization"]["service_signature"].is_null());
            assert!(read.service_signature.is_none());
        }
    }
}

/// The destination relay's answer up to the client.
fn back(case: &Value, p: &Parties) {
    let answer = block_with_message(&p.inner, &p.correlation_id, &p.entity_id, &message(&case["response"]));
    assert_bytes(answer.as_bytes(), &case["response_block_content"]);
    let reversed = |id: &CorrelationId| Nonce::from_slice_padded(id.as_bytes()).reversed();
    assert_bytes(reversed(&p.correlation_id).as_bytes(), &case["response_nonce"]);
    assert_bytes(reversed(&p.proxy_correlation_id).as_bytes(), &case["proxy_response_nonce"]);
    let encrypted = seal_answer(&p.command_secret, &p.correlation_id, answer.as_bytes()).unwrap();
    assert_bytes(&encrypted, &case["encrypted_response"]);

    let response =
        ForwardedResponse { correlation_id: p.correlation_id.clone(), response: Cow::Borrowed(&encrypted) };
    assert_bytes(&to_bytes(&response), &case["forwarded_response"]);
    assert_eq!(from_bytes(&to_bytes(&response)), Ok(response.clone()));
    let sealed = response.seal(&p.proxy_secret, &p.proxy_correlation_id);
    assert_bytes(&sealed, &case["encrypted_forwarded_response"]);
    let rres = BrokerMessage::RelayResponse(Cow::Borrowed(&sealed));
    let rres = block_with_message(&p.proxy_relay, &p.proxy_correlation_id, &EntityId::empty(), &rres);
    assert_bytes(rres.as_bytes(), &case["rres_block_content"]);

    let opened = ForwardedResponse::open(&p.proxy_secret, &p.proxy_correlation_id, &sealed).unwrap();
    assert_eq!(opened, response);
    let pres = BrokerMessage::ProxyResponse(opened.response.clone());
    let session_id = EntityId::new(p.proxy_relay.id.as_bytes()).unwrap();
    let pres = block_with_message(&p.client_proxy, &p.correlation_id, &session_id, &pres);
    assert_bytes(pres.as_bytes(), &case["pres_block_content"]);

    let content = open_answer(&p.command_secret, &p.correlation_id, &opened.response).unwrap();
    let read: Vec<_> = read_messages(&content, &p.inner).collect();
    let expected = case["client_reads"].as_array().unwrap();
    let ([read], [expected]) = (&read[..], &expected[..]) else { panic!("{read:?}") };
    assert_eq!((read.correlation_id.clone(), read.entity_id.clone()), ids(expected));
    assert_eq!(read.message, Ok(message(&expected["message"])));
}
