//! Values of the agent and of links, from their JSON form in the vector files.

use serde_json::Value;
use smp_crypto::sntrup761::{KemCiphertext, KemPublicKey};
use smp_crypto::x448::X448PublicKey;
use smp_crypto::{Ed25519PublicKey, PublicAuthKey, X25519PublicKey};
use smp_protocol::address::{Host, RelayAddress};
use smp_protocol::agent::{
    AnyKem, KemParameters, QueueAddress, QueueInfo, QueueMode, QueueUri, RatchetParameters,
    RatchetParametersUri, SenderQueueAddress,
};
use smp_protocol::encoding::{Decode, NonEmpty};
use smp_protocol::id::SenderId;
use smp_protocol::link::{ConnectionRequest, ContactRequest, InvitationRequest, LinkScheme, WebServer};
use smp_protocol::version::{AgentVersion, Version, VersionRange};

use super::{array, bytes, fields, list, number, optional, text};

pub fn version<V: Version>(value: &Value) -> V {
    V::from(u16::try_from(number(value)).unwrap())
}

pub fn range<V: Version>(value: &Value) -> VersionRange<V> {
    let [min, max] = list(value) else { panic!("not a range: {value}") };
    VersionRange::new(version(min), version(max)).unwrap()
}

pub fn non_empty<T>(value: &Value, read: impl FnMut(&Value) -> T) -> NonEmpty<T> {
    NonEmpty::new(list(value).iter().map(read).collect()).unwrap()
}

pub fn hosts(value: &Value) -> NonEmpty<Host> {
    non_empty(value, |host| text(host).parse().unwrap())
}

pub fn port(value: &Value) -> Option<u16> {
    let port = text(value);
    (!port.is_empty()).then(|| port.parse().unwrap())
}

pub fn relay(value: &Value) -> RelayAddress {
    let [hosts_, port_, key_hash] = fields(value, ["hosts", "port", "key_hash"]);
    RelayAddress { fingerprint: array(key_hash), hosts: hosts(hosts_), port: port(port_), password: None }
}

pub fn x25519(value: &Value) -> X25519PublicKey {
    X25519PublicKey::from_der(&bytes(value)).unwrap()
}

pub fn x448(value: &Value) -> X448PublicKey {
    X448PublicKey::from_der(&bytes(value)).unwrap()
}

pub fn ed25519(value: &Value) -> Ed25519PublicKey {
    Ed25519PublicKey::from_der(&bytes(value)).unwrap()
}

pub fn auth_key(value: &Value) -> PublicAuthKey {
    let [algorithm, der] = fields(value, ["algorithm", "der"]);
    let key = PublicAuthKey::from_der(&bytes(der)).unwrap();
    assert_eq!(key.algorithm().to_string(), text(algorithm));
    key
}

pub fn sender_id(value: &Value) -> SenderId {
    SenderId::new(&bytes(value)).unwrap()
}

pub fn queue_mode(value: &Value) -> QueueMode {
    match text(value) {
        "messaging" => QueueMode::Messaging,
        "contact" => QueueMode::Contact,
        other => panic!("unknown mode {other}"),
    }
}

pub fn queue_info(value: &Value) -> QueueInfo {
    let [version_, relay_, id, key, mode] =
        fields(value, ["client_version", "server", "sender_id", "dh_key_der", "queue_mode"]);
    QueueInfo { version: version(version_), address: queue_address(relay_, id, key, mode) }
}

pub fn queue_uri(value: &Value) -> QueueUri {
    let [versions, relay_, id, key, mode] =
        fields(value, ["client_version_range", "server", "sender_id", "dh_key_der", "queue_mode"]);
    QueueUri { versions: range(versions), address: queue_address(relay_, id, key, mode) }
}

fn queue_address(relay_: &Value, id: &Value, key: &Value, mode: &Value) -> QueueAddress {
    QueueAddress {
        relay: relay(relay_),
        sender_id: sender_id(id),
        dh_key: x25519(key),
        mode: optional(mode, queue_mode),
    }
}

pub fn sender_queue(value: &Value) -> SenderQueueAddress {
    let [relay_, id] = fields(value, ["server", "sender_id"]);
    SenderQueueAddress { relay: relay(relay_), sender_id: sender_id(id) }
}

fn kem<K: KemParameters>(value: &Value) -> K {
    let key = |value| KemPublicKey::from_slice(&bytes(value)).unwrap();
    let any = match text(&value["state"]) {
        "proposed" => AnyKem::Proposed(key(fields(value, ["state", "public_key"])[1])),
        "accepted" => {
            let [_, ciphertext, public_key] = fields(value, ["state", "ciphertext", "public_key"]);
            let ciphertext = KemCiphertext::from_slice(&bytes(ciphertext)).unwrap();
            AnyKem::Accepted { ciphertext, public_key: key(public_key) }
        }
        other => panic!("unknown state {other}"),
    };
    K::from_parts(any.ciphertext().cloned(), any.public_key().clone()).unwrap()
}

pub fn ratchet<K: KemParameters>(value: &Value) -> RatchetParameters<K> {
    let [version_, key_1, key_2, kem_] = fields(value, ["version", "key_1_der", "key_2_der", "kem"]);
    RatchetParameters {
        version: version(version_),
        key_1: x448(key_1),
        key_2: x448(key_2),
        kem: optional(kem_, kem),
    }
}

pub fn ratchet_uri<K: KemParameters>(value: &Value) -> RatchetParametersUri<K> {
    let [versions, key_1, key_2, kem_] = fields(value, ["version_range", "key_1_der", "key_2_der", "kem"]);
    RatchetParametersUri {
        versions: range(versions),
        key_1: x448(key_1),
        key_2: x448(key_2),
        kem: optional(kem_, kem),
    }
}

fn scheme(value: &Value) -> LinkScheme {
    if value.is_object() {
        let [host, port_] = fields(value, ["https_host", "port"]);
        LinkScheme::Https(WebServer { host: text(host).parse().unwrap(), port: port(port_) })
    } else {
        assert_eq!(text(value), "simplex");
        LinkScheme::Simplex
    }
}

pub fn connection_request(value: &Value) -> (LinkScheme, ConnectionRequest) {
    const COMMON: [&str; 5] = ["mode", "scheme", "agent_version_range", "queues", "client_data"];
    let owned = |data: &Value| text(data).to_owned();
    match text(&value["mode"]) {
        "invitation" => {
            let [a, b, c, d, e] = COMMON;
            let [_, scheme_, versions, queues, data, ratchet] = fields(value, [a, b, c, d, e, "e2e"]);
            let versions: VersionRange<AgentVersion> = range(versions);
            let request = InvitationRequest {
                versions,
                queues: non_empty(queues, queue_uri),
                client_data: optional(data, owned),
                ratchet: ratchet_uri(ratchet),
            };
            (scheme(scheme_), ConnectionRequest::Invitation(Box::new(request)))
        }
        "contact" => {
            let [_, scheme_, versions, queues, data] = fields(value, COMMON);
            let request = ContactRequest {
                versions: range(versions),
                queues: non_empty(queues, queue_uri),
                client_data: optional(data, owned),
            };
            (scheme(scheme_), ConnectionRequest::Contact(request))
        }
        other => panic!("unknown mode {other}"),
    }
}

/// Decodes and panics with the error.
pub fn decoded<'a, T: Decode<'a>>(bytes: &'a [u8]) -> T {
    smp_protocol::encoding::from_bytes(bytes).unwrap()
}
