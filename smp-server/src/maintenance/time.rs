//! The relay's clock survives a restart: the store keeps what it has seen.

use std::sync::Arc;

use crate::{
    clock::{COMPARED_EVERY, Clock},
    store::{Store, StoreError},
};

/// Goes on where the relay was.
pub(crate) async fn restore_time(clock: &Clock, store: &dyn Store) -> Result<(), StoreError> {
    clock.restore(&store.saved_clock().await?);
    keep_time(clock, store).await
}

/// Has the store keep what the clock has seen.
pub(crate) async fn keep_time(clock: &Clock, store: &dyn Store) -> Result<(), StoreError> {
    store.save_clock(clock.to_text()).await?;
    clock.kept();
    Ok(())
}

/// Compares the clocks again and again, and has the store keep the time.
pub(crate) async fn watch_time(clock: Clock, store: Arc<dyn Store>) {
    loop {
        tokio::time::sleep(COMPARED_EVERY).await;
        let Some(text) = clock.due_text() else { continue };
        match store.save_clock(text).await {
            Ok(()) => clock.kept(),
            Err(error) => tracing::debug!("cannot note the time: {error}"),
        }
    }
}
