//! `Bar`: how far a transfer is, for whoever watches it.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal; nothing elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(verb: &'static str, is_watched: bool) -> Self {
        let bar = if is_watched { ProgressBar::new(0) } else { ProgressBar::hidden() };
        // The template is one of ours: without it the bar has another look.
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(verb);
        Self(bar)
    }

    pub(super) fn update(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
