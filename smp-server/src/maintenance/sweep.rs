//! The sweep: everything that removes what is too old, at the interval `queues.expiry_interval`.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, sleep_until};

use super::{expiry, idle_queues::IdleQueues};
use crate::node::Node;

/// How long after the start the first sweep waits: clients that come back are served first.
const FIRST: Duration = Duration::from_secs(10);

/// Sweeps soon after the start, then again and again.
pub(crate) async fn sweep(node: Arc<Node>) {
    let mut idle = IdleQueues::new();
    sleep(FIRST.min(node.config().queues.expiry_interval)).await;
    loop {
        expiry::expire(&node).await;
        if let Some(age) = node.config().queues.delete_idle
            && let Err(error) = idle.sweep(&node, age).await
        {
            tracing::warn!("cannot delete queues that nobody uses: {error}");
        }
        wait(&node).await;
    }
}

/// Until it is time, also if the settings change meanwhile.
async fn wait(node: &Node) {
    let start = node.now();
    loop {
        tokio::select! {
            () = sleep_until(start + node.config().queues.expiry_interval) => return,
            () = node.settings.replaced() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::testing;

    /// A relay that is restarted more often than once in an interval would never remove anything.
    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_goes_soon_after_the_start() {
        let node = testing::node_with(|config| {
            config.queues.expiry_interval = Duration::from_secs(1_000_000);
            config.queues.expire_messages = Some(Duration::from_secs(100));
        });
        let queue = testing::queue(&node).await;
        testing::send_at(&node, &queue, node.clock.now() - 1_000).await;
        let start = Instant::now();
        let _sweeping = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(sweep(node.clone())));
        while node.metrics.messages_expired.get() == 0 {
            sleep(Duration::from_secs(1)).await;
        }
        assert!(start.elapsed() < 2 * FIRST);
    }
}
