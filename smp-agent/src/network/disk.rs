//! The own disk when it is full: the application is told, and what was held back goes on when there is space again.

use super::acknowledging::acknowledge_held;
use super::engine::Engine;
use crate::event::Event;
use std::sync::Arc;

/// Tells that the disk is full, and has the reserve made again when it is not any more.
pub(super) async fn watch_disk(engine: Arc<Engine>) {
    let reserve = &engine.steps.reserve;
    loop {
        reserve.given_up.notified().await;
        engine.tell(Event::StorageFailed { reason: reserve.error().to_string() });
        while reserve.is_given_up() {
            tokio::time::sleep(engine.config.timeouts.disk).await;
            let reserve = reserve.clone();
            let made = engine.blocking(move || reserve.recover()).await;
            if matches!(made, Ok(true)) {
                engine.tell(Event::StorageRecovered);
                take_more(&engine).await;
            }
        }
    }
}

/// Work that was held back for want of space goes on.
async fn take_more(engine: &Arc<Engine>) {
    for connection in engine.held.connections() {
        if engine.has_room(connection).await.unwrap_or(true) {
            acknowledge_held(engine, connection);
        }
    }
}
