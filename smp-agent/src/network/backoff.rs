//! How long to wait before something on the network is tried again.

use rand::RngExt as _;
use std::time::Duration;

/// Waiting times that double from a first to a longest one, each shortened by up to half at random, so that
/// many clients of a relay that comes back do not return in the same instant.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next time to wait.
    pub(crate) fn wait(&mut self, rng: &mut impl rand::Rng) -> Duration {
        let full = self.next;
        self.next = self.next.saturating_mul(2).min(self.longest);
        full.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// Starts again with the first time, if a success lasted longer than what would be waited now: who connects us only to
    /// leave at once is not asked again at once.
    pub(crate) fn reset_after(&mut self, lasted: Duration) {
        if lasted > self.next {
            self.reset();
        }
    }

    /// Starts again with the first time, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_with_jitter() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let mut rng = rand::rng();
        for full in [100, 200, 350, 350] {
            let wait = backoff.wait(&mut rng);
            assert!(wait <= Duration::from_millis(full) && wait >= Duration::from_millis(full / 2));
        }
        backoff.reset();
        assert!(backoff.wait(&mut rng) <= Duration::from_millis(100));
        backoff.reset_after(Duration::from_millis(150));
        assert!(backoff.wait(&mut rng) >= Duration::from_millis(100));
        backoff.reset_after(Duration::from_secs(1));
        assert!(backoff.wait(&mut rng) <= Duration::from_millis(100));
    }
}
