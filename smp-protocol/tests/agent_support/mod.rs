//! Reading vector files: strict, so that nothing in a case goes unnoticed.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod values;

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};
use smp_protocol::encoding::DecodeError;

/// Runs `run` on every case; it gets the kind and the case. Prints how many there were, and of each kind.
///
/// The hash of the file is checked too: what a refused input looks like cannot be told from its refusal.
pub fn run_all(file: &str, run: impl Fn(&str, &Value)) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors");
    let content = std::fs::read(format!("{folder}/{file}")).unwrap();
    let line = format!("{}  {file}", hex::encode(Sha256::digest(&content)));
    let sums = std::fs::read_to_string(format!("{folder}/SHA256SUMS")).unwrap();
    assert!(sums.lines().any(|known| known == line), "{file} has changed");
    let vectors: Value = serde_json::from_slice(&content).unwrap();
    let [_, _, cases] = fields(&vectors, ["about", "source", "cases"]);
    let cases = list(cases);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases {
        let kind = text(&case["kind"]);
        *kinds.entry(kind.to_owned()).or_default() += 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(kind, case)));
        if let Err(panic) = result {
            eprintln!("{file}: case {} failed", case["name"]);
            std::panic::resume_unwind(panic);
        }
    }
    report(&format!("{file}: {} cases", cases.len()));
    for (kind, count) in kinds {
        println!("  {kind}: {count}");
    }
}

/// The named fields of an object that has no others.
pub fn fields<'a, const N: usize>(object: &'a Value, names: [&str; N]) -> [&'a Value; N] {
    let map = object.as_object().unwrap_or_else(|| panic!("not an object: {object}"));
    for key in map.keys() {
        assert!(names.contains(&key.as_str()), "unexpected field {key}");
    }
    names.map(|name| map.get(name).unwrap_or_else(|| panic!("no field {name}")))
}

/// The fields of a case besides name and kind; `optional` ones may be absent.
pub fn check_fields(case: &Value, names: &[&str], optional: &[&str]) {
    let map = case.as_object().unwrap();
    for key in map.keys().filter(|key| !matches!(key.as_str(), "name" | "kind")) {
        assert!(names.contains(&key.as_str()) || optional.contains(&key.as_str()), "unexpected field {key}");
    }
    for name in names {
        assert!(map.contains_key(*name), "no field {name}");
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

pub fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

pub fn option<T>(value: &Value, read: impl FnOnce(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| read(value))
}

/// Byte i is i mod 251.
pub fn ramp(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

/// Compares with bytes in hex, or with a digest of them.
pub fn assert_bytes(actual: &[u8], expected: &Value) {
    if let Value::String(hex) = expected {
        assert_eq!(hex::encode(actual), *hex);
        return;
    }
    let [length, sha256, first, last] = fields(expected, ["length", "sha256", "first64", "last64"]);
    assert_eq!(actual.len() as u64, number(length));
    assert_eq!(hex::encode(Sha256::digest(actual)), text(sha256));
    let end = actual.len().min(64);
    assert_eq!(hex::encode(&actual[..end]), text(first));
    assert_eq!(hex::encode(&actual[actual.len() - end..]), text(last));
}

/// `{"ok": value}` or `{"error": text}`.
pub fn result(value: &Value) -> Result<&Value, &str> {
    match value.get("ok") {
        Some(ok) => {
            fields(value, ["ok"]);
            Ok(ok)
        }
        None => Err(text(fields(value, ["error"])[0])),
    }
}

/// What our decoder says where the reference's says this. Its texts are informative, but stable for one kind of damage.
pub fn assert_same_error(ours: DecodeError, reference: &str) {
    let expected: &[DecodeError] = match reference {
        "not enough input" => &[DecodeError::UnexpectedEnd],
        "endOfInput" => &[DecodeError::TrailingBytes],
        "Failed reading: bad AgentMsgEnvelope" => &[DecodeError::Invalid("kind of agent envelope")],
        "Failed reading: invalid Maybe tag" => &[DecodeError::Invalid("tag of an optional value")],
        "Failed reading: bad AgentMessage" => &[DecodeError::Invalid("kind of agent message")],
        "Failed reading: bad AMsgType" => &[DecodeError::Invalid("type of message")],
        "Failed reading: empty list" => &[DecodeError::Invalid("empty list")],
        "Failed reading: invalid Bool" => &[DecodeError::Invalid("flag")],
        "Failed reading: bad ratchet KEM params" => &[DecodeError::Invalid("KEM parameters")],
        "Failed reading: bad ratchet KEM state" => {
            &[DecodeError::Invalid("KEM parameters: unexpected ciphertext")]
        }
        "Failed reading: bad algorithm"
        | "Failed reading: bad e2e params: different key algorithms"
        | "Failed reading: Failed reading: Failed reading: key does not support DH algorithms" => {
            &[DecodeError::Invalid("X448 key"), DecodeError::Invalid("key")]
        }
        "Failed reading: bad e2e params" => &[DecodeError::Invalid("number of X448 keys")],
        "Failed reading: Failed reading: bad connection request mode" => {
            &[DecodeError::Invalid("kind of link")]
        }
        "Failed reading: string" => &[DecodeError::Invalid("kind of link")],
        "Failed reading: invalid version range" => &[DecodeError::Invalid("version range")],
        "Failed reading: bad connection mode" => &[DecodeError::Invalid("kind of connection request")],
        "Failed reading: no qs param v" | "Failed reading: no qs param x3dh" => {
            &[DecodeError::Invalid("query without a required parameter")]
        }
        "Failed reading: endOfInput" => &[DecodeError::Invalid("base64url text")],
        other => panic!("unknown error of the reference: {other}"),
    };
    assert!(expected.contains(&ours), "{ours:?} where the reference says {reference}");
}

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
