//! The vector files are as they were made, and counted in the specification's README.

use std::collections::BTreeMap;

use serde_json::Value;
use smp_crypto::hash::sha256;

use crate::{files, read, root};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn files_have_their_sums() {
    let folder = root().join("protocol-spec/vectors");
    let sums = read(&folder.join("SHA256SUMS"));
    let listed: BTreeMap<&str, &str> =
        sums.lines().map(|line| line.split_once("  ").unwrap()).map(|(sum, name)| (name, sum)).collect();
    let files = files(&folder, ".json");
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            listed.get(name),
            Some(&&*hex(&sha256(&std::fs::read(path).unwrap()))),
            "{name} has changed"
        );
    }
    assert_eq!((files.len(), listed.len()), (25, 25));
}

/// The numbers of cases as the README says them.
fn counted() -> BTreeMap<String, usize> {
    let readme = read(&root().join("protocol-spec/README.md"));
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `vectors/"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        (name.to_owned(), rest.split_once(" |").unwrap().0.parse().unwrap())
    })
    .collect()
}

#[test]
fn kinds_are_described() {
    let folder = root().join("protocol-spec/vectors");
    let readme = read(&folder.join("README.md"));
    for path in files(&folder, ".json") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file: Value = serde_json::from_str(&read(&path)).unwrap();
        let heading =
            if name.starts_with("ratchet_") { "## ratchet_*.json\n" } else { &format!("## {name}\n") };
        let (_, section) = readme.split_once(heading).unwrap_or_else(|| panic!("no section for {name}"));
        let section = section.split("\n## ").next().unwrap();
        for case in file["cases"].as_array().unwrap() {
            let kind = case["kind"].as_str().unwrap();
            assert!(section.contains(&format!("`{kind}`")), "{name}: {kind} is not described");
        }
    }
}

#[test]
fn cases_are_counted() {
    let mut all = 0;
    let mut counts = BTreeMap::new();
    for path in files(&root().join("protocol-spec/vectors"), ".json") {
        let file: Value = serde_json::from_str(&read(&path)).unwrap();
        let count = file["cases"].as_array().unwrap().len();
        counts.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), count);
        all += count;
    }
    assert_eq!(counted(), counts);
    assert_eq!(all, 3222);
}
