//! Arguments of the process that stays in the background.

use clap::Args;

/// `smp daemon`
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    #[command(flatten)]
    pub(crate) first: FirstStart,
}

/// The identity that a first start makes, where nobody sits at a terminal.
#[derive(Debug, Args)]
pub(crate) struct FirstStart {
    /// If there is no identity yet, make one of this name, on the relays of --relay.
    #[arg(long, value_name = "NAME", env = "SMP_CREATE_PROFILE")]
    pub(crate) create_profile: Option<String>,
    /// A relay for the identity that is made, `smp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`. May be repeated; in the variable several stand
    /// with spaces between them.
    #[arg(long = "relay", value_name = "ADDRESS", env = "SMP_CREATE_RELAYS", value_delimiter = ' ')]
    pub(crate) relays: Vec<String>,
}
