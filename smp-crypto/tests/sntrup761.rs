//! sntrup761 against the reference's vectors and against published known answers.

#![allow(clippy::unwrap_used)]

use base64::Engine;
use serde_json::Value;
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_vectors::{bytes, list, named, run_cases};

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sntrup761_published.json");

/// The key pair of a case, after checking that its two halves belong together.
fn key_pair(case: &Value) -> (KemPrivateKey, KemPublicKey) {
    let private = KemPrivateKey::from_slice(&bytes(&case["secret"])).unwrap();
    let public = KemPublicKey::from_slice(&bytes(&case["public"])).unwrap();
    assert_eq!(private.public_key(), public);
    (private, public)
}

fn decapsulated(private: &KemPrivateKey, case: &Value) -> Vec<u8> {
    let ciphertext = KemCiphertext::from_slice(&bytes(&case["ciphertext"])).unwrap();
    private.decapsulate(&ciphertext).as_bytes().to_vec()
}

fn encapsulation(case: &Value) {
    let (private, _) = key_pair(case);
    let encapsulations = case["encapsulations"].as_array().unwrap();
    assert_eq!(encapsulations.len(), 2);
    for encapsulation in encapsulations {
        assert_eq!(decapsulated(&private, encapsulation), bytes(&encapsulation["shared"]));
    }
}

/// `damaged_*` ciphertexts were made from the one of `decapsulation_damaged_none`, which gives `intact`.
fn decapsulation(case: &Value, intact: &Value) {
    let (private, _) = key_pair(case);
    let shared = decapsulated(&private, case);
    assert_eq!(shared, bytes(&case["shared"]));
    let same = case["equals_encapsulated"].as_bool().unwrap();
    assert_eq!(same, shared == bytes(&intact["shared"]));
    assert_eq!(same, case["ciphertext"] == intact["ciphertext"]);
}

fn encoding(case: &Value) {
    let public = KemPublicKey::from_slice(&bytes(&case["public"])).unwrap();
    let ciphertext = KemCiphertext::from_slice(&bytes(&case["ciphertext"])).unwrap();
    let shared = KemSharedSecret::from_bytes(bytes(&case["shared"]).try_into().unwrap());
    assert_eq!(bytes(&case["public_smp_encoded"]), large(public.as_bytes()));
    assert_eq!(bytes(&case["ciphertext_smp_encoded"]), large(ciphertext.as_bytes()));
    assert_eq!(bytes(&case["shared_smp_encoded"]), [&[32], &shared.as_bytes()[..]].concat());
    let secret = &bytes(&case["secret_smp_encoded"])[2..];
    let private = KemPrivateKey::from_slice(secret).unwrap();
    assert_eq!(bytes(&case["secret_smp_encoded"]), large(private.as_bytes()));
    assert_eq!(private.public_key(), public);
    let text = base64::engine::general_purpose::URL_SAFE.encode(public.as_bytes());
    assert_eq!(case["public_str_encoded"], text);
}

/// The form of byte strings over 255 bytes: two bytes of length first.
fn large(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn reference_vectors() {
    let cases = smp_vectors::cases("sntrup761.json");
    let intact = named(&cases, "decapsulation_damaged_none");
    run_cases("sntrup761.json", &cases, |kind, case| match kind {
        "encapsulation" => encapsulation(case),
        "decapsulation" => decapsulation(case, intact),
        "encoding" => encoding(case),
        kind => panic!("unknown kind {kind}"),
    });
}

/// A file of the same form that is not the reference's.
#[test]
fn published_known_answers() {
    let file: Value = serde_json::from_slice(&std::fs::read(PUBLISHED).unwrap()).unwrap();
    let cases = list(&file["cases"]);
    for case in cases {
        let private = KemPrivateKey::from_slice(&bytes(&case["secret"])).unwrap();
        assert_eq!(decapsulated(&private, case), bytes(&case["shared"]), "{}", case["name"]);
    }
    assert_eq!(cases.len(), 2);
}
