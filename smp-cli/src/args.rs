//! The command line of `smp`: arguments, and the help that explains them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::network::NetworkChoice;

/// Longest time that can be waited for, 100 years: no clock counts much further.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Stable: programs rely on them.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  refused or failed; a sentence says why, and what to do
  2  wrong arguments
  3  not done yet, and nothing is lost: what was handed over goes out by itself
  4  sent, but something is wrong with the contact, who may not read it; `smp contacts` says what";

/// Private messaging without user identifiers, over SimpleX relays.
#[derive(Debug, Parser)]
#[command(name = "smp", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Directory of this identity (one per person on a shared machine); made by `smp init`.
    #[arg(long, global = true, value_name = "DIR", env = "SMP_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// File whose first line is the passphrase of what is kept here; otherwise the variable SMP_PASSPHRASE may have it, or it is asked for.
    #[arg(long, global = true, value_name = "FILE", env = "SMP_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// How relays are reached, in this run; `smp init` keeps it for all.
    #[command(flatten)]
    pub(crate) network: NetworkChoice,

    /// Print one JSON object per line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Log what the program does to standard error; twice for more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an identity: a name that contacts see, and the relays that hold your incoming messages.
    Init(InitArgs),
    /// Make a one-time invitation: a link and a QR code for one person.
    Invite(InviteArgs),
    /// Your contact address: a link that you can publish, by which anybody can ask to connect.
    #[command(subcommand)]
    Address(AddressArgs),
    /// Let somebody in who asks to connect by your contact address.
    Accept(RequestArgs),
    /// Forget somebody who asks to connect by your contact address. They are not told.
    Refuse(RequestArgs),
    /// Connect to the person whose invitation link or contact address this is.
    Join(JoinArgs),
    /// List contacts.
    Contacts(ContactsArgs),
    /// Send a message.
    Send(SendArgs),
    /// Receive messages until interrupted.
    Listen(ListenArgs),
    /// Show what was said with a contact, with the numbers of messages.
    History(HistoryArgs),
    /// Find messages by words in them.
    Search(SearchArgs),
    /// Answer a message, which is quoted.
    Reply(ReplyArgs),
    /// Give a message of yours other words, here and for the contact.
    Edit(EditArgs),
    /// Delete a message: one of yours for the contact too.
    Delete(DeleteArgs),
    /// Give a message an emoji, or take it back.
    React(ReactArgs),
    /// Give a contact another name, here only.
    Rename(RenameArgs),
    /// Talk with one contact interactively.
    Chat(ChatArgs),
    /// Show the security code of a contact, or compare it with the one they read to you.
    Verify(VerifyArgs),
    /// Remove a contact and all that is kept of them, and tell them.
    Remove(RemoveArgs),
    /// Encrypt what is kept here under a passphrase, change it, or stop it.
    #[command(subcommand)]
    Passphrase(PassphraseArgs),
    /// The relays on which new contacts are made: list, add, remove and test them.
    #[command(subcommand)]
    Relay(RelayArgs),
    /// Receive what a contact sends on another relay.
    Rotate(RotateArgs),
    /// Renew the encryption with a contact whose messages cannot be read.
    Sync(SyncArgs),
    /// Look whether everything is in order: relays, clock, files, contacts, and what waits; each finding with the next step. Exit code 1 if
    /// something is not.
    Doctor,
    /// Write all that is kept here into one encrypted file: contacts, keys, conversations and settings.
    Export(ExportArgs),
    /// Make an identity of a file that `smp export` wrote, in a directory that holds nothing yet.
    Import(ImportArgs),
    /// Print a script that completes commands in your shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a directory.
    Man {
        /// The directory.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show it all on this machine: a relay, two people, a conversation, a crash. Leaves nothing behind.
    Demo(DemoArgs),
    /// The relay of the demonstration, in a process of its own so that it can be killed.
    #[command(hide = true)]
    DemoRelay(DemoRelayArgs),
}

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

/// `smp invite`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct InviteArgs {
    /// Name of this contact here; their own name is used if left out.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: Option<String>,
    /// Also write the QR code to this file (.png or .svg).
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) qr: Option<PathBuf>,
    /// Give the full link, with everything in it: three times as long, for apps that do not know short ones. The part that a short link stands
    /// for is kept by the relay, encrypted, until it is used.
    #[arg(long)]
    pub(crate) full: bool,
    /// Short links are the default; this is still understood.
    #[arg(long, hide = true, conflicts_with = "full")]
    pub(crate) short: bool,
    /// Stay until the other person has connected.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `smp address`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub(crate) enum AddressArgs {
    /// Make it, with a link and a QR code. There is one at most.
    Create {
        #[command(flatten)]
        shown: ShownLink,
        /// Let in everybody who asks, without asking you. For programs; for people it is an open door.
        #[arg(long)]
        auto_accept: bool,
    },
    /// Show its link and QR code.
    Show {
        #[command(flatten)]
        shown: ShownLink,
    },
    /// Say whether everybody who asks from now on is let in without asking you.
    AutoAccept {
        /// Whether.
        switch: Switch,
    },
    /// Delete it: nobody can ask any more. Contacts stay, and so does who asked before.
    Delete,
}

