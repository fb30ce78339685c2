//! One command. First byte: the version.

use smp_protocol::command::Command;
use smp_protocol::version::SmpVersion;

use crate::check::version;
use crate::seeds::{Vectors, version_byte};

/// Reads a command, checks that its encoding settles.
pub fn run(data: &[u8]) {
    let Some((version, bytes)) = version(data) else { return };
    if let Ok(command) = Command::decode(bytes, version) {
        settles(&command, version);
        let owned = command.clone().into_owned();
        assert_eq!(owned, command);
    }
}

/// Checks that a command that was read is written and read again, and then written the same.
pub(super) fn settles(command: &Command<'_>, version: SmpVersion) {
    let written = command.to_bytes(version);
    match Command::decode(&written, version) {
        Ok(again) => assert_eq!(again.to_bytes(version), written),
        Err(error) => panic!("{:?} of {version} is not read back: {error}", command.tag()),
    }
}

/// Commands of the vectors, each in all of its versions.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = encodings(vectors, "command");
    seeds.extend(parsed(vectors, "server_parse"));
    seeds
}

/// The encodings in cases that list them by version.
pub(super) fn encodings(vectors: &Vectors, kind: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for case in vectors.cases("commands", &[kind]) {
        for encoding in case["encodings"].as_array().into_iter().flatten() {
            let Some(Ok(bytes)) = encoding["encoded"].as_str().map(hex::decode) else { continue };
            let versions = encoding["versions"].as_array().into_iter().flatten();
            for version in versions.filter_map(serde_json::Value::as_u64) {
                seeds.push([&[version_byte(version)], &bytes[..]].concat());
            }
            // Version 19 is not in the vectors: what 18 writes, and what it changes, is found from there.
            seeds.push([&[version_byte(19)], &bytes[..]].concat());
        }
    }
    seeds
}

/// The inputs in cases with a version.
pub(super) fn parsed(vectors: &Vectors, kind: &str) -> Vec<Vec<u8>> {
    let input = |case: &serde_json::Value| {
        let bytes = hex::decode(case["input"].as_str()?).ok()?;
        Some([&[version_byte(case["version"].as_u64()?)], &bytes[..]].concat())
    };
    vectors.cases("commands", &[kind]).filter_map(input).collect()
}
