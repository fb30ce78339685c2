//! Removing what is too old, a bit at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{Broker, idle::IdleQueues, now};
use crate::store::SweepPosition;

/// Messages that are looked at without a pause.
const STEP: usize = 500;

/// Pause after each step, so that a large store does not slow the relay down.
const PAUSE: Duration = Duration::from_millis(50);

/// How long after the start the first sweep waits: clients that come back are served first.
const FIRST: Duration = Duration::from_secs(10);

/// Removes expired messages and notifications, and queues that nobody uses: soon after the start, then again and again.
pub(crate) async fn sweep(broker: Arc<Broker>) {
    let mut idle = IdleQueues::new();
    sleep(FIRST.min(broker.config().queues.expiry_interval)).await;
    loop {
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
        wait(&broker).await;
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
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// A relay that is restarted more often than once in an interval would never remove anything.
    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_goes_soon_after_the_start() {
        let broker = testing::broker_with(|config| {
            config.queues.expiry_interval = Duration::from_secs(1_000_000);
            config.queues.expire_messages = Some(Duration::from_secs(100));
        });
        let queue = testing::queue(&broker).await;
        testing::send_at(&broker, &queue, now() - 1_000).await;
        let start = Instant::now();
        let _sweeping = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(sweep(broker.clone())));
        while broker.metrics.messages_expired.get() == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(start.elapsed() < 2 * FIRST);
    }
}
