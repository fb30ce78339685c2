//! Inputs that make sense, taken from the vectors.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

/// The vectors in `protocol-spec/vectors`: the cases of each file.
#[derive(Debug, Default)]
pub struct Vectors {
    files: BTreeMap<String, Vec<Value>>,
}

impl Vectors {
    /// Reads all files of the folder.
    ///
    /// # Errors
    /// If one cannot be read or is no vector file.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let mut file: Value = serde_json::from_slice(&std::fs::read(&path)?)
                    .with_context(|| format!("{} is not JSON", path.display()))?;
                let Value::Array(cases) = file["cases"].take() else { continue };
                files.insert(name, cases);
            }
        }
        Ok(Vectors { files })
    }

    /// The vectors of this workspace.
    ///
    /// # Errors
    /// As of [`Vectors::load`].
    pub fn of_workspace() -> anyhow::Result<Self> {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors"))
    }

    /// The cases of these kinds.
    pub fn cases<'a>(&'a self, file: &str, kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
        let cases = self.files.get(file).map_or(&[][..], Vec::as_slice);
        cases.iter().filter(|case| kinds.iter().any(|kind| case["kind"] == **kind))
    }

    /// The bytes in this field, of all cases of these kinds.
    pub fn bytes(&self, file: &str, kinds: &[&str], field: &str) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        self.cases(file, kinds).for_each(|case| collect_bytes(&case[field], &mut found));
        found
    }

    /// The texts in this field, of all cases of these kinds.
    pub fn texts(&self, file: &str, kinds: &[&str], field: &str) -> Vec<Vec<u8>> {
        let texts = self.cases(file, kinds).filter_map(|case| case[field].as_str());
        texts.map(|text| text.as_bytes().to_vec()).collect()
    }
}

/// The bytes that a value stands for, or those of all values in a list or object. Digests of long byte strings are left out.
pub fn collect_bytes(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) => found.extend(hex::decode(text)),
        Value::Array(values) => values.iter().for_each(|value| collect_bytes(value, found)),
        Value::Object(values) if !values.contains_key("sha256") => {
            values.values().for_each(|value| collect_bytes(value, found));
        }
        _ => {}
    }
}

/// Each seed with this byte in front.
pub fn with_first(first: u8, seeds: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    seeds.into_iter().map(move |seed| [&[first], &seed[..]].concat())
}

/// The first byte that stands for this SMP version.
pub fn version_byte(version: u64) -> u8 {
    (version.clamp(6, 19) - 6) as u8
}
