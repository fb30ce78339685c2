//! A bound on how often something is done, with bursts.

use std::time::{Duration, Instant};

/// A burst may be as large as what is allowed in this time.
const BURST: Duration = Duration::from_secs(60);

/// Lets something happen a number of times a minute, and tells how long to wait when it happens too often.
pub(crate) struct Pace {
    per_minute: u32,
    /// When everything that was let happen would have happened if it had come evenly.
    even: Option<Instant>,
}

impl Pace {
    /// 0 means no bound.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, even: None }
    }

    /// Takes one turn and returns how long to wait for it.
    pub(crate) fn turn(&mut self, now: Instant) -> Duration {
        if self.per_minute == 0 {
            return Duration::ZERO;
        }
        let interval = BURST / self.per_minute;
        let even = self.even.map_or(now, |even| even.max(now)) + interval;
        self.even = Some(even);
        even.saturating_duration_since(now + BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_is_spread_out() {
        let (mut pace, start) = (Pace::new(60), Instant::now());
        for _ in 0..60 {
            assert_eq!(pace.turn(start), Duration::ZERO);
        }
        assert_eq!(pace.turn(start), Duration::from_secs(1));
        assert_eq!(pace.turn(start), Duration::from_secs(2));
        assert_eq!(pace.turn(start + Duration::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn zero_is_no_bound() {
        let (mut pace, now) = (Pace::new(0), Instant::now());
        assert!((0..1000).all(|_| pace.turn(now).is_zero()));
    }
}
