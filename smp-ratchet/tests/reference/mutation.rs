//! Changing one place of a file after the other, to prove that nothing in it is ignored.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use serde_json::Value;

/// Fields that say nothing about bytes.
const PROSE: [&str; 2] = ["/name", "/note"];

/// How many places of each field are changed. All of them, which takes minutes, if `SMP_EVERY_FIELD` is set.
const PLACES: usize = 2;

/// Changes fields of cases, and asserts that `check` fails for each: it gets the changed case.
pub fn every_change_is_noticed(file: &str, cases: &[Value], check: impl Fn(Value)) {
    let changes = chosen(cases);
    let mut unnoticed = Vec::new();
    for (seed, (index, path)) in changes.iter().enumerate() {
        let mut changed = cases[*index].clone();
        change(changed.pointer_mut(path).unwrap(), seed);
        let now = changed.pointer(path).unwrap().to_string();
        if !fails(|| check(changed)) {
            unnoticed.push(format!("{}{path}: {now}", cases[*index]["name"]));
        }
    }
    println!("{file}: {} changes, {} of them unnoticed", changes.len(), unnoticed.len());
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// The places to change: of each field of each kind of case the first and the last, or all.
fn chosen(cases: &[Value]) -> Vec<(usize, String)> {
    let mut fields: HashMap<(String, String), Vec<(usize, String)>> = HashMap::new();
    for (index, case) in cases.iter().enumerate() {
        for path in leaves(case, String::new()).into_iter().filter(|path| !is_refused(case, path)) {
            let field = path.split('/').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>();
            let field = (case["kind"].to_string(), field.join("/"));
            fields.entry(field).or_default().push((index, path));
        }
    }
    let all = std::env::var_os("SMP_EVERY_FIELD").is_some();
    let mut chosen: Vec<_> = fields
        .into_values()
        .flat_map(|places| {
            let step = if all { 1 } else { (places.len() - 1).div_ceil(PLACES - 1).max(1) };
            let last = places.last().cloned();
            places.into_iter().step_by(step).take(if all { usize::MAX } else { PLACES - 1 }).chain(last)
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Whether it belongs to what is refused whatever it is: then only the file's hash tells whether it has changed.
fn is_refused(case: &Value, path: &str) -> bool {
    let malformed =
        |error: &Value| error.as_str().is_some_and(|error| error.starts_with("CryptoHeaderError"));
    case["kind"] == "agreement_refused"
        && (path.contains("_private_key_") || path.ends_with("_params_encoded"))
        || case["error"] == "CryptoLargeMsgError" && ["/plaintext", "/supported_e2e_version"].contains(&path)
        || malformed(&case["result"]["error"]) && path == "/message/ciphertext"
}

/// JSON pointers of all values that are neither objects nor lists.
fn leaves(value: &Value, path: String) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (format!("{path}/{key}"), value))
            .filter(|(path, _)| !PROSE.contains(&path.as_str()))
            .flat_map(|(path, value)| leaves(value, path))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| leaves(item, format!("{path}/{i}"))).collect()
        }
        _ => vec![path],
    }
}

/// Makes another value of the same type, differing in one place of a text.
fn change(value: &mut Value, seed: usize) {
    *value = match &*value {
        Value::String(text) if text.is_empty() => "00".into(),
        Value::String(text) => changed_at(text, seed.wrapping_mul(7919) % text.len()).into(),
        Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
        Value::Bool(flag) => (!flag).into(),
        Value::Null => "00".into(),
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
