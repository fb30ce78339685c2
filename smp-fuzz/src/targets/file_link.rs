//! Links to files.

use smp_protocol::xftp::link::{FileLink, FileWebLink};

use super::file_description::settles;
use crate::seeds::Vectors;

/// Reads a link of either form.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(link) = FileLink::from_uri(text) {
        let Ok(again) = FileLink::from_uri(&link.to_uri()) else { panic!("not read back: {text}") };
        assert_eq!((&again.scheme, &again.client_data), (&link.scheme, &link.client_data));
        settles(again.description().clone());
    }
    if let Ok(link) = FileWebLink::from_uri(text) {
        let Ok(again) = FileWebLink::from_uri(&link.to_uri()) else { panic!("not read back: {text}") };
        assert_eq!(again.page, link.page);
        settles(again.description().clone());
    }
}

/// Links of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    vectors.texts("files", &["link", "web_link", "link_refused"], "uri")
}
