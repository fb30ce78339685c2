//! Compares the version table with the one in the specification, `10-versions.md`, section 10.2.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use smp_protocol::version::SmpVersion;
use smp_protocol::version_table;

/// Since when something exists, and where its form changes.
type Line = (u16, Vec<u16>);

/// The lines of section 10.2 by name. A line may have several names, each in backquotes.
fn specified() -> BTreeMap<String, Line> {
    let chapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/10-versions.md");
    let chapter = std::fs::read_to_string(chapter).unwrap();
    let (_, section) = chapter.split_once("\n## 10.2 ").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut lines = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let &["", names, since, changes, ""] = &cells[..] else { panic!("not three columns: {row}") };
        let line = (since.parse().unwrap(), numbers(changes));
        for name in names.split_whitespace() {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap();
            assert_eq!(lines.insert(name.to_owned(), line.clone()), None, "{name} is there twice");
        }
    }
    lines
}

fn numbers(text: &str) -> Vec<u16> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// The lines of the table that the codec's tests walk.
fn implemented() -> BTreeMap<String, Line> {
    let line = |since: SmpVersion, changes: &[SmpVersion]| (since.0, changes.iter().map(|v| v.0).collect());
    let commands = version_table::commands().map(|e| (e.tag.name().to_owned(), line(e.since, e.changes)));
    let messages = version_table::messages().map(|e| (e.tag.name().to_owned(), line(e.since, e.changes)));
    commands.chain(messages).collect()
}

#[test]
fn the_table_is_that_of_the_specification() {
    let (specified, implemented) = (specified(), implemented());
    println!("10-versions.md: {} commands and answers", specified.len());
    assert_eq!(specified, implemented);
}
