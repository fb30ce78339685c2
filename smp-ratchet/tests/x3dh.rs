//! The key agreement and plaintext headers, against the reference's vectors.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub)]
mod reference;

use reference::{agreement, bytes, cases, mutation, number, private_key, run_cases, text, version};
use serde_json::Value;
use smp_crypto::sntrup761::{KemCiphertext, KemPublicKey};
use smp_crypto::x448::X448PublicKey;
use smp_protocol::agent::{AnyKem, ProposedKem, RatchetParameters};
use smp_protocol::encoding::from_bytes;
use smp_ratchet::{
    AgreementError, AgreementKey, EncryptOptions, MessageHeader, OfferedKeys, Ratchet, RatchetState,
    RatchetVersions,
};

fn agreement_refused(case: &Value) {
    assert_eq!(case["result"], "CERatchetKEMState");
    let refused = if case.get("bob_kem").is_some() {
        let offer: RatchetParameters<ProposedKem> =
            from_bytes(&bytes(&case["alice_params_encoded"])).unwrap();
        assert_eq!(offer.kem, None);
        agreement::joining_keys(case).agree(&offer)
    } else {
        let answer: RatchetParameters<AnyKem> = from_bytes(&bytes(&case["bob_params_encoded"])).unwrap();
        assert!(matches!(answer.kem, Some(AnyKem::Accepted { .. })));
        let keys = OfferedKeys {
            key_1: AgreementKey::new(private_key(&case["alice_private_key_1"])),
            key_2: AgreementKey::new(private_key(&case["alice_private_key_2"])),
            kem: None,
        };
        keys.agree(&answer)
    };
    assert_eq!(refused, Err(AgreementError::KemState));
}

/// The length of a whole encrypted header, as messages have it. In version 3 the vectors' number, which comes from a
/// function used only in the reference's tests, does not know that its length takes two bytes.
fn header_length(case: &Value, state: &RatchetState) {
    let version = version(&case["version"]);
    let pq = if case["pq_support"].as_bool().unwrap() { "_pq" } else { "" };
    assert_eq!(case["name"], format!("header_length_v{}{pq}", version.0));
    let mut state = state.clone();
    state.versions = RatchetVersions { current: version, max_supported: version };
    state.pq_supported = case["pq_support"].as_bool().unwrap();
    state.pq_enabled = state.pq_supported;
    state.kem = None;
    let options = EncryptOptions { padded_length: 2, pq: None, max_version: version };
    let message = Ratchet::from_state(state).encrypt(b"", options).unwrap().message;
    let length_bytes = if version.0 >= 3 { 2 } else { 1 };
    let header = message.len() - length_bytes - 16 - 2;
    assert_eq!(header as u64, number(&case["full_header_length"]) + length_bytes as u64 - 1);
}

fn message_header(case: &Value) {
    let kem = &case["kem"];
    let public_key = || KemPublicKey::from_slice(&bytes(&kem["public_key"])).unwrap();
    let header = MessageHeader {
        max_version: version(&case["max_version"]),
        ratchet_key: X448PublicKey::from_der(&bytes(&case["dh_key_der"])).unwrap(),
        kem: (!kem.is_null()).then(|| match text(&kem["state"]) {
            "proposed" => AnyKem::Proposed(public_key()),
            "accepted" => AnyKem::Accepted {
                ciphertext: KemCiphertext::from_slice(&bytes(&kem["ciphertext"])).unwrap(),
                public_key: public_key(),
            },
            state => panic!("unknown KEM state {state}"),
        }),
        previous_count: number(&case["previous_count"]).try_into().unwrap(),
        number: number(&case["number"]).try_into().unwrap(),
    };
    let (encoded, current) = (bytes(&case["encoded"]), version(&case["current_version"]));
    assert_eq!(header.to_bytes(current), encoded);
    assert_eq!(MessageHeader::from_bytes(&encoded, current).as_ref(), Ok(&header));
    let with_more = [&encoded[..], b"more"].concat();
    assert_eq!(MessageHeader::from_bytes(&with_more, current).as_ref(), Ok(&header));
    for length in 0..encoded.len() {
        assert!(MessageHeader::from_bytes(&encoded[..length], current).is_err());
    }
}

fn run(case: &Value, bob: &RatchetState) {
    match text(&case["kind"]) {
        "agreement" => drop(agreement::run(case)),
        "agreement_refused" => agreement_refused(case),
        "header_length" => header_length(case, bob),
        "message_header" => message_header(case),
        kind => panic!("unknown kind {kind}"),
    }
}

#[test]
fn ratchet_x3dh() {
    let cases = cases("ratchet_x3dh.json");
    let bob = reference::state_from_json(&cases[0]["bob_ratchet"]);
    run_cases("ratchet_x3dh.json", &cases, |_, case| run(case, &bob));
    mutation::every_change_is_noticed("ratchet_x3dh.json", &cases, |changed| run(changed, &bob));
}
