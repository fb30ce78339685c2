//! The command line of `smp`: arguments, and the help that explains them.

mod bot;
mod contacts;
mod daemon;
mod demo;
mod files;
mod identity;
mod messages;
mod relays;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use self::bot::BotCommandArgs;
pub(crate) use self::contacts::{
    AddressArgs, ContactsArgs, DisappearArgs, InviteArgs, JoinArgs, MuteArgs, RemoveArgs, RenameArgs,
    RequestArgs, RotateArgs, ShownLink, SyncArgs, VerifyArgs,
};
pub(crate) use self::daemon::{BotArgs, DaemonArgs, FirstStart};
pub(crate) use self::demo::{DemoArgs, DemoRelayArgs};
pub(crate) use self::files::{FileArgs, FileDeleteArgs, FileReceiveArgs, FileSendArgs};
pub(crate) use self::identity::{ExportArgs, ImportArgs, InitArgs, PassphraseArgs};
pub(crate) use self::messages::{
    ChatArgs, DeleteArgs, EditArgs, HistoryArgs, KnownMessage, ListenArgs, ReactArgs, ReceiveArgs, ReplyArgs,
    SearchArgs, SendArgs,
};
pub(crate) use self::relays::RelayArgs;
pub(crate) use self::values::{KnownContact, LONGEST_WAIT, NewContact, Switch};
use crate::network::NetworkChoice;

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
    /// Send a message, or a file.
    Send(SendArgs),
    /// Receive the file of a message. Interrupted, it goes on where it was when it is run again.
    Receive(ReceiveArgs),
    /// Receive messages until interrupted.
    Listen(ListenArgs),
    /// Stay in the background: receive, and serve the other commands, until interrupted.
    Daemon(DaemonArgs),
    /// Answer each message by what a command writes.
    Bot(BotCommandArgs),
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
    /// Keep a contact's messages without showing a line for each; `off` ends that.
    Mute(MuteArgs),
    /// Have the messages of a conversation disappear, on both sides, some time after they were read or sent.
    Disappear(DisappearArgs),
    /// Talk with one contact interactively.
    Chat(ChatArgs),
    /// Talk with everybody in one screen: contacts, conversations, what is unread. For a terminal; `?` lists the keys.
    Tui,
    /// Show the security code of a contact with its QR code, or compare it with the one they read or show to you.
    Verify(VerifyArgs),
    /// Remove a contact and all that is kept of them, and tell them.
    Remove(RemoveArgs),
    /// Encrypt what is kept here under a passphrase, change it, or stop it.
    #[command(subcommand)]
    Passphrase(PassphraseArgs),
    /// The relays on which new contacts are made, and those that keep files: list, add, remove and test them.
    #[command(subcommand)]
    Relay(RelayArgs),
    /// Files without a contact, through file relays: send one, receive one by its link, delete one that was sent.
    #[command(subcommand)]
    File(FileArgs),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
