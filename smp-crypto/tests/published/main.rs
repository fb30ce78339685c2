//! Known answers that others published: RFC 7748, RFC 8032, NaCl and Project Wycheproof.
//!
//! No RFC has test vectors for HKDF with SHA-512 (RFC 5869 has SHA-1 and SHA-256), and NIST's for AES-GCM have no
//! initialisation vectors of 128 bits. For both, Wycheproof's are taken. Those of sntrup761 are in `sntrup761.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rfc_and_nacl;
mod wycheproof;

use serde_json::Value;

/// Runs all cases of a file and prints how many there were.
fn run(file_name: &str, expected: usize, check: fn(&Value)) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/");
    let file: Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}{file_name}")).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let checked = std::panic::catch_unwind(|| check(case));
        assert!(checked.is_ok(), "{file_name}: case {} fails", case["name"]);
    }
    println!("{file_name}: {} cases", cases.len());
    assert_eq!(cases.len(), expected, "cases are missing");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}
