//! Checks of vector files whose cases refer to each other, and values that only these files have.

use serde_json::Value;
use smp_crypto::{X25519PrivateKey, X25519PublicKey};
use smp_vectors::{array, assert_bytes, bytes, mutation, ramp, run_cases, size};

/// Checks one case; all cases of the file are there for looking up others.
pub(crate) type Check = fn(case: &Value, cases: &[Value]);

/// Checks all cases of a file.
pub(crate) fn run(file: &str, check: Check) {
    let cases = smp_vectors::cases(file);
    run_cases(file, &cases, |_, case| check(case, &cases));
}

/// Changes one place after the other, in every field of every case, and asserts that each change makes its case fail.
pub(crate) fn every_change_is_noticed(file: &str, check: Check) {
    let cases = smp_vectors::cases(file);
    let places = mutation::places(&cases);
    mutation::every_change_is_noticed(file, &cases, &places, characters, |changed| check(changed, &cases));
}

/// The characters of a text that are changed: at both ends and at some places between, or everywhere if `SMP_EVERY_CHARACTER` is set,
/// which takes a minute.
fn characters(length: usize, _place: usize) -> Vec<usize> {
    if std::env::var_os("SMP_EVERY_CHARACTER").is_some() {
        return (0..length).collect();
    }
    let last = length - 1;
    let mut places: Vec<usize> = (0..=6).map(|part| last * part / 6).chain([1.min(last)]).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// An input that is in the file, or a ramp whose digest is there and whose length is in another field.
pub(crate) fn bytes_or_ramp(case: &Value, field: &str) -> Vec<u8> {
    if case[field].is_string() {
        return bytes(&case[field]);
    }
    let ramp = ramp(size(&case[format!("{field}_ramp_length")]));
    assert_bytes(&ramp, &case[field]);
    ramp
}

/// A key pair whose private key is recorded as the reference makes it, with the fixed bits of RFC 7748 set.
pub(crate) fn x25519_pair(private: &Value, public: &Value) -> (X25519PrivateKey, X25519PublicKey) {
    let raw: [u8; 32] = array(private);
    assert_eq!((raw[0] & 7, raw[31] & 0xc0), (0, 0x40));
    let private = X25519PrivateKey::from_bytes(raw);
    let public = X25519PublicKey::from_bytes(array(public));
    assert_eq!(private.public_key(), public);
    (private, public)
}
