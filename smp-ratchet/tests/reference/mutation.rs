//! The places of a file that are changed, to prove that nothing in it is ignored.

use std::collections::HashMap;

use serde_json::Value;
use smp_vectors::mutation::{self, Place};

/// How many places of each field are changed. All of them, which takes minutes, if `SMP_EVERY_FIELD` is set.
const PLACES: usize = 2;

/// Changes fields of cases, and asserts that `check` fails for each: it gets the changed case.
pub fn every_change_is_noticed(file: &str, cases: &[Value], check: impl Fn(&Value)) {
    let one = |length: usize, place: usize| vec![place.wrapping_mul(7919) % length];
    mutation::every_change_is_noticed(file, cases, &chosen(cases), one, check);
}

/// The places to change: of each field of each kind of case the first and the last, or all.
fn chosen(cases: &[Value]) -> Vec<Place> {
    let mut fields: HashMap<(String, String), Vec<Place>> = HashMap::new();
    for (index, path) in mutation::places(cases) {
        let case = &cases[index];
        if is_refused(case, &path) {
            continue;
        }
        let field = path.split('/').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>();
        fields.entry((case["kind"].to_string(), field.join("/"))).or_default().push((index, path));
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
