//! `smp send`: hand over a text and wait until the contact's relay keeps it.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::{QUEUED, next_before};
use crate::args::SendArgs;
use crate::book::{Contact, Status};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};

/// What `smp send` was asked to send, wherever the text came from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TextToSend {
    contact: String,
    text: String,
    timeout: Duration,
}

/// Takes the text from where it is.
pub(super) fn resolve(args: SendArgs) -> anyhow::Result<TextToSend> {
    Ok(TextToSend { text: text(&args.text)?, contact: args.contact, timeout: args.timeout })
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
    let number = session.send_text(&contact, &message.text).await?;
    while let Some(notice) = next_before(session, deadline, output).await? {
        match notice {
            Notice::Sent(sent) if sent == number => {
                output.result("sent", json!({ "contact": contact.name }), "sent");
                return Ok(Exit::DONE);
            }
            Notice::SendFailed(_, failed, _) if failed == number => return Ok(Exit::FAILED),
            Notice::Ended(ended, _) if ended.id == contact.id => return Ok(Exit::FAILED),
            _ => {}
        }
    }
    output.note("queued", json!({ "contact": contact.name }), QUEUED);
    Ok(Exit::NOT_YET)
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
            std::io::stdin().read_to_string(&mut text).context("Standard input is not text in UTF-8")?;
            text.trim_end_matches('\n').to_owned()
        }
        words => words.join(" "),
    };
    if text.is_empty() {
        bail!("The text is empty; say something.");
    }
    Ok(text)
}
