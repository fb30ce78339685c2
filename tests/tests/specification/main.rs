//! The specification in `protocol-spec/` holds together: its grammar is complete, its links lead somewhere, its vectors
//! are whole, and the types of the crates that implement it name the place that specifies them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod doc_comments;
mod grammar;
mod links;
mod vectors;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// All files under a folder whose names end like this, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of the specification by their file names, in order.
fn pages() -> Vec<(String, String)> {
    let pages = files(&root().join("protocol-spec"), ".md");
    pages.iter().map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}
