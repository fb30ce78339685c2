//! Arguments of a bot that is a command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::daemon::FirstStart;
use super::values::seconds;

/// `smp bot`
#[derive(Debug, Args)]
pub(crate) struct BotCommandArgs {
    #[command(flatten)]
    pub(crate) first: FirstStart,
    /// The command, for `sh -c`: it gets the text of a message on standard input, and what it writes to standard output is the answer. The
    /// variables SMP_CONTACT_ID, SMP_CONTACT, SMP_MESSAGE_ID and SMP_MESSAGE_AT say whose message it is.
    #[arg(long, value_name = "COMMAND", required_unless_present = "webhook", conflicts_with = "webhook")]
    pub(crate) exec: Option<String>,
    /// A server of this machine, `http://localhost:PORT/…`, to which each message is posted, signed; the answer is the `reply` of the JSON that it
    /// answers. A server that is away, or answers 5xx, is asked again.
    #[arg(long, value_name = "URL", requires = "webhook_secret_file")]
    pub(crate) webhook: Option<String>,
    /// File whose first line is the secret of the signatures, in both directions.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Take signed requests at this address of this machine, and send the messages that are in them.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "webhook")]
    pub(crate) webhook_listen: Option<SocketAddr>,
    /// Kill a command, with all that it has started, after this many seconds; then there is no answer. A server is asked again.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Messages that are answered at once: one for each contact, whose messages are taken one after the other.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) parallel: u8,
    /// Longest answer in bytes; a longer one is cut, and the command killed.
    #[arg(long, value_name = "BYTES", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_output: u32,
}
