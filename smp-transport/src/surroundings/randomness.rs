//! `Randomness`: the source of random bytes.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rand::{TryCryptoRng, TryRng};

/// Makes random bytes.
pub trait RandomSource: Send + Sync + 'static {
    /// Fills all of it. Outside simulations nobody may be able to tell the bytes from noise, or to guess those before and after.
    fn fill(&self, bytes: &mut [u8]);
}

/// The source that was handed in. Clones draw from the same.
#[derive(Clone)]
pub struct Randomness(Arc<dyn RandomSource>);

impl Randomness {
    /// A generator of this process for each thread, seeded and reseeded by the operating system.
    #[must_use]
    pub fn machine() -> Self {
        Self::new(Machine)
    }

    /// Another source: that of a simulation, or of a test.
    #[must_use]
    pub fn new(source: impl RandomSource) -> Self {
        Self(Arc::new(source))
    }

    /// A generator, for functions that take one.
    #[must_use]
    pub fn rng(&self) -> Rng<'_> {
        Rng(&*self.0)
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Randomness").finish_non_exhaustive()
    }
}

/// Draws from a [`Randomness`]; a [`rand::CryptoRng`].
pub struct Rng<'a>(&'a dyn RandomSource);

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Rng<'_> {}

impl fmt::Debug for Rng<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rng").finish_non_exhaustive()
    }
}

/// The generator of the thread.
struct Machine;

impl RandomSource for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }
}
