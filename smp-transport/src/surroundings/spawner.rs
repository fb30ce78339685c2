//! `Spawner`: starts tasks, and work that blocks a thread.
//!
//! The tasks are those of tokio, so that results, ends and panics are seen as everywhere. A simulation hands in a runtime of its
//! own: with one thread and a paused clock, tasks run in the order in which they were woken.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// Starts tasks on one runtime. Clones are the same.
#[derive(Debug, Clone)]
pub struct Spawner(Option<Handle>);

impl Spawner {
    /// On the runtime that the caller runs on, each time.
    #[must_use]
    pub fn current() -> Self {
        Self(None)
    }

    /// On this runtime, whoever calls.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self(Some(runtime))
    }

    fn runtime(&self) -> Handle {
        self.0.clone().unwrap_or_else(Handle::current)
    }

    /// Starts a task. It goes on when the handle is dropped.
    ///
    /// # Panics
    /// Outside a runtime, if it is that of the caller.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime().spawn(task)
    }

    /// Starts a task in a set, which ends it when it is dropped.
    ///
    /// # Panics
    /// Outside a runtime, if it is that of the caller.
    pub fn spawn_in<T: Send + 'static>(
        &self,
        set: &mut JoinSet<T>,
        task: impl Future<Output = T> + Send + 'static,
    ) {
        set.spawn_on(task, &self.runtime());
    }

    /// Runs what blocks, such as reading a file, on a thread for that.
    ///
    /// # Panics
    /// Outside a runtime, if it is that of the caller.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime().spawn_blocking(work)
    }
}
