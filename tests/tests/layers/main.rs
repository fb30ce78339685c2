//! Imports run one way: no file imports, directly or not, a file that imports it, and each layer of a crate imports only the
//! layers that the table in [`table`] names for it. And nothing stands twice that is longer than a few lines.
//!
//! A module and its private children may know each other. Everything else that is found is printed as the way around, with
//! what is imported at each step. `SMP_LAYERS_PRINT=1 cargo test -p smp-tests --test layers -- --nocapture` prints who imports
//! whom.

#![allow(clippy::unwrap_used)]

mod graph;
mod repetition;
mod source;
mod table;
mod words;

use std::{collections::BTreeSet, path::Path};

use graph::{Graph, ROOT};
use table::{CRATES, Crate};

fn read(name: &str) -> Graph {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let graph = Graph::read(&workspace.join(name));
    assert!(graph.modules.len() > 1, "{name} has no modules");
    graph
}

#[test]
fn no_file_imports_a_file_that_imports_it() {
    let mut found = String::new();
    for Crate { name, .. } in CRATES {
        let graph = read(name);
        for circle in graph.circles() {
            let files: BTreeSet<&str> =
                circle.iter().map(|file| graph.modules[*file].file.as_str()).collect();
            if graph.is_of_parent(&circle) {
                continue;
            }
            found += &format!("{name}: {} files: {files:?}\n{}", files.len(), graph.way_around(&circle));
        }
    }
    assert!(found.is_empty(), "files that import each other in a circle:\n{found}");
}

#[test]
fn layers_import_only_what_they_may() {
    let mut found = String::new();
    for Crate { name, layers, .. } in CRATES {
        if layers.is_empty() {
            continue;
        }
        let graph = read(name);
        let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (file, targets) in graph.edges.iter().enumerate() {
            let from = graph.layer(file);
            let Some((_, may)) = layers.iter().find(|(layer, _)| *layer == from) else {
                if from != ROOT {
                    found += &format!("{name}: {from} is in no layer: add it to the table\n");
                }
                continue;
            };
            for (target, what) in targets {
                let to = graph.layer(*target);
                used.insert((from, to));
                if from != to && to != ROOT && !may.contains(&to) {
                    found += &format!("{name}: {} imports {what} of {to}\n", graph.modules[file].file);
                }
            }
        }
        if std::env::var_os("SMP_LAYERS_PRINT").is_some() {
            for (layer, _) in *layers {
                let of: Vec<_> =
                    used.iter().filter(|(from, to)| from == layer && to != layer).map(|(_, to)| to).collect();
                println!("{name}: {layer}: {of:?}");
            }
        }
    }
    assert!(found.is_empty(), "imports that the table does not allow:\n{found}");
}

/// A layer is above all that it may import.
#[test]
fn the_table_runs_one_way() {
    for Crate { name, layers, .. } in CRATES {
        for (at, (layer, may)) in layers.iter().enumerate() {
            for other in *may {
                let is_below = layers[..at].iter().any(|(below, _)| below == other);
                assert!(
                    is_below,
                    "{name}: {layer} may import {other}, which does not stand above it in the table"
                );
            }
        }
    }
}

#[test]
fn nothing_stands_twice() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut texts = Vec::new();
    for Crate { name, .. } in CRATES {
        for module in read(name).modules {
            let file = format!("{name}/src/{}", module.file);
            texts.push((std::fs::read_to_string(workspace.join(&file)).unwrap(), file));
        }
    }
    let files: Vec<_> = texts.iter().map(|(text, file)| (file.clone(), repetition::lines(text))).collect();
    let found = repetition::repeated(&files);
    assert!(found.is_empty(), "more than {} lines stand twice:\n{}", repetition::LONGEST, found.join("\n"));
}

#[test]
fn comments_say_what_things_are() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    words::rust_files(workspace, &mut files);
    let mut found = String::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        for (number, comment) in words::found(&text) {
            found += &format!("{}:{number}: {comment}\n", file.strip_prefix(workspace).unwrap().display());
        }
    }
    assert!(found.is_empty(), "say what the thing is, in the protocol's word:\n{found}");
}

#[test]
fn circles_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = directory.path().join("src").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c;");
    write("a/mod.rs", "mod inner; pub use self::inner::Inner; pub struct Outer;");
    write("a/inner.rs", "use super::Outer; pub struct Inner;");
    write("b.rs", "use crate::a::Inner; pub fn b() { crate::c::c() }");
    write("c.rs", "pub fn c() {}");
    let circles = |graph: &Graph| -> Vec<bool> {
        graph.circles().iter().map(|circle| graph.is_of_parent(circle)).collect()
    };
    assert_eq!(circles(&Graph::read(directory.path())), [true], "a module and its private child");
    write("c.rs", "use crate::b::b; pub fn c() {}");
    let graph = Graph::read(directory.path());
    assert_eq!(circles(&graph), [true, false]);
    let way = graph.way_around(&graph.circles()[1]);
    assert!(
        way.contains("b.rs -> c.rs (crate::c::c)") && way.contains("c.rs -> b.rs (crate::b::b)"),
        "{way}"
    );
    // Through a re-export.
    write("c.rs", "pub fn c() {}");
    write("a/inner.rs", "use crate::b::b; pub struct Inner;");
    assert_eq!(circles(&Graph::read(directory.path())), [false]);
}
