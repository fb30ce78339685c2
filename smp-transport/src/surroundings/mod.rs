//! `Surroundings`: the machine that a relay or an agent runs on, as far as it is an input: time, chance, network and tasks.
//!
//! Invariant: they are handed in once, when a relay, an agent or a client starts, and nothing else in the libraries reads a clock, draws
//! random bytes, dials or starts a task. `clippy.toml` of the workspace holds it. Waiting is left to `tokio::time`, whose clock can be paused and
//! is the one that [`Time`] reads.
//!
//! One thing stays outside: the randomness inside TLS. The library takes its key exchange groups and its source as statics. Bytes on
//! the wire below TLS differ from run to run for that, their numbers and everything above do not.

#[expect(clippy::disallowed_methods, reason = "the one place that reads the network")]
mod network;
#[expect(clippy::disallowed_methods, reason = "the one place that reads the source of randomness")]
mod randomness;
#[expect(clippy::disallowed_methods, reason = "the one place that reads the runtime")]
mod spawner;
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
mod time;

pub use crate::stream::BoxedStream;
pub use network::{Network, Pending};
pub use randomness::{RandomSource, Randomness, Rng};
pub use spawner::Spawner;
pub use time::{Time, TimeSource};

use std::fmt;
use std::sync::Arc;

/// Time, chance, network and tasks. Clones are the same.
#[derive(Clone)]
pub struct Surroundings {
    /// Wall clock and monotonic clock.
    pub time: Time,
    /// Random bytes.
    pub randomness: Randomness,
    /// Looks names up and dials.
    pub network: Arc<dyn Network>,
    /// Starts tasks.
    pub spawner: Spawner,
}

impl Surroundings {
    /// Clock, randomness and network of this machine, and tasks on the runtime that the caller runs on.
    #[must_use]
    pub fn machine() -> Self {
        Self {
            time: Time::machine(),
            randomness: Randomness::machine(),
            network: network::machine(),
            spawner: Spawner::current(),
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}
