//! Which file of a crate imports which, as the compiler would resolve it: re-exports are followed to the file that defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::source::Source;

/// A module that is a file.
pub(crate) struct Module {
    /// Relative to `src`.
    pub(crate) file: String,
    source: Source,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Only its parent, and what is in that, can see it.
    is_private: bool,
}

/// The modules of one crate.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) modules: Vec<Module>,
    library: Option<usize>,
    /// From each file to the files that it imports from, with one thing that it imports.
    pub(crate) edges: Vec<BTreeMap<usize, String>>,
}

/// The end of a path.
enum Target {
    /// A module itself: says nothing about what is used of it.
    Module(usize),
    /// Something that this file defines.
    In(usize),
}

/// Re-exports of re-exports that are followed.
const MAX_DEPTH: usize = 16;

impl Graph {
    /// Reads a crate, its library and its program.
    pub(crate) fn read(directory: &Path) -> Self {
        let mut graph = Self::default();
        let src = directory.join("src");
        for root in ["lib.rs", "main.rs"] {
            if src.join(root).exists() {
                let index = graph.load(&src, PathBuf::from(root), PathBuf::new(), None, false);
                if root == "lib.rs" {
                    graph.library = Some(index);
                }
            }
        }
        let name = directory.file_name().unwrap().to_string_lossy().replace('-', "_");
        graph.edges = (0..graph.modules.len()).map(|file| graph.imports_of(file, &name)).collect();
        graph
    }

