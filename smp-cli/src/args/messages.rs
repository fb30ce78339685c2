//! Arguments of the commands that send, receive, show and change messages.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::values::{KnownContact, Text, number, seconds};

/// `smp send`
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// The text; several words are joined by spaces, `-` reads standard input.
    #[arg(value_name = "TEXT", required_unless_present_any = ["lines", "file"])]
    pub(crate) text: Vec<String>,
    /// Send this file, with the text beside it if there is one. Its copy on file relays is encrypted, and goes after some hours (48 usually).
    #[arg(long, value_name = "FILE", conflicts_with = "lines")]
    pub(crate) file: Option<PathBuf>,
    /// Send each line of standard input as a text of its own, in order; `--json` answers each with the number of its line.
    #[arg(long, conflicts_with = "text")]
    pub(crate) lines: bool,
    /// Give up waiting for the relay after this many seconds; the message is kept and goes out later. If something is known to keep it
    /// here (the contact's queue is full, their relay is down) it is not waited for that long.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Wait until the contact's app has it too.
    #[arg(long)]
    pub(crate) receipt: bool,
}

/// `smp listen`
#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Stop after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Stop after this many messages; exit code 3 says that fewer came.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// `smp history`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// At most so many messages.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: u32,
    /// Only those before the message of this number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) before: Option<i64>,
}

/// `smp search`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct SearchArgs {
    /// The words, in capital letters or not.
    #[arg(value_name = "WORDS", required = true)]
    pub(crate) words: Vec<String>,
    /// Only in the conversation with this contact.
    #[arg(long, value_name = "CONTACT")]
    pub(crate) contact: Option<String>,
    /// At most so many messages, the last ones.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
}

/// A message of a conversation.
#[derive(Debug, Args)]
pub(crate) struct KnownMessage {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// The number of the message, as `smp history` and `smp listen` show it.
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub(crate) number: i64,
}

/// `smp receive`
#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    #[command(flatten)]
    pub(crate) message: KnownMessage,
    /// Where to put it: a directory, or the path of a new file; the present directory if left out.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) to: PathBuf,
}

/// `smp reply`
#[derive(Debug, Args)]
pub(crate) struct ReplyArgs {
    #[command(flatten)]
    pub(crate) message: KnownMessage,
    #[command(flatten)]
    pub(crate) text: Text,
    /// Give up waiting for the relay after this many seconds; the message is kept and goes out later.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `smp edit`
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) message: KnownMessage,
    #[command(flatten)]
    pub(crate) text: Text,
}

/// `smp delete`
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) message: KnownMessage,
    /// Delete it here only. A message of the contact can be deleted only here.
    #[arg(long)]
    pub(crate) here: bool,
}

/// `smp react`
#[derive(Debug, Args)]
pub(crate) struct ReactArgs {
    #[command(flatten)]
    pub(crate) message: KnownMessage,
    /// The emoji. SimpleX apps know 👍 👎 😀 😂 😢 ❤ 🚀 ✅, and drop others.
    #[arg(value_name = "EMOJI")]
    pub(crate) emoji: String,
    /// Take it back.
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `smp chat`
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
}
