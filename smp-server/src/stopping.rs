//! `Stopping`: the end of serving, as each connection sees it: for all at once, or for each at a moment of its own (draining).

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use smp_transport::surroundings::Randomness;
use tokio_util::sync::CancellationToken;

/// Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Stopping(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// No connection is accepted any more.
    begun: CancellationToken,
    /// No command is read any more.
    now: CancellationToken,
    /// The time over which connections end.
    drain: OnceLock<Duration>,
}

impl Stopping {
    /// Begins to drain: each connection ends at a moment of its own within this time, so that what their clients do elsewhere is spread
    /// over it.
    pub(crate) fn drain(&self, over: Duration) {
        // Those that wait for it read it after this.
        let _ = self.0.drain.set(over);
        self.0.begun.cancel();
    }

    /// Ends all of them.
    pub(crate) fn stop(&self) {
        self.0.begun.cancel();
        self.0.now.cancel();
    }

    /// Whether connections are accepted no more.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.begun.is_cancelled()
    }

    /// Resolves when connections are accepted no more.
    pub(crate) async fn begun(&self) {
        self.0.begun.cancelled().await;
    }

    /// Resolves when one connection is to end. To be called once for each.
    pub(crate) async fn turn(&self, randomness: &Randomness) {
        self.0.begun.cancelled().await;
        let drain = self.0.drain.get().copied().unwrap_or_default();
        // On the heap: a connection that is not being drained keeps no room for it.
        Box::pin(async {
            tokio::select! {
                () = tokio::time::sleep(part_of(drain, randomness)) => {}
                () = self.0.now.cancelled() => {}
            }
        })
        .await;
    }
}

/// Any part of a time.
fn part_of(time: Duration, randomness: &Randomness) -> Duration {
    use rand::Rng as _;
    time.mul_f64(f64::from(randomness.rng().next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::{task::JoinSet, time::Instant};

    use super::*;
    use crate::sync::lock;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn connections_end_one_after_the_other_while_it_drains() {
        let stopping = Stopping::default();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let mut connections = JoinSet::new();
        for _ in 0..1_000 {
            let (stopping, ends) = (stopping.clone(), ends.clone());
            connections.spawn(async move {
                stopping.turn(&Randomness::machine()).await;
                lock(&ends).push(Instant::now());
            });
        }
        tokio::task::yield_now().await;
        assert!(!stopping.has_begun() && lock(&ends).is_empty());
        let start = Instant::now();
        stopping.drain(MINUTE);
        while connections.join_next().await.is_some() {}
        let first_half = lock(&ends).iter().filter(|end| end.duration_since(start) < MINUTE / 2).count();
        assert!((300..700).contains(&first_half), "{first_half}");
        assert!(start.elapsed() <= MINUTE + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_those_that_are_left() {
        let stopping = Stopping::default();
        let start = Instant::now();
        stopping.drain(1_000 * MINUTE);
        let left = tokio::spawn({
            let stopping = stopping.clone();
            async move { stopping.turn(&Randomness::machine()).await }
        });
        tokio::task::yield_now().await;
        stopping.stop();
        left.await.unwrap();
        stopping.turn(&Randomness::machine()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
