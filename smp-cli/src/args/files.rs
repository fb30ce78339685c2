//! Arguments of `smp file`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `smp file`
#[derive(Debug, Subcommand)]
pub(crate) enum FileArgs {
    /// Encrypt a file, put it on file relays, and print the link by which others receive it. Interrupted, it goes on where it was when it is
    /// run again.
    Send(FileSendArgs),
    /// Receive a file by its link or description. Interrupted, it goes on where it was when it is run again.
    Receive(FileReceiveArgs),
    /// Delete a file that was sent, for all who have not received it yet.
    Delete(FileDeleteArgs),
}

/// `smp file send`
#[derive(Debug, Args)]
pub(crate) struct FileSendArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A new directory for the descriptions: one for each recipient, and one that deletes the file; FILE.xftp if left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Descriptions for so many recipients, so that file relays cannot tell that they receive the same. The link is that of the first.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) recipients: usize,
    /// A file relay to put it on, `xftp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`; may be repeated. Those that were added with `smp relay add` if left out.
    #[arg(long = "relay", value_name = "ADDRESS")]
    pub(crate) relays: Vec<String>,
}

/// `smp file receive`
#[derive(Debug, Args)]
pub(crate) struct FileReceiveArgs {
    /// The link, or the file with the description.
    #[arg(value_name = "LINK|DESCRIPTION")]
    pub(crate) from: String,
    /// Where to put it: a directory, or the path of a new file; the present directory if left out.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) to: PathBuf,
}

/// `smp file delete`
#[derive(Debug, Args)]
pub(crate) struct FileDeleteArgs {
    /// The directory that `smp file send` made, or descriptions of senders.
    #[arg(value_name = "DIR|DESCRIPTION", required = true)]
    pub(crate) sent: Vec<PathBuf>,
}