    /// Reads a file and its children, which are in `home`.
    fn load(
        &mut self,
        src: &Path,
        file: PathBuf,
        home: PathBuf,
        parent: Option<usize>,
        is_private: bool,
    ) -> usize {
        let text =
            std::fs::read_to_string(src.join(&file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let index = self.modules.len();
        let source = Source::read(&text);
        let children = source.children.clone();
        let name = file.to_string_lossy().into_owned();
        self.modules.push(Module { file: name, source, parent, children: BTreeMap::new(), is_private });
        for (child, is_private) in children {
            let as_file = home.join(format!("{child}.rs"));
            let path = if src.join(&as_file).exists() { as_file } else { home.join(&child).join("mod.rs") };
            let loaded = self.load(src, path, home.join(&child), Some(index), is_private);
            self.modules[index].children.insert(child, loaded);
        }
        index
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    fn imports_of(&self, file: usize, crate_name: &str) -> BTreeMap<usize, String> {
        let source = &self.modules[file].source;
        let mut edges = BTreeMap::new();
        let imports = source.imports.iter().map(|import| (&import.path, import.name == "*"));
        let paths = source.paths.iter().map(|path| (path, false));
        for (path, is_glob) in imports.chain(paths) {
            let target = match self.resolve(path, file, crate_name, 0) {
                Some(Target::In(target)) => target,
                Some(Target::Module(target)) if is_glob => target,
                _ => continue,
            };
            if target != file {
                edges.entry(target).or_insert_with(|| path.join("::"));
            }
        }
        edges
    }

    fn resolve(&self, path: &[String], from: usize, crate_name: &str, depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        let mut current = match first.as_str() {
            "crate" => self.root(from),
            "self" => from,
            "super" => module.parent?,
            name if name == crate_name && self.library.is_some_and(|library| library != self.root(from)) => {
                self.library?
            }
            name => match (module.children.get(name), self.import(from, name)) {
                (Some(child), _) => *child,
                (None, Some(path)) if depth < MAX_DEPTH && path.first() != Some(first) => {
                    match self.resolve(path, from, crate_name, depth + 1)? {
                        Target::Module(module) => module,
                        // A type's function, or a variant.
                        defined => return Some(defined),
                    }
                }
                _ => return None,
            },
        };
        for name in rest {
            let module = &self.modules[current];
            if name == "super" {
                current = module.parent?;
            } else if let Some(child) = module.children.get(name) {
                current = *child;
            } else if let Some(path) = self.import(current, name).filter(|_| depth < MAX_DEPTH) {
                match self.resolve(path, current, crate_name, depth + 1)? {
                    Target::Module(module) => current = module,
                    defined => return Some(defined),
                }
            } else {
                return Some(Target::In(self.macro_home(current, name).unwrap_or(current)));
            }
        }
        Some(Target::Module(current))
    }

    /// The file that defines an exported macro, if this is the root and the name is one.
    fn macro_home(&self, module: usize, name: &str) -> Option<usize> {
        let defines = |file: &usize| self.modules[*file].source.macros.iter().any(|defined| defined == name);
        let is_root = self.modules[module].parent.is_none();
        (0..self.modules.len()).filter(|_| is_root).find(defines)
    }

    /// The path that a name stands for in a module that has imported it.
    fn import(&self, module: usize, name: &str) -> Option<&[String]> {
        let imports = &self.modules[module].source.imports;
        imports.iter().find(|import| import.name == name).map(|import| import.path.as_slice())
    }

    /// Sets of files each of which imports all others of the set, directly or not.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<usize>> {
        let all: BTreeSet<usize> = (0..self.modules.len()).collect();
        let mut circles: Vec<BTreeSet<usize>> = Vec::new();
        for file in 0..self.modules.len() {
            if circles.iter().any(|circle| circle.contains(&file)) {
                continue;
            }
            let reached = self.reached(file, &all);
            let circle: BTreeSet<usize> =
                reached.iter().copied().filter(|other| self.reached(*other, &all).contains(&file)).collect();
            if circle.len() > 1 {
                circles.push(circle);
            }
        }
        circles
    }

    /// The files that this one imports, directly or not, by way of files of this set.
    fn reached(&self, from: usize, among: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for target in self.edges[file].keys().filter(|target| among.contains(target)) {
                if reached.insert(*target) {
                    open.push(*target);
                }
            }
        }
        reached
    }

    /// Whether a circle is one of a module and its private children only: it ends without the module's own file.
    pub(crate) fn is_of_parent(&self, circle: &BTreeSet<usize>) -> bool {
        circle.iter().any(|parent| {
            let others: BTreeSet<usize> = circle.iter().copied().filter(|file| file != parent).collect();
            others
                .iter()
                .all(|file| self.modules[*file].parent == Some(*parent) && self.modules[*file].is_private)
                && others.iter().all(|file| !self.reached(*file, &others).contains(file))
        })
    }

    /// The shortest way around a circle, a line for each import.
    pub(crate) fn way_around(&self, circle: &BTreeSet<usize>) -> String {
        let ways = circle.iter().filter_map(|start| self.way(*start, circle));
        let shortest = ways.min_by_key(Vec::len).unwrap_or_default();
        let line = |(from, to): &(usize, usize)| {
            format!(
                "    {} -> {} ({})\n",
                self.modules[*from].file, self.modules[*to].file, self.edges[*from][to]
            )
        };
        shortest.iter().map(line).collect()
    }

    fn way(&self, start: usize, circle: &BTreeSet<usize>) -> Option<Vec<(usize, usize)>> {
        let mut ways = vec![(start, Vec::new())];
        let mut seen = BTreeSet::new();
        while !ways.is_empty() {
            let mut next = Vec::new();
            for (file, way) in ways {
                for target in self.edges[file].keys().filter(|target| circle.contains(target)) {
                    let mut way: Vec<(usize, usize)> = way.clone();
                    way.push((file, *target));
                    if *target == start {
                        return Some(way);
                    }
                    if seen.insert(*target) {
                        next.push((*target, way));
                    }
                }
            }
            ways = next;
        }
        None
    }

    /// The layer of a file: the module below the root that it is in, or is.
    pub(crate) fn layer(&self, mut file: usize) -> &str {
        while let Some(parent) = self.modules[file].parent {
            if self.modules[parent].parent.is_none() {
                let children = &self.modules[parent].children;
                return children
                    .iter()
                    .find(|(_, child)| **child == file)
                    .map_or("", |(name, _)| name.as_str());
            }
            file = parent;
        }
        ROOT
    }
}

/// The layer of `lib.rs` and `main.rs`.
pub(crate) const ROOT: &str = "(root)";
