//! `Time`: the wall clock and the monotonic clock, one handle to both.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::time::OffsetDateTime;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::time::Instant;

/// A pair of clocks.
pub trait TimeSource: Send + Sync + 'static {
    /// Time since 1970, as the machine believes; can jump. Zero before 1970.
    fn wall(&self) -> Duration;

    /// A time that only ever advances, at the pace of time. It must be the time of `tokio::time` where anything waits by that.
    fn monotonic(&self) -> Instant;
}

/// The clocks that were handed in. Clones read the same.
#[derive(Clone)]
pub struct Time(Arc<dyn TimeSource>);

impl Time {
    /// The clocks of this machine.
    #[must_use]
    pub fn machine() -> Self {
        Self::new(Machine)
    }

    /// Other clocks: those of a simulation, or of a test.
    #[must_use]
    pub fn new(source: impl TimeSource) -> Self {
        Self(Arc::new(source))
    }

    /// Time since 1970 by the wall clock.
    #[must_use]
    pub fn wall(&self) -> Duration {
        self.0.wall()
    }

    /// Seconds since 1970 by the wall clock.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.wall().as_secs()
    }

    /// Date and time of day, in UTC, by the wall clock; whole seconds.
    #[must_use]
    pub fn date(&self) -> OffsetDateTime {
        let seconds = i64::try_from(self.unix_seconds()).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Now, by the monotonic clock.
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        self.0.monotonic()
    }

    /// The wall clock's time as certificates are checked by.
    pub(crate) fn for_certificates(&self) -> UnixTime {
        UnixTime::since_unix_epoch(self.wall())
    }
}

/// TLS checks certificates by this clock.
impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.for_certificates())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").finish_non_exhaustive()
    }
}

/// The clocks of this machine.
struct Machine;

impl TimeSource for Machine {
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
