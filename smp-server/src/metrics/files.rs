//! Counters of the files that a relay keeps: chunks and bytes, never of whom.

use prometheus_client::{
    metrics::counter::Counter,
    registry::{Registry, Unit},
};

/// Chunks of files.
pub(crate) struct FileCounters {
    uploaded: Counter,
    uploaded_bytes: Counter,
    downloaded: Counter,
    downloaded_bytes: Counter,
    /// Chunks removed because they were too old.
    pub(crate) expired: Counter,
}

impl FileCounters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let mut counter = |name: &str, help: &str, unit: Option<Unit>| {
            let counter = Counter::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, counter.clone()),
                None => registry.register(name, help, counter.clone()),
            }
            counter
        };
        Self {
            uploaded: counter("file_chunks_uploaded", "Chunks of files that were uploaded", None),
            uploaded_bytes: counter("files_uploaded", "Size of these chunks", Some(Unit::Bytes)),
            downloaded: counter("file_chunks_downloaded", "Downloads of chunks that were begun", None),
            downloaded_bytes: counter("files_downloaded", "Size of their chunks", Some(Unit::Bytes)),
            expired: counter("file_chunks_expired", "Chunks removed because they were too old", None),
        }
    }

    /// A chunk of this size was uploaded.
    pub(crate) fn uploaded(&self, size: u32) {
        self.uploaded.inc();
        self.uploaded_bytes.inc_by(size.into());
    }

    /// The download of a chunk of this size has begun.
    pub(crate) fn downloaded(&self, size: u32) {
        self.downloaded.inc();
        self.downloaded_bytes.inc_by(size.into());
    }
}
