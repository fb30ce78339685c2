//! Arguments of the commands that make, protect, export and import an identity.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `smp init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The name that your contacts see; asked for if it is left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A relay for your incoming messages, `smp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`; asked for if it is left out. May be repeated; one is
    /// picked per contact.
    #[arg(long = "relay", value_name = "ADDRESS")]
    pub(crate) relays: Vec<String>,
    /// Do not tell contacts that their messages were received.
    #[arg(long)]
    pub(crate) no_receipts: bool,
    /// Keep no history: messages are forgotten when they were shown, or sent.
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// `smp passphrase`
#[derive(Debug, Subcommand)]
pub(crate) enum PassphraseArgs {
    /// Encrypt contacts, keys and texts.
    Set,
    /// Take another passphrase. Nothing is encrypted again: copies that were made before still have the old one.
    Change {
        /// File whose first line is the new one; asked for if it is left out.
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Decrypt contacts, keys and texts.
    Remove,
}

/// `smp export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Have it opened by 24 words that are chosen now and printed once: write them down.
    #[arg(long)]
    pub(crate) recovery_phrase: bool,
    /// File whose first line is a passphrase that opens it; otherwise the variable SMP_ARCHIVE_PASSPHRASE may have it, or it is asked for.
    /// Together with --recovery-phrase each of both opens it.
    #[arg(long, value_name = "FILE")]
    pub(crate) archive_passphrase_file: Option<PathBuf>,
    /// Replace a file that is there, once the new one is whole.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// `smp import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Open it by its 24 words: those in the variable SMP_RECOVERY_PHRASE, or they are asked for.
    #[arg(long, conflicts_with = "archive_passphrase_file")]
    pub(crate) recovery_phrase: bool,
    /// File whose first line has the 24 words.
    #[arg(long, value_name = "FILE", conflicts_with = "archive_passphrase_file")]
    pub(crate) recovery_phrase_file: Option<PathBuf>,
    /// File whose first line is its passphrase; otherwise the variable SMP_ARCHIVE_PASSPHRASE may have it, or it is asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) archive_passphrase_file: Option<PathBuf>,
}
