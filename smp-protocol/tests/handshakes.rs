//! Vectors of handshakes: the messages, and both sides against each other.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;

use common::commands::chain;
use common::errors::transport_error;
use common::{
    assert_bytes, bytes, dh_key, ed25519, flag, id, number, optional, signature_key, text, version,
    version_range, x25519,
};
use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::{PrivateSignatureKey, X25519PrivateKey, block_chain};
use smp_protocol::certificate::{CertificateChain, CertifiedKey, SignedKey};
use smp_protocol::encoding::{Encode, ShortString, to_bytes};
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::client::{self, Client, ServiceCredentials};
use smp_protocol::handshake::{ClientHello, ClientService, RelayHello, ServiceResponse, ServiceRole, relay};
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::session::AgreedSession;
use smp_protocol::version::{SmpVersion, VersionRange};

/// A chain with the private keys of its certificates.
struct Credentials {
    chain: CertificateChain,
    keys: Vec<PrivateSignatureKey>,
}

type Chains = HashMap<String, Credentials>;

#[test]
fn vectors() {
    let mut chains = Chains::new();
    common::run("handshakes.json", |kind, case| match kind {
        "inputs" => read_chains(case, &mut chains),
        "server_handshake" => relay_hello(case, &chains),
        "client_handshake" => client_hello(case, &chains),
        "server_handshake_response" => service_response(case),
        "parse_server_handshake" => {
            parse(case, RelayHello::read, |hello, expected| {
                assert_eq!(hello.versions, version_range(&expected["version_range"]));
                assert_bytes(hello.session_id.as_bytes(), &expected["session_id"]);
                check_certified_key(hello.key.as_ref(), &expected["auth_key"]);
            });
        }
        "parse_client_handshake" => parse(case, ClientHello::read, |hello, expected| {
            check_client_hello(&hello, expected);
        }),
        "parse_server_handshake_response" => parse(case, ServiceResponse::read, |response, expected| {
            assert_eq!(response, read_response(expected));
        }),
        "complete_handshake" => complete(case, &chains),
        "identity_certificate" => identity(case, &chains),
        "session_id_check" => session_id_check(case, &chains["ed25519"]),
        other => panic!("unknown kind {other}"),
    });
}

fn read_chains(case: &Value, chains: &mut Chains) {
    for (name, value) in case["chains"].as_object().unwrap() {
        let chain = chain(&value["certificates_der"]);
        let hashes = value["certificates_sha256"].as_array().unwrap();
        assert_eq!(chain.certificates().count(), hashes.len());
        for (certificate, hash) in chain.certificates().zip(hashes) {
            assert_bytes(&sha256(certificate), hash);
        }
        let keys: Vec<_> =
            value["private_keys_pkcs8_der"].as_array().unwrap().iter().map(signature_key).collect();
        assert_eq!(chain.leaf_key(), Some(keys[0].public_key()));
        assert!(chain.is_linked());
        check_keys(&chain, &keys);
        chains.insert(name.clone(), Credentials { chain, keys });
    }
}

/// Each private key belongs to its certificate.
fn check_keys(chain: &CertificateChain, keys: &[PrivateSignatureKey]) {
    for (certificate, key) in chain.certificates().zip(keys) {
        let alone = CertificateChain::new(vec![certificate.to_vec()]).unwrap();
        assert_eq!(alone.leaf_key(), Some(key.public_key()));
    }
}

/// The SHA-256 of a block with this content.
fn check_block(content: &[u8], expected: &Value) {
    let mut block = Box::new([0; block_chain::BLOCK_SIZE]);
    block_chain::pad_block(content, &mut block).unwrap();
    assert_bytes(&sha256(block.as_slice()), expected);
}

