//! Each public type of the crates that implement the specification names the section that specifies it.

use std::collections::BTreeSet;

use crate::{files, pages, read, root};

const CRATES: [&str; 3] = ["smp-crypto", "smp-protocol", "smp-ratchet"];
const KINDS: [&str; 4] = ["struct", "enum", "trait", "type"];

/// A type in the source, or an invocation of a macro that makes one.
struct Item {
    place: String,
    /// Its documentation in one line.
    docs: String,
    /// Set if this is what a macro makes, whose name this is: what documents it may stand where the macro is used.
    template_of: Option<String>,
}

/// The name of the public type that a line begins to define, with its indentation.
fn defined(line: &str) -> Option<(usize, &str)> {
    let trimmed = line.trim_start();
    let (kind, rest) = trimmed.strip_prefix("pub ")?.split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
    KINDS.contains(&kind).then_some((line.len() - trimmed.len(), &rest[..end]))
}

/// The doc comment above a line: what stands between it and the end of what is before.
fn docs_above(lines: &[&str]) -> String {
    let belongs = |line: &&&str| {
        let line = line.trim();
        line.starts_with("///") || !(line.is_empty() || line.ends_with(['{', '}', ';']))
    };
    let above: Vec<_> = lines.iter().rev().take_while(belongs).collect();
    join_docs(above.into_iter().rev())
}

fn join_docs<'a>(lines: impl Iterator<Item = &'a &'a str>) -> String {
    lines.filter_map(|line| line.trim().strip_prefix("///")).collect::<String>()
}

/// All items of a file. `made_by` are the macros known to make types.
fn items(path: &str, source: &str, made_by: &BTreeSet<String>) -> Vec<Item> {
    let lines: Vec<&str> = source.lines().collect();
    let mut items = Vec::new();
    let mut in_macro: Option<String> = None;
    for (index, line) in lines.iter().enumerate() {
        let place = format!("{path}:{}", index + 1);
        if let Some(rest) = line.strip_prefix("macro_rules! ") {
            in_macro = Some(rest.trim_end_matches(" {").to_owned());
        } else if *line == "}" {
            in_macro = None;
        } else if let Some((indentation, name)) = defined(line) {
            if indentation == 0 || in_macro.is_some() {
                let template_of = in_macro.clone().filter(|_| name.starts_with('$'));
                items.push(Item { place, docs: docs_above(&lines[..index]), template_of });
            }
        } else if line.split_once('!').is_some_and(|(name, _)| made_by.contains(name)) {
            let body: Vec<_> = lines[index + 1..].iter().take_while(|line| line.starts_with(' ')).collect();
            let groups = body.split(|line| !line.trim().starts_with("///")).filter(|group| !group.is_empty());
            items.extend(groups.map(|group| Item {
                place: place.clone(),
                docs: join_docs(group.iter().copied()),
                template_of: None,
            }));
        }
    }
    items
}

/// Whether the text names an RFC, or a chapter or section, which must be there.
fn names_its_source(place: &str, docs: &str, pages: &[(String, String)]) -> bool {
    let mut found = docs.split("RFC ").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut rest = docs;
    while let Some((before, after)) = rest.split_once(" (`protocol-spec/") {
        let (file, after) = after.split_once('`').unwrap();
        let mut words = before.rsplit(' ');
        let (number, kind) = (words.next().unwrap(), words.next().unwrap());
        let (_, page) =
            pages.iter().find(|(name, _)| name == file).unwrap_or_else(|| panic!("{place}: no {file}"));
        let chapter = number.split('.').next().unwrap();
        assert!(file.starts_with(&format!("{chapter}-")), "{place}: {number} is not in {file}");
        match kind {
            "section" => assert!(page.contains(&format!("\n## {number} ")), "{place}: no section {number}"),
            "chapter" => assert_eq!(number, chapter, "{place}"),
            other => panic!("{place}: {other} {number}"),
        }
        found = true;
        rest = after;
    }
    found
}

#[test]
fn types_name_their_source() {
    let pages = pages();
    let mut count = 0;
    let mut unnamed = Vec::new();
    for name in CRATES {
        let sources: Vec<_> = files(&root().join(name).join("src"), ".rs")
            .iter()
            .map(|path| (path.display().to_string(), read(path)))
            .collect();
        let none = BTreeSet::new();
        let all = |made_by| sources.iter().flat_map(move |(path, source)| items(path, source, made_by));
        let made_by: BTreeSet<String> = all(&none).filter_map(|item| item.template_of).collect();
        for item in all(&made_by) {
            // The template of a macro may leave it to those who use the macro.
            if item.template_of.is_none() {
                count += 1;
                if !names_its_source(&item.place, &item.docs, &pages) {
                    unnamed.push(item.place);
                }
            }
        }
    }
    assert!(unnamed.is_empty(), "no section of protocol-spec/ and no RFC is named: {unnamed:#?}");
    println!("{count} types name their source");
    assert!(count > 200);
}

#[test]
fn types_are_found() {
    let source = "/// A.\n///\n/// Source: section 1.1 (`protocol-spec/1-primitives.md`).\n#[derive(\n    Clone\n)]\npub struct A(u8);\n\n\
                  macro_rules! make {\n    ($(#[$d:meta])* $name:ident) => {\n        $(#[$d])*\n        pub enum $name {}\n    };\n}\n\
                  make!(\n    /// B.\n    B\n);\nimpl A {\n    pub type C = u8;\n}\npub(crate) struct D;\n";
    let made_by = BTreeSet::from(["make".to_owned()]);
    let items = items("x.rs", source, &made_by);
    let docs: Vec<_> = items.iter().map(|item| (item.docs.trim(), item.template_of.as_deref())).collect();
    let a = "A. Source: section 1.1 (`protocol-spec/1-primitives.md`).";
    assert_eq!(docs, [(a, None), ("", Some("make")), ("B.", None)]);
    assert!(names_its_source("x.rs", a, &pages()));
    assert!(!names_its_source("x.rs", "B.", &pages()));
}
