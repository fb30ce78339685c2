//! The protocol's test vectors (`protocol-spec/vectors`), for the tests of this workspace.
//!
//! A file must be as it was made: some fields cannot be compared with anything, as the exact bytes of something that must be
//! refused, and must not change unnoticed either. Everything here panics where a vector is not as it should be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod mutation;
mod values;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::values::{
    array, assert_bytes, bytes, check_fields, fields, flag, integer, list, number, optional, ramp, result,
    size, text,
};

/// A whole file, whose sum must be in `SHA256SUMS`.
#[must_use]
pub fn load(file: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors");
    let path = format!("{folder}/{file}");
    let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = format!("{}  {file}", hex::encode(Sha256::digest(&content)));
    let sums = std::fs::read_to_string(format!("{folder}/SHA256SUMS")).unwrap();
    assert!(sums.lines().any(|known| known == line), "{file} has changed");
    serde_json::from_slice(&content).unwrap()
}

/// The cases of a file.
#[must_use]
pub fn cases(file: &str) -> Vec<Value> {
    let value = load(file);
    let [_, _, cases] = fields(&value, ["about", "source", "cases"]);
    assert!(!list(cases).is_empty(), "{file} has no cases");
    list(cases).to_vec()
}

/// The case with this name.
#[must_use]
pub fn named<'a>(cases: &'a [Value], name: &str) -> &'a Value {
    cases.iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("no case {name}"))
}

/// Checks each case of a file; `check` gets its kind and the case. Prints how many there were.
pub fn run(file: &str, check: impl FnMut(&str, &Value)) {
    run_cases(file, &cases(file), check);
}

/// As [`run`], with the cases of the file at hand.
pub fn run_cases(file: &str, cases: &[Value], mut check: impl FnMut(&str, &Value)) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        let kind = text(&case["kind"]);
        *kinds.entry(kind).or_default() += 1;
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| check(kind, case))) {
            eprintln!("{file}: case {} fails", case["name"]);
            panic::resume_unwind(panic);
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    report(&format!("{file}: {} cases: {}", cases.len(), kinds.join(", ")));
}

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
