//! One file per command.

mod chat;
mod contacts;
mod init;
mod invite;
mod join;
mod listen;
mod notices;
mod remove;
mod send;
mod stop;
mod verify;

use std::process::ExitCode;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;

use self::notices::explain;
use crate::args::{Cli, Command, LONGEST_WAIT};
use crate::book::NewText;
use crate::data_dir::DataDir;
use crate::demo;
use crate::output::{Output, clock, visible};
use crate::session::{Notice, Session};

/// The program ended without doing what was asked, and nothing is lost: the message waits, the contact is not there yet.
pub(crate) const NOT_YET: u8 = 3;

/// What is said of a message that the contact's relay does not have yet.
const QUEUED: &str =
    "Not sent yet, and kept: it goes out by itself the next time `smp listen`, `chat` or `send` runs.";

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
    let clock = clock(text.at, OffsetDateTime::now_utc());
    format!("{clock} {}: {}", text.contact, visible(&text.text).replace('\n', "\n         "))
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

/// Far enough away to be never.
fn never() -> Instant {
    Instant::now() + LONGEST_WAIT
}