fn check_certified_key(actual: Option<&CertifiedKey>, expected: &Value) {
    let Some(actual) = actual else {
        assert!(expected.is_null());
        return;
    };
    let hashes: Vec<_> = actual.chain.certificates().map(|der| hex::encode(sha256(der))).collect();
    assert_eq!(serde_json::json!(hashes), expected["certificates_sha256"]);
    assert_bytes(&sha256(actual.signed_key.as_der()), &expected["signed_key_sha256"]);
}

/// Checks the parts of a signed key.
fn check_signed_key(key: &SignedKey, case: &Value) {
    assert_bytes(key.as_der(), &case["signed_key_der"]);
    let signed = bytes(&case["signed_key_signed_bytes"]);
    let header = if key.as_der()[1] < 0x80 { 2 } else { 3 };
    assert_eq!(key.as_der()[header..][..signed.len()], signed);
}

fn relay_hello(case: &Value, chains: &Chains) {
    let versions = version_range(&case["version_range"]);
    let session_id: SessionId = id(&case["session_id"]);
    let hello = match case.get("signed_key_pair") {
        Some(pair) => {
            let credentials = &chains[text(&case["chain"])];
            let key = x25519(pair);
            let hello =
                relay::hello(versions, session_id.clone(), &credentials.chain, &credentials.keys[0], &key);
            let signed_key = &hello.key.as_ref().unwrap().signed_key;
            check_signed_key(signed_key, case);
            let leaf_key = credentials.keys[0].public_key();
            assert_eq!(signed_key.verify_x25519(&leaf_key), Ok(key.public_key()));
            assert_eq!(signed_key.verify_ed25519(&leaf_key), Err(HandshakeError::BadAuth));
            hello
        }
        None => {
            assert!(case["chain"].is_null());
            RelayHello { versions, session_id: session_id.clone(), key: None }
        }
    };
    let encoded = to_bytes(&hello);
    assert_bytes(&encoded, &case["encoded"]);
    check_block(&encoded, &case["padded_block_sha256"]);
    let read = RelayHello::read(&encoded).unwrap();
    assert_eq!((read.versions, &read.session_id), (versions, &session_id));
    assert_eq!(read.key, hello.key.filter(|_| flag(&case["auth_key_sent"])));
}

fn role(value: &Value) -> ServiceRole {
    match text(value) {
        "messaging" => ServiceRole::Messaging,
        "notifier" => ServiceRole::Notifier,
        "proxy" => ServiceRole::Proxy,
        other => panic!("unknown role {other}"),
    }
}

fn client_hello(case: &Value, chains: &Chains) {
    let service = optional(&case["client_service"], |service| {
        let credentials = &chains[text(&service["chain"])];
        let key = ed25519(&service["signed_key_pair"]).public_key();
        let signed_key = SignedKey::sign_ed25519(&key, &credentials.keys[0]);
        check_signed_key(&signed_key, service);
        assert_eq!(signed_key.verify_ed25519(&credentials.keys[0].public_key()), Ok(key));
        let key = CertifiedKey { chain: credentials.chain.clone(), signed_key };
        ClientService { role: role(&service["role"]), key }
    });
    let hello = ClientHello {
        version: version(&case["version"]),
        fingerprint: ShortString::new(bytes(&case["key_hash"])).unwrap(),
        key: optional(&case["auth_key_pair"], |pair| x25519(pair).public_key()),
        proxy: flag(&case["proxy_server"]),
        service,
    };
    let encoded = to_bytes(&hello);
    assert_bytes(&encoded, &case["encoded"]);
    check_block(&encoded, &case["padded_block_sha256"]);
    check_client_hello(&ClientHello::read(&encoded).unwrap(), &case["parsed_back"]);
}

fn check_client_hello(hello: &ClientHello, expected: &Value) {
    assert_eq!(hello.version, version(&expected["version"]));
    assert_bytes(hello.fingerprint.as_bytes(), &expected["key_hash"]);
    assert_eq!(hello.key, optional(&expected["auth_key"], dh_key));
    assert_eq!(hello.proxy, flag(&expected["proxy_server"]));
    match &hello.service {
        None => assert!(expected["client_service"].is_null()),
        Some(service) => {
            assert_eq!(service.role, role(&expected["client_service"]["role"]));
            check_certified_key(Some(&service.key), &expected["client_service"]["cert_key"]);
        }
    }
}

