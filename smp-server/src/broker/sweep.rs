//! Removing what is too old, a bit at a time.

use std::{sync::Arc, time::Duration};

use super::{Broker, now};
use crate::store::SweepPosition;

/// Messages that are looked at without a pause.
const STEP: usize = 500;

/// Pause after each step, so that a large store does not slow the relay down.
const PAUSE: Duration = Duration::from_millis(50);

/// Removes expired messages and notifications, again and again.
pub(crate) async fn sweep(broker: Arc<Broker>) {
    let settings = &broker.config.queues;
    loop {
        tokio::time::sleep(settings.expiry_interval).await;
        let now = now();
        broker.notifications.expire(now.saturating_sub(settings.expire_notifications.as_secs()));
        if let Some(before) = broker.expire_before(now) {
            expire_messages(&broker, before).await;
        }
    }
}

async fn expire_messages(broker: &Broker, before: u64) {
    let mut position = SweepPosition::default();
    loop {
        match broker.store.expire_messages(before, position, STEP).await {
            Ok(swept) => match swept.next {
                Some(next) => position = next,
                None => return,
            },
            // The next sweep starts over.
            Err(error) => return tracing::warn!("cannot remove expired messages: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
