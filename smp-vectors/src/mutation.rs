//! Changed vectors: one place of a file is changed after the other, to prove that a test ignores nothing in it.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use serde_json::Value;

/// Fields of a case that say nothing about bytes.
const PROSE: [&str; 2] = ["/name", "/note"];

/// A value that is neither object nor list: the number of its case, and where it is in that, as a JSON pointer.
pub type Place = (usize, String);

/// All places of these cases that say something about bytes.
#[must_use]
pub fn places(cases: &[Value]) -> Vec<Place> {
    let of_case = |(number, case)| leaves(case, String::new()).into_iter().map(move |path| (number, path));
    cases.iter().enumerate().flat_map(of_case).filter(|(_, path)| !PROSE.contains(&path.as_str())).collect()
}

/// Changes these places, one after the other, and asserts that `check`, which gets the changed case, panics for each change.
///
/// In a text some characters are changed, each by itself: `characters` says which, of a text of this length at the place with this
/// number.
pub fn every_change_is_noticed(
    file: &str,
    cases: &[Value],
    places: &[Place],
    characters: impl Fn(usize, usize) -> Vec<usize>,
    check: impl Fn(&Value),
) {
    let (mut changes, mut unnoticed) = (0, Vec::new());
    for (number, (index, path)) in places.iter().enumerate() {
        let case = &cases[*index];
        let value = case.pointer(path).unwrap_or_else(|| panic!("no place {path}"));
        for other in others(value, |length| characters(length, number)) {
            let mut changed = case.clone();
            changes += 1;
            changed.pointer_mut(path).unwrap().clone_from(&other);
            if !fails(|| check(&changed)) {
                unnoticed.push(format!("{}{path}: {other}", case["name"]));
            }
        }
    }
    println!("{file}: {changes} changes, {} of them unnoticed", unnoticed.len());
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// JSON pointers of all values that are neither objects nor lists.
fn leaves(value: &Value, path: String) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, value)| leaves(value, format!("{path}/{key}"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| leaves(item, format!("{path}/{i}"))).collect()
        }
        _ => vec![path],
    }
}

/// Other values of the same type; of a text one for each of these characters.
fn others(value: &Value, characters: impl Fn(usize) -> Vec<usize>) -> Vec<Value> {
    match value {
        Value::String(text) if text.is_empty() => vec!["61".into()],
        Value::String(text) => {
            characters(text.len()).into_iter().map(|place| changed_at(text, place).into()).collect()
        }
        Value::Number(number) => vec![number.as_i64().map_or(0, |number| number + 1).into()],
        Value::Bool(flag) => vec![(!flag).into()],
        Value::Null => vec!["00".into()],
        other => panic!("no way to change {other}"),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_check_that_ignores_a_field_is_found_out() {
        let cases = [json!({ "name": "one", "kind": "sum", "terms": [1, 2], "sum": 3, "hex": "0f" })];
        let places = places(&cases);
        assert_eq!(places.len(), 5);
        let careful = |case: &Value| assert_eq!(*case, cases[0]);
        every_change_is_noticed("file", &cases, &places, |length, _| (0..length).collect(), careful);
        let careless = |case: &Value| {
            assert_eq!(
                (&case["terms"], &case["sum"], &case["kind"]),
                (&json!([1, 2]), &json!(3), &json!("sum"))
            );
        };
        assert!(fails(|| every_change_is_noticed("file", &cases, &places, |_, _| vec![0], careless)));
    }
}
