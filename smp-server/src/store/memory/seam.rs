//! `Seam`: the places at which a test holds a store in memory up, or has it die.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

/// Does nothing until it is told to.
#[derive(Debug)]
pub(crate) struct Seam {
    holds_changes: AtomicBool,
    released: Semaphore,
    next_append_dies: AtomicBool,
}

impl Default for Seam {
    fn default() -> Self {
        Self {
            holds_changes: AtomicBool::new(false),
            released: Semaphore::new(0),
            next_append_dies: AtomicBool::new(false),
        }
    }
}

impl Seam {
    /// From now on changes of queues wait.
    pub(crate) fn hold_changes(&self) {
        self.holds_changes.store(true, Ordering::Relaxed);
    }

    /// Lets one of them go on.
    pub(crate) fn release_change(&self) {
        self.released.add_permits(1);
    }

    /// The next message kills the task that appends it, after it was waited for.
    pub(crate) fn die_at_next_append(&self) {
        self.next_append_dies.store(true, Ordering::Relaxed);
    }

    pub(super) async fn before_change(&self) {
        if self.holds_changes.load(Ordering::Relaxed) {
            self.released.acquire().await.unwrap().forget();
        }
    }

    pub(super) async fn before_append(&self) {
        if self.next_append_dies.swap(false, Ordering::Relaxed) {
            tokio::task::yield_now().await;
            panic!("a mistake in the relay");
        }
    }
}
