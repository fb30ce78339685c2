//! The reference's JSON form of ratchets and the vectors' form of everything else, for tests only.

pub mod agreement;
pub mod conversation;
pub mod mutation;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value, json};
use smp_crypto::aes_gcm::{AesIv, AesKey};
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_crypto::x448::{X448PrivateKey, X448PublicKey};
use smp_protocol::version::RatchetVersion;
use smp_ratchet::{
    AcceptedKem, AssociatedData, DecryptError, KeySource, MessageKey, Ratchet, RatchetKem, RatchetPrivateKey,
    RatchetState, RatchetVersions, ReceivingChain, ReceivingChainKey, ReceivingHeaderKey, RemoteRatchetKey,
    RootKey, SendingChain, SendingChainKey, SendingHeaderKey, SkippedKey, SkippedKeyId, SkippedKeys,
};

pub use smp_vectors::{array, bytes, cases, number, run_cases, text};

/// A version, of those that the vectors are about.
pub fn version(value: &Value) -> RatchetVersion {
    assert!((1..=3).contains(&number(value)), "no such version: {value}");
    RatchetVersion(number(value).try_into().unwrap())
}

/// A private key given in hexadecimal.
pub fn private_key(value: &Value) -> X448PrivateKey {
    X448PrivateKey::from_bytes(array(value))
}

/// The versions to compare with a `version` of the ratchet.
pub fn versions(value: &Value) -> RatchetVersions {
    assert_eq!(value.as_array().unwrap().len(), 2);
    RatchetVersions { current: version(&value[0]), max_supported: version(&value[1]) }
}

fn from_base64(value: &Value) -> Vec<u8> {
    URL_SAFE.decode(text(value)).unwrap()
}

fn array_from_base64<const N: usize>(value: &Value) -> [u8; N] {
    from_base64(value).try_into().unwrap_or_else(|_| panic!("not {N} bytes: {value}"))
}

fn base64(bytes: &[u8]) -> Value {
    URL_SAFE.encode(bytes).into()
}

/// Reads the JSON form in which the reference saves a ratchet.
pub fn state_from_json(json: &Value) -> RatchetState {
    let present = |name: &str| json.get(name);
    RatchetState {
        versions: versions(&json["rcVersion"]),
        associated_data: AssociatedData::from_bytes(&array_from_base64(&json["rcAD"])),
        // Encoded twice.
        ratchet_key: RatchetPrivateKey::new(
            X448PrivateKey::from_der(&URL_SAFE.decode(from_base64(&json["rcDHRs"])).unwrap()).unwrap(),
        ),
        kem: present("rcKEM").map(kem_from_json).map(std::sync::Arc::new),
        pq_supported: json["rcSupportKEM"].as_bool().unwrap(),
        pq_enabled: json["rcEnableKEM"].as_bool().unwrap(),
        pq_sending: json["rcSndKEM"].as_bool().unwrap(),
        pq_receiving: json["rcRcvKEM"].as_bool().unwrap(),
        root_key: RootKey::from_bytes(array_from_base64(&json["rcRK"])),
        sending: present("rcSnd").map(|chain| SendingChain {
            remote_key: RemoteRatchetKey(X448PublicKey::from_der(&from_base64(&chain["rcDHRr"])).unwrap()),
            chain_key: SendingChainKey::from_bytes(array_from_base64(&chain["rcCKs"])),
            header_key: SendingHeaderKey::from_bytes(array_from_base64(&chain["rcHKs"])),
        }),
        receiving: present("rcRcv").map(|chain| ReceivingChain {
            chain_key: ReceivingChainKey::from_bytes(array_from_base64(&chain["rcCKr"])),
            header_key: ReceivingHeaderKey::from_bytes(array_from_base64(&chain["rcHKr"])),
        }),
        sent: number(&json["rcNs"]).try_into().unwrap(),
        received: number(&json["rcNr"]).try_into().unwrap(),
        previous_sent: number(&json["rcPN"]).try_into().unwrap(),
        next_sending_header_key: SendingHeaderKey::from_bytes(array_from_base64(&json["rcNHKs"])),
        next_receiving_header_key: ReceivingHeaderKey::from_bytes(array_from_base64(&json["rcNHKr"])),
    }
}

fn kem_from_json(json: &Value) -> RatchetKem {
    RatchetKem {
        private_key: KemPrivateKey::from_slice(&from_base64(&json["rcPQRs"][1])).unwrap(),
        accepted: json.get("rcKEMs").map(|accepted| AcceptedKem {
            remote_key: KemPublicKey::from_slice(&from_base64(&accepted["rcPQRr"])).unwrap(),
            shared_secret: KemSharedSecret::from_bytes(array_from_base64(&accepted["rcPQRss"])),
            ciphertext: KemCiphertext::from_slice(&from_base64(&accepted["rcPQRct"])).unwrap(),
        }),
    }
}

