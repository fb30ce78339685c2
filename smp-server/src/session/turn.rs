//! Clients take turns: the commands of one, each of which may cost many verifications, do not keep others waiting.

use std::time::{Duration, Instant};

/// How long a task may go on before others get their turn.
const LENGTH: Duration = Duration::from_millis(1);

/// The turn of a task.
pub(super) struct Turn(Instant);

impl Turn {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// To be awaited between two steps: lets other tasks go on if this one has had its turn.
    pub(super) async fn pass_on(&mut self) {
        if self.0.elapsed() >= LENGTH {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_measured_in_time() {
        let mut turn = Turn::begin();
        assert!(turn.pass_on().now_or_never().is_some());
        std::thread::sleep(LENGTH);
        assert!(turn.pass_on().now_or_never().is_none(), "others have their turn");
        turn.pass_on().await;
        assert!(turn.pass_on().now_or_never().is_some(), "the next one has begun");
    }
}
