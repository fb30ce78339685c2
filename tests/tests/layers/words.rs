//! Words of comments: a sentence says what a thing is, and does not begin with "who" or "what".

use std::path::Path;

/// Words with which no sentence of a comment begins, unless it is a question.
const BEGINNINGS: [&str; 6] = ["Who", "Whoever", "Whom", "Whose", "What", "Whatever"];

/// Sentences of comments in this text that begin so, with their line numbers.
pub(crate) fn found(text: &str) -> Vec<(usize, &str)> {
    let comments = text.lines().zip(1..).filter_map(|(line, number)| {
        let comment = line.trim_start().strip_prefix("//")?;
        Some((number, comment.trim_start_matches(['/', '!']).trim()))
    });
    let begins = |sentence: &str| {
        let first = sentence.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        BEGINNINGS.contains(&first) && !sentence.contains('?')
    };
    comments
        .filter(|(_, comment)| {
            let inner = comment.match_indices(". ").map(|(at, end)| &comment[at + end.len()..]);
            std::iter::once(*comment).chain(inner).any(begins)
        })
        .collect()
}

/// All Rust files below a directory, but for what is built.
pub(crate) fn rust_files(directory: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

#[test]
fn sentences_that_begin_so_are_found() {
    let text = "//! What it is.\nfn f() {} // What for\n    /// A thing. Who has it is glad.\n// Whole. What now?\n/// Whatsoever.";
    let numbers: Vec<usize> = found(text).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 3]);
}
