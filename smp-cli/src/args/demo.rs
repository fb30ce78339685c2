//! Arguments of the demonstration.

use std::path::PathBuf;

use clap::Args;

/// `smp demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Messages in each direction, before and again after the crash.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) messages: u32,
}

/// `smp demo-relay`
#[derive(Debug, Args)]
pub(crate) struct DemoRelayArgs {
    /// The relay's directory.
    pub(crate) dir: PathBuf,
}