fn read_response(value: &Value) -> ServiceResponse {
    match value.get("error") {
        Some(error) => ServiceResponse::Refused(transport_error(text(error))),
        None => ServiceResponse::Registered(id(&value["service_id"])),
    }
}

fn service_response(case: &Value) {
    let response = read_response(&case["result"]);
    let encoded = to_bytes(&response);
    assert_bytes(&encoded, &case["encoded"]);
    check_block(&encoded, &case["padded_block_sha256"]);
    assert_eq!(ServiceResponse::read(&encoded), Ok(response));
}

fn parse<T: std::fmt::Debug>(
    case: &Value,
    read: impl Fn(&[u8]) -> Result<T, TransportError>,
    check: impl Fn(T, &Value),
) {
    let result = read(&bytes(&case["input"]));
    match case["result"].get("ok") {
        Some(expected) => check(result.unwrap(), expected),
        None => assert_eq!(result.unwrap_err(), HandshakeError::Parse.into()),
    }
}

/// The messages and results of a handshake between both sides.
#[derive(Default)]
struct Run {
    messages: Vec<(&'static str, Vec<u8>)>,
    relay: Option<Result<AgreedSession, TransportError>>,
    client: Option<Result<AgreedSession, TransportError>>,
    service: Option<(ServiceId, [u8; 32])>,
}

impl Run {
    fn send(&mut self, direction: &'static str, message: &impl Encode) -> Vec<u8> {
        let content = to_bytes(message);
        self.messages.push((direction, content.clone()));
        content
    }
}

fn run(case: &Value, chains: &Chains) -> Run {
    let mut run = Run::default();
    let credentials = &chains[text(&case["chain"])];
    let fingerprint = credentials.chain.relay_fingerprint().unwrap();
    let session_id: SessionId = id(&case["session_id"]);
    let relay_key = x25519(&case["server_key_pair"]);
    let alpn = !case["alpn"].is_null();
    let offered = relay::offered_versions(version_range(&case["server_version_range"]), alpn).unwrap();
    let hello =
        relay::hello(offered, session_id.clone(), &credentials.chain, &credentials.keys[0], &relay_key);
    let content = run.send("server_to_client", &hello);

    let service_key = optional(&case["client_service"], |service| ed25519(&service["service_key_pair"]));
    let client_key = optional(&case["client_key_pair"], x25519);
    let client = Client {
        versions: version_range(&case["client_version_range"]),
        session_id: &session_id,
        fingerprint: &fingerprint,
        relay_chain: &credentials.chain,
        key: client_key.as_ref(),
        proxy: flag(&case["proxy_server"]),
        service: service_key.as_ref().map(|key| service_credentials(case, chains, key)),
    };
    let (answer, client_session) = match client::answer(&RelayHello::read(&content).unwrap(), &client) {
        Ok(answered) => answered,
        Err(error) => {
            run.client = Some(Err(error));
            return run;
        }
    };
    let content = run.send("client_to_server", &answer);
    let answer = ClientHello::read(&content).unwrap();
    let agreed = relay::agree(&answer, offered, session_id, &fingerprint, &relay_key);
    run.client = Some(Ok(client_session));
    run.relay = Some(agreed);
    if let Some(service) = &answer.service {
        third_message(&mut run, service, case, chains);
    }
    run
}

fn service_credentials<'a>(
    case: &Value,
    chains: &'a Chains,
    key: &'a smp_crypto::Ed25519PrivateKey,
) -> ServiceCredentials<'a> {
    let service = &case["client_service"];
    let credentials = &chains[text(&service["chain"])];
    let (chain, leaf_key) = (&credentials.chain, &credentials.keys[0]);
    ServiceCredentials { role: role(&service["role"]), chain, leaf_key, key }
}

