//! Arguments of the process that stays in the background.

use std::path::PathBuf;

use clap::Args;

/// `smp daemon`
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    #[command(flatten)]
    pub(crate) first: FirstStart,
    #[command(flatten)]
    pub(crate) bots: BotArgs,
}

/// The interface for bots.
#[derive(Debug, Args)]
pub(crate) struct BotArgs {
    /// Serve bots over WebSocket, as SimpleX's terminal app does: a port, `localhost:PORT` or `ADDRESS:PORT`. See docs/bot-api.md.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) bot_api: Option<String>,
    /// Serve bots over a Unix socket too, which processes of the same user can open without a token.
    #[arg(long, value_name = "PATH")]
    pub(crate) bot_socket: Option<PathBuf>,
    /// File whose first line is a token that bots have to send (`Authorization: Bearer TOKEN`, or `ws://bot:TOKEN@HOST:PORT`); otherwise the
    /// variable SMP_BOT_TOKEN may have it. Needed if other machines can reach the address.
    #[arg(long, value_name = "FILE", requires = "bot_api")]
    pub(crate) bot_token_file: Option<PathBuf>,
    /// File with a certificate and those that lead to it, in PEM: the address of --bot-api is served with TLS (`wss://`). It is read again when
    /// it was renewed.
    #[arg(long, value_name = "FILE", requires_all = ["bot_tls_key", "bot_api"])]
    pub(crate) bot_tls_certificate: Option<PathBuf>,
    /// File with the private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "bot_tls_certificate")]
    pub(crate) bot_tls_key: Option<PathBuf>,
    /// The version of SimpleX's app that bots are told.
    #[arg(long, value_name = "VERSION", default_value = "7.0.0.0")]
    pub(crate) bot_version: String,
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
