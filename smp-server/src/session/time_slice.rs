//! `TimeSlice`: a task yields to others after one millisecond.
//!
//! A block may have hundreds of commands, each of which may cost many verifications; other clients do not wait for all of them.

use std::time::Duration;

use smp_transport::surroundings::Time;
use tokio::time::Instant;

/// How long a task may go on.
const LENGTH: Duration = Duration::from_millis(1);

/// When the slice of a task has begun.
pub(super) struct TimeSlice<'a> {
    time: &'a Time,
    began: Instant,
}

impl<'a> TimeSlice<'a> {
    pub(super) fn begin(time: &'a Time) -> Self {
        Self { time, began: time.monotonic() }
    }

    /// To be awaited between two steps: lets other tasks go on if this one has used its slice.
    pub(super) async fn yield_if_used(&mut self) {
        if self.time.monotonic().duration_since(self.began) >= LENGTH {
            tokio::task::yield_now().await;
            self.began = self.time.monotonic();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_slice_is_measured_in_time() {
        let time = Time::machine();
        let mut slice = TimeSlice::begin(&time);
        assert!(slice.yield_if_used().now_or_never().is_some());
        std::thread::sleep(LENGTH);
        assert!(slice.yield_if_used().now_or_never().is_none(), "others go on");
        slice.yield_if_used().await;
        assert!(slice.yield_if_used().now_or_never().is_some(), "the next one has begun");
    }
}
