//! How often and when a test kills: `SMP_KILLS` and `SMP_SEED` say it, if they are set.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The number of kills, which is `usual` without `SMP_KILLS`.
///
/// # Errors
/// If the variable is no number.
pub fn count(usual: u32) -> anyhow::Result<u32> {
    Ok(std::env::var("SMP_KILLS").map_or(Ok(usual), |text| text.parse())?)
}

/// Their moments. Prints the seed, with which a run can be repeated.
///
/// # Errors
/// If `SMP_SEED` is no number.
pub fn rng() -> anyhow::Result<StdRng> {
    let seed = std::env::var("SMP_SEED").map_or_else(|_| Ok(rand::rng().random()), |text| text.parse())?;
    println!("SMP_SEED={seed}");
    Ok(StdRng::seed_from_u64(seed))
}
