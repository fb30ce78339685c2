//! Messages and notifications that are too old, removed a bit at a time.

use std::time::Duration;

use crate::node::Node;

/// Messages that are looked at without a pause.
const STEP: usize = 500;

/// Pause after each step, so that a large store does not slow the relay down.
const PAUSE: Duration = Duration::from_millis(50);

/// Removes what is too old.
pub(super) async fn expire(node: &Node) {
    let age = node.config().queues.expire_notifications;
    node.hub.notifications.expire(node.clock.older_than(age));
    if let Some(before) = node.expire_before() {
        expire_messages(node, before).await;
    }
}

async fn expire_messages(node: &Node, before: u64) {
    loop {
        match node.store.expire_messages(before, STEP).await {
            Ok(swept) => {
                node.metrics.messages_expired.inc_by(swept.removed);
                if !swept.more {
                    return;
                }
            }
            // The next sweep starts over.
            Err(error) => return tracing::warn!("cannot remove expired messages: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
