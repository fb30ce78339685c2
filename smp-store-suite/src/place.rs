//! `Fixture`: a store that is tested, and how it is opened again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::store::Store;

type Reopen = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Store>>>>>;

/// A store, with all that must live as long as it.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    reopen: Option<Reopen>,
}

impl Fixture {
    /// A store that keeps nothing over a restart.
    #[must_use]
    pub fn without_restart(store: Arc<dyn Store>) -> Self {
        Self { store, reopen: None }
    }

    /// A store that `open` opens, at first and after each restart.
    pub async fn opened_by<F>(open: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Arc<dyn Store>> + 'static,
    {
        Self { store: open().await, reopen: Some(Box::new(move || Box::pin(open()))) }
    }

    /// The store after a restart of the relay; the same if it keeps nothing.
    pub async fn restarted(self) -> Self {
        let Some(reopen) = &self.reopen else { return self };
        self.store.close().await.unwrap();
        Self { store: reopen().await, ..self }
    }
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fixture")
    }
}