fn third_message(run: &mut Run, service: &ClientService, case: &Value, chains: &Chains) {
    let tls_chain = optional(&case["tls_client_chain"], |name| &chains[text(name)].chain);
    let assigned: ServiceId = id(&case["client_service"]["assigned_service_id"]);
    // The relay itself refused to register the service in this one.
    let refused = case["name"] == "full_service_refused";
    let verified = relay::verify_service(service, tls_chain)
        .and_then(|verified| if refused { Err(HandshakeError::BadService.into()) } else { Ok(verified) });
    let response = match verified {
        Ok(verified) => {
            assert_eq!(verified.role, role(&case["client_service"]["role"]));
            let key = ed25519(&case["client_service"]["service_key_pair"]);
            assert_eq!(verified.key, key.public_key());
            run.service = Some((assigned.clone(), verified.fingerprint));
            ServiceResponse::Registered(assigned)
        }
        Err(error) => {
            run.relay = Some(Err(error));
            ServiceResponse::Refused(error)
        }
    };
    let content = run.send("server_to_client", &response);
    if let ServiceResponse::Refused(error) = ServiceResponse::read(&content).unwrap() {
        run.client = Some(Err(error));
    }
}

fn complete(case: &Value, chains: &Chains) {
    if let Some(alpn) = case["alpn"].as_str() {
        assert_eq!(alpn, "smp/1");
    }
    let run = run(case, chains);
    let expected = case["messages"].as_array().unwrap();
    assert_eq!(run.messages.len(), expected.len(), "{}", case["name"]);
    for ((direction, content), expected) in run.messages.iter().zip(expected) {
        assert_eq!(*direction, text(&expected["direction"]));
        assert_bytes(content, &expected["content"]);
        check_block(content, &expected["block_sha256"]);
    }
    if case.get("server_result").is_some() {
        assert_eq!(failure(run.relay.as_ref()), text(&case["server_result"]));
        assert_eq!(failure(run.client.as_ref()), text(&case["client_result"]));
        return;
    }
    let (relay, client) = (run.relay.unwrap().unwrap(), run.client.unwrap().unwrap());
    assert_eq!(client.versions, version_range(&case["client_view_of_range"]));
    assert_eq!(relay.versions, version_range(&case["server_view_of_range"]));
    assert_eq!(client.relay_key.is_some(), flag(&case["client_has_server_key"]));
    check_session(&relay, case);
    check_session(&client, case);
    match run.service {
        None => assert!(case["client_service_id"].is_null() && case["service_cert_hash"].is_null()),
        Some((service_id, fingerprint)) => {
            assert_bytes(service_id.as_bytes(), &case["client_service_id"]);
            assert_bytes(&fingerprint, &case["service_cert_hash"]);
        }
    }
}

fn check_session(session: &AgreedSession, case: &Value) {
    let parameters = &session.parameters;
    assert_eq!(parameters.version, version(&case["agreed_version"]));
    assert_bytes(parameters.id.as_bytes(), &case["session_id"]);
    assert_eq!(!parameters.implies_session_id(), flag(&case["session_id_in_transmissions"]));
    assert_eq!(parameters.has_service_field(), flag(&case["service_auth_field"]));
    // The relay learns it from version 14 only.
    let proxy = flag(&case["proxy_server"]);
    assert!(session.proxy == proxy || proxy && parameters.version < SmpVersion::PROXY_HANDSHAKE);
    match &session.secret {
        None => assert!(case["session_secret"].is_null()),
        Some(secret) => assert_bytes(secret.as_bytes(), &case["session_secret"]),
    }
    match session.chain_keys() {
        None => assert!(case["block_encryption_keys"].is_null()),
        Some(keys) => {
            let expected = &case["block_encryption_keys"];
            assert_bytes(keys.relay_to_client.as_bytes(), &expected["server_to_client_chain_key"]);
            assert_bytes(keys.client_to_relay.as_bytes(), &expected["client_to_server_chain_key"]);
        }
    }
}