/// Writes the JSON form in which the reference saves a ratchet.
pub fn state_to_json(state: &RatchetState) -> Value {
    let mut json = Map::new();
    let mut put = |name: &str, value: Value| json.insert(name.into(), value);
    put("rcVersion", json!([state.versions.current.0, state.versions.max_supported.0]));
    put("rcAD", base64(state.associated_data.as_bytes()));
    let private_key = URL_SAFE.encode(state.ratchet_key.private_key().to_der().as_slice());
    put("rcDHRs", base64(private_key.as_bytes()));
    put("rcSupportKEM", state.pq_supported.into());
    put("rcEnableKEM", state.pq_enabled.into());
    put("rcSndKEM", state.pq_sending.into());
    put("rcRcvKEM", state.pq_receiving.into());
    put("rcRK", base64(state.root_key.as_bytes()));
    put("rcNs", state.sent.into());
    put("rcNr", state.received.into());
    put("rcPN", state.previous_sent.into());
    put("rcNHKs", base64(state.next_sending_header_key.as_bytes()));
    put("rcNHKr", base64(state.next_receiving_header_key.as_bytes()));
    if let Some(kem) = &state.kem {
        put("rcKEM", kem_to_json(kem));
    }
    if let Some(chain) = &state.sending {
        let chain = json!({
            "rcDHRr": base64(&chain.remote_key.0.to_der()),
            "rcCKs": base64(chain.chain_key.as_bytes()),
            "rcHKs": base64(chain.header_key.as_bytes()),
        });
        put("rcSnd", chain);
    }
    if let Some(chain) = &state.receiving {
        let chain = json!({
            "rcCKr": base64(chain.chain_key.as_bytes()),
            "rcHKr": base64(chain.header_key.as_bytes()),
        });
        put("rcRcv", chain);
    }
    json.into()
}

fn kem_to_json(kem: &RatchetKem) -> Value {
    let key_pair =
        json!([base64(kem.private_key.public_key().as_bytes()), base64(kem.private_key.as_bytes())]);
    match &kem.accepted {
        None => json!({ "rcPQRs": key_pair }),
        Some(accepted) => json!({
            "rcPQRs": key_pair,
            "rcKEMs": {
                "rcPQRr": base64(accepted.remote_key.as_bytes()),
                "rcPQRss": base64(accepted.shared_secret.as_bytes()),
                "rcPQRct": base64(accepted.ciphertext.as_bytes()),
            },
        }),
    }
}

/// A ratchet in JSON, which must be written again as it was, by us too.
pub fn ratchet(json: &Value) -> Ratchet {
    let ratchet = Ratchet::from_state(state_from_json(json));
    assert_ratchet(&ratchet, json);
    assert_eq!(Ratchet::from_bytes(&ratchet.to_bytes()).as_ref(), Ok(&ratchet));
    ratchet
}

/// Compares a ratchet with JSON, field by field.
pub fn assert_ratchet(ratchet: &Ratchet, json: &Value) {
    let actual = state_to_json(ratchet.state());
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&actual), names(json));
    for name in names(json) {
        assert_eq!(actual[&name], json[&name], "{name}");
    }
}

/// The key of one skipped message.
pub fn skipped_key(json: &Value) -> SkippedKey {
    let key = MessageKey::new(AesKey::from_bytes(array(&json["message_key"])), AesIv(array(&json["iv"])));
    assert_eq!(MessageKey::from_bytes(&key.to_bytes()), key);
    SkippedKey { id: skipped_id(json), key }
}

/// Which skipped message.
pub fn skipped_id(json: &Value) -> SkippedKeyId {
    SkippedKeyId {
        header_key: ReceivingHeaderKey::from_bytes(array(&json["header_key"])),
        number: number(&json["number"]).try_into().unwrap(),
    }
}

/// The skipped keys of a `state` case.
pub fn skipped_keys(json: &Value) -> SkippedKeys {
    json.as_array().unwrap().iter().map(skipped_key).collect::<Vec<_>>().into()
}

/// Skipped keys in an order that does not depend on how they came about.
pub fn sorted(keys: &[SkippedKey]) -> BTreeMap<([u8; 32], u32), [u8; MessageKey::SIZE]> {
    let rows = keys.iter().map(|row| ((*row.id.header_key.as_bytes(), row.id.number), *row.key.to_bytes()));
    let sorted: BTreeMap<_, _> = rows.collect();
    assert_eq!(sorted.len(), keys.len(), "no key is there twice");
    sorted
}

/// Gives the keys that the reference made, which are in the state after it made them.
pub struct RecordedKeys(pub RatchetState);

impl RecordedKeys {
    fn kem(&self) -> &RatchetKem {
        self.0.kem.as_ref().unwrap()
    }
}

impl KeySource for RecordedKeys {
    fn ratchet_key(&mut self) -> RatchetPrivateKey {
        self.0.ratchet_key.clone()
    }

    fn kem_key(&mut self) -> KemPrivateKey {
        self.kem().private_key.clone()
    }

    fn encapsulate(&mut self, to: &KemPublicKey) -> (KemCiphertext, KemSharedSecret) {
        let accepted = self.kem().accepted.as_ref().unwrap();
        assert_eq!(*to, accepted.remote_key);
        (accepted.ciphertext.clone(), accepted.shared_secret.clone())
    }
}

/// The reference's name of an error.
pub fn error_name(error: DecryptError) -> String {
    match error {
        DecryptError::Malformed => "CryptoHeaderError".into(),
        DecryptError::Header => "CERatchetHeader".into(),
        DecryptError::Duplicate => "CERatchetDuplicateMessage".into(),
        DecryptError::Earlier(n) => format!("CERatchetEarlierMessage {n}"),
        DecryptError::TooManySkipped(n) => format!("CERatchetTooManySkipped {n}"),
        DecryptError::KemState => "CERatchetKEMState".into(),
        DecryptError::Body => "AESDecryptError".into(),
        DecryptError::Padding => "CryptoInvalidMsgError".into(),
    }
}
