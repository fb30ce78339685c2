//! sntrup761 against the reference's vectors and against published known answers.

#![allow(clippy::unwrap_used)]

use base64::Engine;
use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors/sntrup761.json");
const SUMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors/SHA256SUMS");
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sntrup761_published.json");

fn cases(path: &str) -> Vec<Value> {
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

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
    let line = format!("{}  sntrup761.json", hex::encode(sha256(&std::fs::read(VECTORS).unwrap())));
    assert!(
        std::fs::read_to_string(SUMS).unwrap().lines().any(|known| known == line),
        "the file has changed"
    );
    let cases = cases(VECTORS);
    let intact = cases.iter().find(|case| case["name"] == "decapsulation_damaged_none").unwrap();
    for case in &cases {
        match case["kind"].as_str().unwrap() {
            "encapsulation" => encapsulation(case),
            "decapsulation" => decapsulation(case, intact),
            "encoding" => encoding(case),
            kind => panic!("unknown kind {kind}"),
        }
    }
    report(&format!("sntrup761.json: {} cases", cases.len()));
    assert_eq!(cases.len(), 12);
}

#[test]
fn published_known_answers() {
    let cases = cases(PUBLISHED);
    for case in &cases {
        let private = KemPrivateKey::from_slice(&bytes(&case["secret"])).unwrap();
        assert_eq!(decapsulated(&private, case), bytes(&case["shared"]), "{}", case["name"]);
    }
    println!("sntrup761_published.json: {} cases", cases.len());
    assert_eq!(cases.len(), 2);
}

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
