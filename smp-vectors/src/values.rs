//! Values of the JSON form of vectors.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A text.
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// An unsigned number.
#[must_use]
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not an unsigned number: {value}"))
}

/// A number that may be negative.
#[must_use]
pub fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// A number of bytes.
#[must_use]
pub fn size(value: &Value) -> usize {
    number(value).try_into().unwrap()
}

/// True or false.
#[must_use]
pub fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("not a flag: {value}"))
}

/// A list.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// `None` for null.
pub fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| read(value))
}

/// `{"ok": value}` or `{"error": text}`.
///
/// # Errors
/// The text that the vectors have for the error.
pub fn result(value: &Value) -> Result<&Value, &str> {
    match value.get("ok") {
        Some(_) => Ok(fields(value, ["ok"])[0]),
        None => Err(text(fields(value, ["error"])[0])),
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

/// Checks which fields a case has besides name and kind; `optional` ones may be absent.
pub fn check_fields(case: &Value, names: &[&str], optional: &[&str]) {
    let map = case.as_object().unwrap_or_else(|| panic!("not an object: {case}"));
    for key in map.keys().filter(|key| !matches!(key.as_str(), "name" | "kind")) {
        assert!(names.contains(&key.as_str()) || optional.contains(&key.as_str()), "unexpected field {key}");
    }
    for name in names {
        assert!(map.contains_key(*name), "no field {name}");
    }
}

/// A byte string: in hexadecimal, or, where an input is given by its digest, the ramp that it is.
#[must_use]
pub fn bytes(value: &Value) -> Vec<u8> {
    if value.is_object() {
        let bytes = ramp(size(&value["length"]));
        assert_bytes(&bytes, value);
        return bytes;
    }
    let bytes = hex::decode(text(value)).unwrap();
    assert_eq!(hex::encode(&bytes), text(value), "in lower case");
    bytes
}

/// A byte string of a known size.
#[must_use]
pub fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap_or_else(|_| panic!("not {N} bytes: {value}"))
}

/// The bytes 00 01 .. fa 00 01 ..
#[must_use]
pub fn ramp(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

/// Asserts that these are the bytes that were recorded, in hexadecimal or by their digest.
#[track_caller]
pub fn assert_bytes(actual: &[u8], recorded: &Value) {
    if let Value::String(recorded) = recorded {
        assert_eq!(hex::encode(actual), *recorded);
        return;
    }
    let [length, sha256, first, last] = fields(recorded, ["length", "sha256", "first64", "last64"]);
    assert_eq!(actual.len(), size(length));
    assert_eq!(hex::encode(Sha256::digest(actual)), text(sha256));
    let end = actual.len().min(64);
    assert_eq!(hex::encode(&actual[..end]), text(first));
    assert_eq!(hex::encode(&actual[actual.len() - end..]), text(last));
}
