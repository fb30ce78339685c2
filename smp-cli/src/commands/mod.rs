//! Commands, one file each: they work with an open session and say what comes of it to an output.

mod address;
mod bar;
pub(crate) mod change;
pub(crate) mod chat;
pub(crate) mod contacts;
mod disappear;
mod doctor;
pub(crate) mod export;
pub(crate) mod file;
mod history;
pub(crate) mod import;
pub(crate) mod init;
mod invite;
pub(crate) mod join;
pub(crate) mod listen;
mod mute;
pub(crate) mod notices;
pub(crate) mod papers;
pub(crate) mod passphrase;
pub(crate) mod receive;
pub(crate) mod relay;
mod remove;
mod rename;
mod renew;
mod requests;
pub(crate) mod send;
pub(crate) mod stop;
mod texts;
pub(crate) mod tidy;
pub(crate) mod verify;
pub(crate) mod welcome;

use serde::{Deserialize, Serialize};

use self::change::Change;
pub(crate) use self::init::check_name;
pub(crate) use self::notices::explain;
use self::receive::FileToReceive;
use self::send::TextToSend;
pub(crate) use self::stop::Stop;
pub(crate) use self::tidy::Tidy;
use crate::args::{
    AddressArgs, DisappearArgs, HistoryArgs, InviteArgs, JoinArgs, MuteArgs, RemoveArgs, RenameArgs,
    RequestArgs, RotateArgs, SearchArgs, SyncArgs, VerifyArgs,
};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

/// A command that another process can run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    Contacts,
    Invite(InviteArgs),
    Address(AddressArgs),
    Accept(RequestArgs),
    Doctor,
    Rotate(RotateArgs),
    Sync(SyncArgs),
    Refuse(RequestArgs),
    Join(JoinArgs),
    Send(TextToSend),
    Receive(FileToReceive),
    Verify(VerifyArgs),
    Remove(RemoveArgs),
    Rename(RenameArgs),
    Mute(MuteArgs),
    Disappear(DisappearArgs),
    History(HistoryArgs),
    Search(SearchArgs),
    Change(Change),
}

/// Runs a command, for this process or for another one.
pub(crate) async fn run_task(task: Task, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    match task {
        Task::Contacts => contacts::run(session, output).await,
        Task::Invite(args) => invite::run(&args, session, output).await,
        Task::Address(args) => address::run(&args, session, output).await,
        Task::Doctor => doctor::run(session, output).await,
        Task::Rotate(args) => renew::rotate(&args, session, output).await,
        Task::Sync(args) => renew::sync(&args, session, output).await,
        Task::Accept(args) => requests::accept(&args, session, output).await,
        Task::Refuse(args) => requests::refuse(&args, session, output).await,
        Task::Join(args) => join::run(&args, session, output).await,
        Task::Send(message) => send::run(&message, session, output).await,
        Task::Receive(file) => receive::run(&file, session, output).await,
        Task::Verify(args) => verify::run(&args, session, output).await,
        Task::Remove(args) => remove::run(&args, session, output).await,
        Task::Rename(args) => rename::run(&args, session, output).await,
        Task::Mute(args) => mute::run(&args, session, output).await,
        Task::Disappear(args) => disappear::run(&args, session, output).await,
        Task::History(args) => history::show(&args, session, output).await,
        Task::Search(args) => history::search(&args, session, output).await,
        Task::Change(change) => change::run(&change, session, output).await,
    }
}
