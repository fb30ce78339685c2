//! One file per command.

mod chat;
mod contacts;
mod init;
mod invite;
mod join;
mod listen;
mod remove;
mod send;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::args::{Cli, Command};
use crate::book::NewText;
use crate::data_dir::DataDir;
use crate::demo;
use crate::names::argument;
use crate::output::{Output, clock, visible};
use crate::session::{Notice, Session};

/// The program ended without doing what was asked, and nothing is lost: the message waits, the contact is not there yet.
pub(crate) const NOT_YET: u8 = 3;

/// Runs the command.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output::new(cli.json);
    if let Command::Demo(args) = cli.command {
        return demo::run(&args, output).await;
    }
    if let Command::DemoRelay(args) = cli.command {
        return demo::run_relay(&args).await;
    }
    let dir = DataDir::locate(cli.data_dir.as_deref())?;
    if let Command::Init(args) = cli.command {
        return init::run(&args, &dir, output);
    }
    let mut session = Session::open(&dir).await?;
    let result = match cli.command {
        Command::Invite(args) => invite::run(&args, &mut session, output).await,
        Command::Join(args) => join::run(&args, &mut session, output).await,
        Command::Contacts => contacts::run(&session, output).await,
        Command::Send(args) => send::run(&args, &mut session, output).await,
        Command::Listen(args) => listen::run(&args, &mut session, output).await,
        Command::Chat(args) => chat::run(&args, &mut session, output).await,
        Command::Verify(args) => verify::run(&args, &session, output).await,
        Command::Remove(args) => remove::run(&args, &session, output).await,
        Command::Init(_) | Command::Demo(_) | Command::DemoRelay(_) => Ok(ExitCode::SUCCESS),
    };
    session.close().await;
    result
}

/// Shows texts that arrived and were not shown yet; returns how many. A text is forgotten only after it is on the screen: if
/// this program is killed in between it is shown again, with the same `id`.
async fn show_new_texts(session: &Session, output: Output) -> anyhow::Result<u64> {
    let texts = session.new_texts().await?;
    for text in &texts {
        let sentence = text_line(text);
        output.result(
            "message",
            json!({ "id": text.key(), "contact": text.contact, "at": text.at, "text": text.text }),
            &sentence,
        );
        session.book().shown(text).await?;
    }
    if !texts.is_empty() {
        session.book().clean().await?;
    }
    Ok(texts.len() as u64)
}

/// One line per text; further lines of a text are set in, so that none can pass for a message of its own.
fn text_line(text: &NewText) -> String {
    format!("{} {}: {}", clock(text.at), text.contact, visible(&text.text).replace('\n', "\n         "))
}

/// Says what happened, where a person should know.
fn explain(notice: &Notice, output: Output) {
    match notice {
        Notice::Joined(contact) => {
            let name = &contact.name;
            output.note("joined", json!({ "contact": name }), &format!("{name} used your invitation."));
        }
        Notice::Connected(contact) => {
            let name = &contact.name;
            let sentence =
                format!("{name} is connected. Compare security codes: smp verify {}", argument(name));
            output.note("connected", json!({ "contact": name }), &sentence);
        }
        Notice::Renamed(contact, own) => {
            let name = &contact.name;
            let sentence = format!("{name} now calls themselves “{own}”; in your list they stay “{name}”.");
            output.note("renamed", json!({ "contact": name, "own_name": own }), &sentence);
        }
        Notice::SendFailed(contact, _, reason) => {
            let name = &contact.name;
            let sentence = format!("A message to {name} was given up: {reason}.");
            output.note("send_failed", json!({ "contact": name, "reason": reason }), &sentence);
        }
        Notice::Waiting(contact) => {
            let name = &contact.name;
            let sentence =
                format!("{name} has not read for long, the relay holds no more; your messages wait.");
            output.note("waiting", json!({ "contact": name }), &sentence);
        }
        Notice::Ended(contact, reason) => {
            let name = &contact.name;
            output.note(
                "ended",
                json!({ "contact": name, "reason": reason }),
                &format!("{name} is gone: {reason}."),
            );
        }
        Notice::Unreadable(contact, reason) => {
            let name = &contact.name;
            output.note(
                "unreadable",
                json!({ "contact": name, "reason": reason }),
                &format!("From {name}: {reason}."),
            );
        }
        Notice::Gap(contact, gap) => {
            let name = &contact.name;
            output.note("gap", json!({ "contact": name, "reason": gap }), &format!("From {name}: {gap}."));
        }
        Notice::RelayDown(relay, reason) => {
            output.note(
                "relay_down",
                json!({ "relay": relay, "reason": reason }),
                &format!("Relay {relay} {reason}."),
            );
        }
        Notice::RelayUp(relay) => {
            // People expect this; programs may wait for it.
            if output.is_json() {
                output.note("relay_up", json!({ "relay": relay }), "");
            }
        }
        Notice::StorageFailed(reason) => {
            output.note("storage_failed", json!({ "reason": reason }), &format!("Your disk: {reason}."));
        }
        Notice::Text | Notice::Sent(_) => {}
    }
}

/// The next notice, explained, or none if the time is over.
async fn next_before(
    session: &mut Session,
    deadline: Instant,
    output: Output,
) -> anyhow::Result<Option<Notice>> {
    match tokio::time::timeout_at(deadline, session.next()).await {
        Ok(notice) => {
            let notice = notice?;
            explain(&notice, output);
            Ok(Some(notice))
        }
        Err(_) => Ok(None),
    }
}

/// Ctrl-C or a request to terminate.
async fn interrupted() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Far enough away to be never.
fn never() -> Instant {
    Instant::now() + Duration::from_secs(100 * 365 * 24 * 3600)
}
