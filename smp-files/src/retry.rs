//! Attempts: temporary failures are tried again after doubling pauses.

use std::time::Duration;

use crate::error::FileRelayError;

/// How often a command is tried.
pub(crate) const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Does something until it is done, fails for good, or was tried often enough.
pub(crate) async fn retried<T>(
    attempt: impl AsyncFn() -> Result<T, FileRelayError>,
) -> Result<T, FileRelayError> {
    let mut number = 1;
    loop {
        match attempt().await {
            Err(error) if error.is_temporary() && number < ATTEMPTS => {
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(number - 1)).await;
                number += 1;
            }
            done => return done,
        }
    }
}
