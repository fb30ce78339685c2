//! Arguments of the commands that make, list, change and end contacts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::values::{KnownContact, NewContact, Switch, seconds, span};

/// `smp invite`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct InviteArgs {
    #[command(flatten)]
    pub(crate) contact: NewContact,
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
    #[command(flatten)]
    pub(crate) contact: NewContact,
    /// A text for the owner of a contact address, who sees it with your request and before they answer it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) greeting: Option<String>,
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

/// `smp rename`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RenameArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// The new name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `smp mute`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct MuteArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// Whether.
    #[arg(value_name = "SWITCH", default_value = "on")]
    pub(crate) switch: Switch,
}

/// `smp disappear`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct DisappearArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// How long after they were read or sent: `30s`, `5m`, `1h`, `7d`, `2w`, or `off`. Left out: how it is now.
    #[arg(value_name = "TIME", value_parser = span)]
    pub(crate) after: Option<u32>,
}

/// `smp verify`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// The code that the contact sees, spaces do not matter, or a picture (.png, .jpg) of its QR code. If it is equal, the contact is marked
    /// as verified.
    #[arg(value_name = "CODE")]
    pub(crate) code: Vec<String>,
    /// Also write the QR code to this file (.png or .svg).
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    #[serde(skip)]
    pub(crate) qr: Option<PathBuf>,
}

/// `smp remove`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// Do not tell the contact: for them it looks as if you were away for ever.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// `smp rotate`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// The relay; one of yours if it is left out, rather another than that of now.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) relay: Option<String>,
}

/// `smp sync`
#[derive(Debug, Args, Serialize, Deserialize)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) contact: KnownContact,
    /// Also if nothing seems to be wrong. Messages on their way may be lost.
    #[arg(long)]
    pub(crate) force: bool,
}
