//! The rate at which the file system keeps something for good.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

use crate::outcome::Outcome;

/// Bytes that are written each time: a page of a database.
const PAGE: usize = 4096;

/// Appends pages to a new file, each followed by `fdatasync`.
pub(super) fn run(dir: Option<&Path>, duration: Duration) -> Result<Outcome> {
    let temporary = std::env::temp_dir();
    let dir = dir.unwrap_or(&temporary);
    let dir = tempfile::tempdir_in(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
    let mut file = File::create(dir.path().join("file"))?;
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let begin = Instant::now();
    while begin.elapsed() < duration {
        let each = Instant::now();
        file.write_all(&[1; PAGE])?;
        file.sync_data()?;
        times.saturating_record(each.elapsed().as_micros() as u64);
    }
    let setting = format!("{PAGE} bytes and fdatasync, again and again");
    let mut outcome = Outcome::new("limit: fsync", "this machine", 0, setting);
    outcome.add("synced", times.len() as f64 / begin.elapsed().as_secs_f64(), "per s");
    outcome.add("p50", times.value_at_quantile(0.5) as f64, "us");
    outcome.add("p99", times.value_at_quantile(0.99) as f64, "us");
    Ok(outcome)
}
