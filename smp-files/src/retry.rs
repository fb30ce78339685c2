//! Attempts: temporary failures are tried again after doubling pauses.

use std::time::Duration;

use crate::error::FileRelayError;

/// How often a command is tried.
pub(crate) const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Attempts of one command.
#[derive(Debug, Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Whether to try once more after this failure; it waits before it says so.
    pub(crate) async fn again(&mut self, error: &FileRelayError) -> bool {
        self.0 += 1;
        let is_allowed = error.is_temporary() && self.0 < ATTEMPTS;
        if is_allowed {
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(self.0 - 1)).await;
        }
        is_allowed
    }
}
