//! `smp send`: hand over a text and wait until the contact's relay keeps it.

use std::collections::HashSet;
use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use smp_agent::MessageId;
use tokio::time::Instant;

use super::{QUEUED, next_before};
use crate::args::SendArgs;
use crate::book::{Contact, Status};
use crate::conversation::MAX_TEXT;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};

/// What `smp send` was asked to send, wherever the text came from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TextToSend {
    contact: String,
    text: String,
    timeout: Duration,
    receipt: bool,
}

/// Takes the text from where it is.
pub(super) fn resolve(args: SendArgs) -> anyhow::Result<TextToSend> {
    Ok(TextToSend {
        text: text(&args.text)?,
        contact: args.contact,
        timeout: args.timeout,
        receipt: args.receipt,
    })
}

pub(super) async fn run(
    message: &TextToSend,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + message.timeout;
    let Some(contact) = connected(&message.contact, deadline, session, output).await? else {
        bail!(
            "{} is not connected yet, so nothing was sent; keep `smp listen` running until they are, then send again",
            message.contact
        );
    };
    let mut unsent: HashSet<MessageId> =
        session.send_text(&contact, &message.text).await?.into_iter().collect();
    let mut unreceived = unsent.clone();
    let is_done = |unsent: &HashSet<_>, unreceived: &HashSet<_>| {
        unsent.is_empty() && (!message.receipt || unreceived.is_empty())
    };
    while !is_done(&unsent, &unreceived) {
        match next_before(session, deadline, output).await? {
            Some(Notice::Sent(to, number)) if to.id == contact.id => {
                unsent.remove(&number);
            }
            Some(Notice::Received(by, number)) if by.id == contact.id => {
                unreceived.remove(&number);
            }
            Some(Notice::SendFailed(to, number, _)) if to.id == contact.id && unsent.contains(&number) => {
                return Ok(Exit::FAILED);
            }
            Some(Notice::Ended(ended, _)) if ended.id == contact.id => return Ok(Exit::FAILED),
            Some(_) => {}
            None => return Ok(not_yet(&contact, unsent.is_empty(), output)),
        }
    }
    if message.receipt {
        output.result("delivered", json!({ "contact": contact.name }), "received");
    } else {
        output.result("sent", json!({ "contact": contact.name }), "sent");
    }
    warn(&contact, session, output).await
}

/// A text that was taken and may not be read must not look as one that is.
async fn warn(contact: &Contact, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let mut exit = Exit::DONE;
    for trouble in session.book().troubles().await? {
        if trouble.contact == contact.id && trouble.kind.concerns_sent_texts() {
            let name = &contact.name;
            let sentence =
                format!("{name} may not read this: {} ({}).", trouble.kind.describe(), trouble.reason);
            output.note("trouble", json!({ "contact": name, "trouble": trouble }), &sentence);
            exit = Exit::DOUBTFUL;
        }
    }
    Ok(exit)
}

/// The time is over.
fn not_yet(contact: &Contact, is_sent: bool, output: &Output) -> Exit {
    let fields = json!({ "contact": contact.name });
    if is_sent {
        output.result("sent", fields, "sent, and not received yet");
    } else {
        output.note("queued", fields, QUEUED);
    }
    Exit::NOT_YET
}

/// The contact, once connected; none if that did not happen in time.
async fn connected(
    name: &str,
    deadline: Instant,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Option<Contact>> {
    let mut contact = session.book().require(name).await?;
    while contact.status != Status::Connected {
        if contact.status == Status::Ended {
            bail!("{name} is gone, so nothing can be sent; connect again with a new invitation");
        }
        if next_before(session, deadline, output).await?.is_none() {
            return Ok(None);
        }
        let current = session.book().by_connection(contact.connection).await?;
        contact = current.context("The contact was removed meanwhile")?;
    }
    Ok(Some(contact))
}

fn text(words: &[String]) -> anyhow::Result<String> {
    let text = match words {
        [dash] if dash == "-" => {
            let mut text = String::new();
            // One byte more than is sent shows that there is more.
            let mut input = std::io::stdin().take(MAX_TEXT as u64 + 1);
            input.read_to_string(&mut text).context("Standard input is not text in UTF-8")?;
            text.trim_end_matches('\n').to_owned()
        }
        words => words.join(" "),
    };
    if text.is_empty() {
        bail!("The text is empty; say something.");
    }
    Ok(text)
}
