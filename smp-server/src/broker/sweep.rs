//! Removing what is too old, a bit at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Broker, idle::IdleQueues, now};
use crate::store::SweepPosition;

/// Messages that are looked at without a pause.
const STEP: usize = 500;

/// Pause after each step, so that a large store does not slow the relay down.
const PAUSE: Duration = Duration::from_millis(50);

/// Removes expired messages and notifications, and queues that nobody uses, again and again.
pub(crate) async fn sweep(broker: Arc<Broker>) {
    let mut idle = IdleQueues::new();
    loop {
        wait(&broker).await;
        let now = now();
        let age = broker.config().queues.expire_notifications;
        broker.notifications.expire(now.saturating_sub(age.as_secs()));
        if let Some(before) = broker.expire_before(now) {
            expire_messages(&broker, before).await;
        }
        if let Some(age) = broker.config().queues.delete_idle
            && let Err(error) = idle.sweep(&broker, age, now).await
        {
            tracing::warn!("cannot delete queues that nobody uses: {error}");
        }
    }
}

/// Until it is time, also if the settings change meanwhile.
async fn wait(broker: &Broker) {
    let start = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(start + broker.config().queues.expiry_interval) => return,
            () = broker.reloaded.notified() => {}
        }
    }
}

async fn expire_messages(broker: &Broker, before: u64) {
    let mut position = SweepPosition::default();
    loop {
        match broker.store.expire_messages(before, position, STEP).await {
            Ok(swept) => {
                broker.metrics.messages_expired.inc_by(swept.removed);
                match swept.next {
                    Some(next) => position = next,
                    None => return,
                }
            }
            // The next sweep starts over.
            Err(error) => return tracing::warn!("cannot remove expired messages: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