/// The results of a handshake that failed, in the words of the vectors.
fn failure(result: Option<&Result<AgreedSession, TransportError>>) -> &'static str {
    match result {
        None => "waiting for the other side",
        Some(Ok(_)) => "accepted",
        Some(Err(TransportError::Version)) => "TEVersion",
        Some(Err(TransportError::BadSession)) => "TEBadSession",
        Some(Err(TransportError::Handshake(HandshakeError::BadAuth))) => {
            "TEHandshake {handshakeErr = BAD_AUTH}"
        }
        Some(Err(TransportError::Handshake(HandshakeError::BadService))) => {
            "TEHandshake {handshakeErr = BAD_SERVICE}"
        }
        Some(Err(other)) => panic!("no vector fails with {other}"),
    }
}

/// A client's result for a hello with this chain, signed by this key.
fn client_result(
    credentials: &Credentials,
    signer: &PrivateSignatureKey,
    fingerprint: [u8; 32],
    session_ids: (&SessionId, &SessionId),
) -> &'static str {
    let versions = VersionRange::new(SmpVersion(6), SmpVersion(18)).unwrap();
    let key = X25519PrivateKey::from_bytes([5; 32]);
    let hello = relay::hello(versions, session_ids.1.clone(), &credentials.chain, signer, &key);
    let client = Client {
        versions,
        session_id: session_ids.0,
        fingerprint: &fingerprint,
        relay_chain: &credentials.chain,
        key: None,
        proxy: false,
        service: None,
    };
    let result = client::answer(&RelayHello::read(&to_bytes(&hello)).unwrap(), &client);
    failure(Some(&result.map(|(_, session)| session)))
}

fn identity(case: &Value, chains: &Chains) {
    let credentials = &chains[text(&case["chain"])];
    let index = number(&case["expected_fingerprint_of_certificate"]) as usize;
    let fingerprint = sha256(credentials.chain.certificates().nth(index).unwrap());
    let signer = case.get("signed_by").map_or(credentials, |name| &chains[text(name)]);
    let session_id = SessionId::from([3; 24]);
    let result = client_result(credentials, &signer.keys[0], fingerprint, (&session_id, &session_id));
    assert_eq!(result, text(&case["client_result"]));
}

fn session_id_check(case: &Value, credentials: &Credentials) {
    let (tls, sent) = (id(&case["tls_session_id"]), id(&case["handshake_session_id"]));
    let fingerprint = credentials.chain.relay_fingerprint().unwrap();
    let result = client_result(credentials, &credentials.keys[0], fingerprint, (&tls, &sent));
    assert_eq!(result, text(&case["client_result"]));
}

/// A relay of another identity than the client wants, and a version that was not offered.
#[test]
fn relay_refusals() {
    let hello = |version, fingerprint: &[u8]| ClientHello {
        version,
        fingerprint: ShortString::new(fingerprint.to_vec()).unwrap(),
        key: None,
        proxy: false,
        service: None,
    };
    let versions = VersionRange::new(SmpVersion(8), SmpVersion(12)).unwrap();
    let key = X25519PrivateKey::from_bytes([5; 32]);
    let agree =
        |hello: &ClientHello| relay::agree(hello, versions, SessionId::empty(), &[1; 32], &key).map(|_| ());
    assert_eq!(agree(&hello(SmpVersion(12), &[1; 32])), Ok(()));
    assert_eq!(agree(&hello(SmpVersion(7), &[1; 32])), Err(TransportError::Version));
    assert_eq!(agree(&hello(SmpVersion(13), &[1; 32])), Err(TransportError::Version));
    assert_eq!(agree(&hello(SmpVersion(12), &[2; 32])), Err(HandshakeError::Identity.into()));
    assert_eq!(agree(&hello(SmpVersion(12), &[])), Err(HandshakeError::Identity.into()));
}