impl AddressArgs {
    /// The file that the QR code is written to.
    pub(crate) fn qr(&self) -> Option<&Path> {
        match self {
            Self::Create { shown, .. } | Self::Show { shown } => shown.qr.as_deref(),
            Self::AutoAccept { .. } | Self::Delete => None,
        }
    }
}

/// How a link is shown.
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct ShownLink {
    /// Also write the QR code to this file (.png or .svg).
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) qr: Option<PathBuf>,
    /// Give the full link, with everything in it, for apps that do not know short ones. Both lead to the same address.
    #[arg(long)]
    pub(crate) full: bool,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum Switch {
    On,
    Off,
}

/// `smp accept` and `smp refuse`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RequestArgs {
    /// The name of who asks, as `smp contacts` shows it.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `smp join`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct JoinArgs {
    /// The invitation: simplex:/i#…, https://…/i#…, simplex:/invitation#/?… or https://…/invitation#/?…, also with the text that it
    /// came in, or a picture (.png, .jpg) of its QR code; `-` reads standard input.
    #[arg(value_name = "LINK")]
    pub(crate) link: String,
    /// Name of this contact here; their own name is used if left out.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: Option<String>,
    /// How long to wait for the other person, who may be away; `smp listen` completes the connection later.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `smp contacts`
#[derive(Debug, Args)]
pub(crate) struct ContactsArgs {
    /// Make a new list after the file with names and verification marks was lost; they are lost too.
    #[arg(long)]
    pub(crate) new_book: bool,
}

/// `smp send`
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The text; several words are joined by spaces, `-` reads standard input.
    #[arg(value_name = "TEXT", required_unless_present = "lines")]
    pub(crate) text: Vec<String>,
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
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
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

/// `smp reply`
#[derive(Debug, Args)]
pub(crate) struct ReplyArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The number of the message, as `smp history` and `smp listen` show it.
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub(crate) number: i64,
    /// The text; several words are joined by spaces, `-` reads standard input.
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) text: Vec<String>,
    /// Give up waiting for the relay after this many seconds; the message is kept and goes out later.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `smp edit`
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The number of the message, as `smp history` shows it.
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub(crate) number: i64,
    /// The text; several words are joined by spaces, `-` reads standard input.
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) text: Vec<String>,
}

/// `smp delete`
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The number of the message, as `smp history` shows it.
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub(crate) number: i64,
    /// Delete it here only. A message of the contact can be deleted only here.
    #[arg(long)]
    pub(crate) here: bool,
}

/// `smp react`
#[derive(Debug, Args)]
pub(crate) struct ReactArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The number of the message, as `smp history` and `smp listen` show it.
    #[arg(value_name = "NUMBER", value_parser = number)]
    pub(crate) number: i64,
    /// The emoji. SimpleX apps know 👍 👎 😀 😂 😢 ❤ 🚀 ✅, and drop others.
    #[arg(value_name = "EMOJI")]
    pub(crate) emoji: String,
    /// Take it back.
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `smp rename`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RenameArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The new name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `smp chat`
#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
}

/// `smp verify`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct VerifyArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The code that the contact sees; spaces do not matter. If it is equal, the contact is marked as verified.
    #[arg(value_name = "CODE")]
    pub(crate) code: Vec<String>,
}

/// `smp remove`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RemoveArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Do not tell the contact: for them it looks as if you were away for ever.
    #[arg(long)]
    pub(crate) quiet: bool,
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

/// `smp rotate`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RotateArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The relay; one of yours if it is left out, rather another than that of now.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) relay: Option<String>,
}

/// `smp sync`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct SyncArgs {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Also if nothing seems to be wrong. Messages on their way may be lost.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `smp relay`
#[derive(Debug, Subcommand)]
pub(crate) enum RelayArgs {
    /// List them.
    List,
    /// Add one: `smp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`, from its operator.
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
    /// Connect to them: how fast they answer, in which version, and whether they make queues. Exit code 1 if one cannot be used.
    Test {
        /// Some of yours by their hosts, or any by their addresses; all of yours if left out.
        #[arg(value_name = "RELAY")]
        relays: Vec<String>,
    },
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

/// The number of a message, also as it is shown: `#12`.
fn number(text: &str) -> Result<i64, String> {
    let number = text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "the number of a message is expected, as `smp history` shows it".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST_WAIT => Ok(duration),
        _ => Err(format!("the number of seconds must be from 0 to {}", LONGEST_WAIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn messages_are_named_by_numbers() {
        assert_eq!((number("12"), number("#12")), (Ok(12), Ok(12)));
        for text in ["", "#", "0", "-1", "##1", "last"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_refuse_what_no_clock_can_wait_for() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["-1", "nan", "1e400", "1e19", "3153600001", "ten", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("3153600000"), Ok(LONGEST_WAIT));
    }
}
