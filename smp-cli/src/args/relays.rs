//! Arguments of `smp relay`.

use clap::Subcommand;

/// `smp relay`
#[derive(Debug, Subcommand)]
pub(crate) enum RelayArgs {
    /// List them.
    List,
    /// Add one: `smp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`, from its operator; one for files begins with `xftp://`.
    Add {
        /// Its address.
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Remove one. Contacts that receive there stay there.
    Remove {
        /// Its address, or its host.
        #[arg(value_name = "RELAY")]
        relay: String,
    },
    /// Connect to them: how fast they answer, in which version, and whether they make queues, or take files. Exit code 1 if one cannot be
    /// used.
    Test {
        /// Some of yours by their hosts, or any by their addresses; all of yours if left out.
        #[arg(value_name = "RELAY")]
        relays: Vec<String>,
    },
}
