//! `Coalesce`: whether a block with only small answers waits for more of them. Nagle's algorithm, but only under load.
//!
//! A block waits if the relay is busy, it has at most 2 KiB, and the last one was sent less than `server.coalesce` ago; it is
//! sent when that time is over. Messages are sent at once, and take along what waits.
//!
//! A block costs the same whether full or nearly empty, as 16 KiB are encrypted twice and sent, and costs the client as much
//! (docs/decisions/coalescing.md).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A block with more content than this, in bytes, does not wait: there are many answers in it, or a message.
const SMALL: usize = 2_048;

/// Decides it for one client.
pub(super) struct Coalesce {
    /// The shortest time between two blocks if the second one can wait. Zero: none does.
    interval: Duration,
    sent: Instant,
    /// A block waits until then.
    until: Option<Instant>,
}

impl Coalesce {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, sent: now, until: None }
    }

    /// Whether a block with so many bytes waits now. `is_busy` is asked only if nothing else speaks against it.
    pub(super) fn waits(&mut self, bytes: usize, now: Instant, is_busy: impl FnOnce() -> bool) -> bool {
        let until = self.sent + self.interval;
        let waits = bytes <= SMALL && now < until && (self.until.is_some() || is_busy());
        self.until = waits.then_some(until);
        waits
    }

    /// Resolves when a block has waited long enough. If none waits, that is never.
    pub(super) async fn over(&self) {
        match self.until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Blocks were sent.
    pub(super) fn sent(&mut self, now: Instant) {
        (self.sent, self.until) = (now, None);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn a_small_block_waits_until_the_last_one_was_sent_long_enough_ago() {
        let mut coalesce = Coalesce::new(INTERVAL, Instant::now());
        coalesce.sent(Instant::now());
        assert!(coalesce.over().now_or_never().is_none(), "nothing waits");
        tokio::time::advance(INTERVAL / 2).await;
        assert!(coalesce.waits(100, Instant::now(), || true));
        // Also if there is less to do meanwhile; and more that comes does not make it wait longer.
        assert!(coalesce.waits(200, Instant::now(), || false));
        let waited = Instant::now();
        coalesce.over().await;
        assert_eq!(waited.elapsed(), INTERVAL / 2);
        assert!(!coalesce.waits(200, Instant::now(), || true));
        coalesce.sent(Instant::now());
        assert!(coalesce.over().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_wait() {
        let mut coalesce = Coalesce::new(INTERVAL, Instant::now());
        let now = Instant::now();
        coalesce.sent(now);
        assert!(!coalesce.waits(100, now, || false), "there is time to answer");
        assert!(!coalesce.waits(SMALL + 1, now, || true), "a message");
        assert!(!coalesce.waits(100, now + INTERVAL, || true), "nothing was sent lately");
        assert!(coalesce.waits(100, now, || true));
        assert!(!coalesce.waits(SMALL + 1, now, || true), "a message takes along what waits");
        assert!(coalesce.over().now_or_never().is_none());
        assert!(!Coalesce::new(Duration::ZERO, now).waits(100, Instant::now(), || true), "switched off");
    }
}
