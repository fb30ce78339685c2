//! Descriptions of files.

use smp_protocol::address::XftpAddress;
use smp_protocol::xftp::description::{FileDescription, MAX_REPLICAS};

use crate::check::text_settles;
use crate::seeds::Vectors;

/// Reads a description, checks that its text settles.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    text_settles!(XftpAddress, text);
    if let Ok(description) = FileDescription::from_yaml(text) {
        settles(description);
    }
}

/// Checks that a description that was read is written and read again; the order of replicas may change once.
pub(super) fn settles(description: FileDescription) {
    let chunks = description.chunks.as_slice();
    assert!(chunks.iter().map(|chunk| chunk.replicas.len()).sum::<usize>() <= MAX_REPLICAS);
    assert!(format!("{description:?}").len() < 100, "no key is shown");
    let again = |description: &FileDescription| {
        let text = description.to_yaml();
        FileDescription::from_yaml(&text).unwrap_or_else(|error| panic!("not read back: {error}: {text}"))
    };
    let settled = again(&description);
    assert_eq!((settled.size(), settled.party), (description.size(), description.party));
    assert!(again(&settled) == settled);
}

/// Descriptions of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    vectors.texts("files", &["description", "description_read", "description_refused"], "yaml")
}
