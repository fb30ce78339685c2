//! `smp send`: hand over a text and wait until the contact's relay keeps it.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::time::Instant;

use super::{NOT_YET, QUEUED, next_before};
use crate::args::SendArgs;
use crate::book::{Contact, Status};
use crate::output::Output;
use crate::session::{Notice, Session};

pub(super) async fn run(args: &SendArgs, session: &mut Session, output: Output) -> anyhow::Result<ExitCode> {
    let text = text(&args.text)?;
    let deadline = Instant::now() + args.timeout;
    let Some(contact) = connected(&args.contact, deadline, session, output).await? else {
        bail!(
            "{} is not connected yet, so nothing was sent; keep `smp listen` running until they are, then send again",
            args.contact
        );
    };
    let number = session.send_text(&contact, &text).await?;
    while let Some(notice) = next_before(session, deadline, output).await? {
        match notice {
            Notice::Sent(sent) if sent == number => {
                output.result("sent", json!({ "contact": contact.name }), "sent");
                return Ok(ExitCode::SUCCESS);
            }
            Notice::SendFailed(_, failed, _) if failed == number => return Ok(ExitCode::FAILURE),
            Notice::Ended(ended, _) if ended.id == contact.id => return Ok(ExitCode::FAILURE),
            _ => {}
        }
    }
    output.note("queued", json!({ "contact": contact.name }), QUEUED);
    Ok(ExitCode::from(NOT_YET))
}

/// The contact, once connected; none if that did not happen in time.
async fn connected(
    name: &str,
    deadline: Instant,
    session: &mut Session,
    output: Output,
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
