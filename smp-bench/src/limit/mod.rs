//! Limits of this machine, in the units of the scenarios.

mod cryptography;
mod echo;
mod files;
mod fsync;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::outcome::Outcome;

pub use cryptography::CryptographyCost;
pub use echo::{EchoOptions, serve_echo};
pub use files::FileCost;

/// Options of `limit`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Connections of the echo
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Blocks on their way on each
    #[arg(long, default_value_t = 16)]
    pub window: usize,
    /// How long to measure each, in seconds
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Directory whose file system is measured [default: the one for temporary files]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// A program that echoes, if not this one
    #[arg(long, hide = true)]
    pub program: Option<PathBuf>,
}

/// Measures all three.
///
/// # Errors
/// If a process cannot be started or a file not be written.
pub async fn run(options: &Options) -> Result<Vec<Outcome>> {
    let duration = Duration::from_secs_f64(options.seconds);
    let cryptography = CryptographyCost::measure(duration / 8)?.outcome();
    let echo = echo::run(options, duration).await?;
    let fsync = fsync::run(options.dir.as_deref(), duration)?;
    Ok(vec![echo, cryptography, fsync])
}
