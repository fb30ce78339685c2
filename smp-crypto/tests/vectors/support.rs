//! Reading vector files, and proving that nothing in them is ignored.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use serde_json::Value;
use smp_crypto::{X25519PrivateKey, X25519PublicKey, hash};

/// Checks one case; the file is there for looking up other cases.
pub(crate) type Check = fn(case: &Value, file: &Value);

/// Fields that say nothing about bytes.
const PROSE: [&str; 2] = ["name", "note"];

/// Runs all cases of a file and prints how many there were.
pub(crate) fn run(file_name: &str, expected: usize, check: Check) {
    let file = load(file_name);
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let checked = panic::catch_unwind(AssertUnwindSafe(|| check(case, &file)));
        assert!(checked.is_ok(), "{file_name}: case {} fails", case["name"]);
    }
    report(&format!("{file_name}: {} cases", cases.len()));
    assert_eq!(cases.len(), expected, "cases are missing");
}

/// Changes one place after the other, in every field of every case, and asserts that each
/// change makes its case fail, which passes without it.
pub(crate) fn every_change_is_noticed(file_name: &str, check: Check) {
    let file = load(file_name);
    let (mut changes, mut unnoticed) = (0, Vec::new());
    for case in file["cases"].as_array().unwrap() {
        check(case, &file);
        for path in leaves(case, String::new()) {
            for variant in variants(case.pointer(&path).unwrap()) {
                let mut changed = case.clone();
                *changed.pointer_mut(&path).unwrap() = variant;
                changes += 1;
                if !fails(|| check(&changed, &file)) {
                    unnoticed.push(format!("{}{path}: {}", case["name"], changed.pointer(&path).unwrap()));
                }
            }
        }
    }
    println!("{file_name}: {changes} changes, {} of them unnoticed", unnoticed.len());
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// A file, which must be as it was made.
pub(crate) fn load(file_name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors");
    let content = std::fs::read(format!("{folder}/{file_name}")).unwrap();
    let line = format!("{}  {file_name}", hex::encode(hash::sha256(&content)));
    let sums = std::fs::read_to_string(format!("{folder}/SHA256SUMS")).unwrap();
    assert!(sums.lines().any(|known| known == line), "{file_name} has changed");
    serde_json::from_slice(&content).unwrap()
}

/// JSON pointers of all values that are neither objects nor arrays.
fn leaves(value: &Value, path: String) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !PROSE.contains(&key.as_str()))
            .flat_map(|(key, value)| leaves(value, format!("{path}/{key}")))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| leaves(item, format!("{path}/{i}"))).collect()
        }
        _ => vec![path],
    }
}

/// The value with one place changed, for several places.
fn variants(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) if text.is_empty() => vec!["61".into()],
        Value::String(text) => {
            places(text.len() - 1).into_iter().map(|place| changed_at(text, place).into()).collect()
        }
        Value::Number(number) => vec![(number.as_i64().unwrap() + 1).into()],
        Value::Bool(value) => vec![(!value).into()],
        other => panic!("no way to change {other}"),
    }
}

/// Where a text is changed: at both ends and at some places between, or everywhere if `SMP_EVERY_CHARACTER` is set,
/// which takes a minute.
fn places(last: usize) -> Vec<usize> {
    if std::env::var_os("SMP_EVERY_CHARACTER").is_some() {
        return (0..=last).collect();
    }
    let mut places: Vec<usize> = (0..=6).map(|part| last * part / 6).chain([1.min(last)]).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Changes one bit of a hexadecimal digit, or replaces any other character.
fn changed_at(text: &str, place: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let is_hex = bytes.iter().all(u8::is_ascii_hexdigit);
    bytes[place] = match char::from(bytes[place]).to_digit(16) {
        Some(digit) if is_hex => b"0123456789abcdef"[(digit ^ (1 << (place % 4))) as usize],
        _ if bytes[place] == b'Q' => b'R',
        _ => b'Q',
    };
    String::from_utf8(bytes).unwrap()
}

/// Whether it panics; without printing the message.
fn fails(action: impl FnOnce()) -> bool {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                default(info);
            }
        }));
    });
    QUIET.set(true);
    let failed = panic::catch_unwind(AssertUnwindSafe(action)).is_err();
    QUIET.set(false);
    failed
}

/// The case with this name.
pub(crate) fn named<'a>(file: &'a Value, name: &str) -> &'a Value {
    file["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()
}

/// A text field.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A byte string in hexadecimal.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

/// A byte string of a fixed size in hexadecimal.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// A size.
pub(crate) fn size(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

/// An input that is in the file, or a ramp whose digest is there and whose length is in another field.
pub(crate) fn bytes_or_ramp(case: &Value, field: &str) -> Vec<u8> {
    if case[field].is_string() {
        return bytes(&case[field]);
    }
    let ramp: Vec<u8> = (0..size(&case[format!("{field}_ramp_length")])).map(|i| (i % 251) as u8).collect();
    assert_bytes(&case[field], &ramp);
    ramp
}

/// Asserts that these are the bytes recorded in full or by digest.
pub(crate) fn assert_bytes(recorded: &Value, actual: &[u8]) {
    if let Value::String(recorded) = recorded {
        assert_eq!(*recorded, hex::encode(actual));
    } else {
        let digest = serde_json::json!({
            "length": actual.len(),
            "sha256": hex::encode(hash::sha256(actual)),
            "first64": hex::encode(&actual[..64]),
            "last64": hex::encode(&actual[actual.len() - 64..]),
        });
        assert_eq!(*recorded, digest);
    }
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

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
