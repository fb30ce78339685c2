//! The progress bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// The present step, on the terminal's standard error. Silent if that is not a terminal.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for something that has `steps` steps.
    #[must_use]
    pub fn new(what: &str, steps: u64) -> Self {
        let bar = ProgressBar::new(steps).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many steps are done.
    pub fn set(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// So many more steps are done.
    pub fn add(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// Waits while something else is being measured.
    pub async fn wait(what: &str, duration: Duration) {
        let bar = Self::new(what, duration.as_millis() as u64);
        let start = Instant::now();
        while let Some(left) = duration.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.min(TICK)).await;
            bar.set(start.elapsed().as_millis() as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
