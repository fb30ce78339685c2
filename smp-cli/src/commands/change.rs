//! `smp edit`, `delete` and `react`: changes of messages that were sent or came.

use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::json;
use smp_agent::MessageId;
use smp_chat::Contact;
use smp_chat::conversation::Side;
use smp_chat::profile::Feature;
use smp_files::delete;
use smp_protocol::xftp::description::FileDescription;
use tokio::time::Instant;

use super::notices::{QUEUED, next_before};
use super::send::text;
use crate::args::{DeleteArgs, EditArgs, KnownMessage, ReactArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::Reach;
use crate::session::{Notice, Session};

/// How long the contact's relay may take to take the change; later it goes out by itself.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A change of one message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    contact: String,
    number: i64,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Edit(String),
    Delete { here: bool },
    React { emoji: String, undo: bool },
}

/// Takes the new text from where it is.
pub(crate) fn edit(args: EditArgs) -> anyhow::Result<Change> {
    let what = What::Edit(text(&args.text.words)?);
    Ok(change(args.message, what))
}

/// As it was asked for.
pub(crate) fn delete(args: DeleteArgs) -> Change {
    change(args.message, What::Delete { here: args.here })
}

/// As it was asked for.
pub(crate) fn react(args: ReactArgs) -> Change {
    change(args.message, What::React { emoji: args.emoji, undo: args.undo })
}

fn change(message: KnownMessage, what: What) -> Change {
    Change { contact: message.contact.name, number: message.number, what }
}

impl Change {
    /// Another text for a message.
    pub(crate) fn text(contact: String, number: i64, text: String) -> Self {
        Self { contact, number, what: What::Edit(text) }
    }

    /// The command, as people know it.
    pub(crate) fn name(&self) -> &'static str {
        match self.what {
            What::Edit(_) => "smp edit",
            What::Delete { .. } => "smp delete",
            What::React { .. } => "smp react",
        }
    }
}

pub(super) async fn run(change: &Change, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&change.contact).await?;
    let number = change.number;
    let sent = match &change.what {
        What::Edit(text) => session.change(&contact, number, |item| item.edit(text)).await?,
        What::Delete { here: false } => {
            let file = session.item(&contact, number).await?.item.sent_file();
            let sent = session.change(&contact, number, |item| item.take_back()).await?;
            if let Some(file) = file {
                delete_file(&file, session, output).await?;
            }
            sent
        }
        What::Delete { here: true } => return forget(&contact, number, session, output).await,
        What::React { emoji, undo } => {
            let profile = session.book().profile(&contact).await?;
            if !Feature::Reactions.is_ours_with(profile.as_ref()) {
                bail!("{} does not want reactions, so none was sent", contact.name);
            }
            session.change(&contact, number, |item| item.react(emoji, !undo)).await?
        }
    };
    let fields = json!({ "contact": contact.name, "item": number });
    if is_sent(&contact, sent, session, output).await? {
        output.result("sent", fields, "sent");
        Ok(Exit::DONE)
    } else {
        output.note("queued", fields, QUEUED);
        Ok(Exit::NOT_YET)
    }
}

/// Deletes a file on its relays. If that fails it goes when it is old.
async fn delete_file(file: &FileDescription, session: &Session, output: &Output) -> anyhow::Result<()> {
    let relays = Reach::of(session.dir(), &[])?.relays();
    if let Err(error) = delete::delete(file, &relays, &|_, _| {}).await {
        let sentence = format!("The file stays on its relays until it is old: {error}.");
        output.note("file_not_deleted", json!({ "reason": error.to_string() }), &sentence);
    }
    Ok(())
}

async fn forget(contact: &Contact, number: i64, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let kept = session.item(contact, number).await?;
    session.book().forget(&kept).await?;
    let name = &contact.name;
    let sentence = match kept.item.side {
        Side::Ours => format!("Deleted here; {name} still has it."),
        Side::Theirs => "Deleted.".to_owned(),
    };
    output.result("deleted", json!({ "contact": name, "item": number }), &sentence);
    Ok(Exit::DONE)
}

/// Whether the contact's relay has the message before the time is over.
async fn is_sent(
    contact: &Contact,
    message: MessageId,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match next_before(session, deadline, output).await? {
            Some(Notice::Sent(to, number)) if to.id == contact.id && number == message => return Ok(true),
            Some(Notice::SendFailed(to, number, _)) if to.id == contact.id && number == message => {
                bail!("The change was given up, so {} does not have it", contact.name);
            }
            Some(Notice::Ended(ended, _)) if ended.id == contact.id => {
                bail!("{} is gone, so the change does not reach them", contact.name);
            }
            Some(Notice::Waiting(of) | Notice::Refused(of)) if of.id == contact.id => return Ok(false),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}
