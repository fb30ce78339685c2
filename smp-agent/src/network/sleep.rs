//! Sleep of this machine: sessions do not survive it, and nothing says so. The wall clock goes on meanwhile, and the monotonic one stands still.

use super::engine::Engine;
use smp_transport::surroundings::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often to look.
const LOOK: Duration = Duration::from_secs(5);
/// How far the wall clock may run ahead between two looks. If somebody has set it, sessions are made anew for nothing, which costs little.
const AHEAD: Duration = Duration::from_secs(20);

/// Both clocks at one moment.
#[derive(Clone, Copy)]
struct Clocks {
    wall: Duration,
    monotonic: Instant,
}

impl Clocks {
    fn now(time: &Time) -> Self {
        Self { wall: time.wall(), monotonic: time.monotonic() }
    }

    /// Whether the machine slept in between.
    fn slept_until(self, later: Self) -> bool {
        let awake = later.monotonic.saturating_duration_since(self.monotonic);
        later.wall.saturating_sub(self.wall) > awake + AHEAD
    }
}

/// Makes the sessions anew after each sleep.
pub(super) async fn watch_sleep(engine: Arc<Engine>) {
    let time = &engine.surroundings().time;
    let mut before = Clocks::now(time);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Clocks::now(time);
        if before.slept_until(now) {
            engine.network_changed();
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wall_clock_that_ran_ahead_means_sleep() {
        let start = Time::machine().monotonic();
        let clocks = |wall, monotonic| Clocks {
            wall: Duration::from_secs(wall),
            monotonic: start + Duration::from_secs(monotonic),
        };
        let before = clocks(1_000_000, 100);
        for (wall, monotonic, slept) in [
            (1_000_005, 105, false),
            (1_000_024, 105, false),
            (1_000_600, 105, true),
            (1_000_600, 700, false),
            // Set back.
            (900_000, 105, false),
        ] {
            assert_eq!(before.slept_until(clocks(wall, monotonic)), slept, "{wall} {monotonic}");
        }
    }
}
