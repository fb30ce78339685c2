//! `smp disappear`: messages of a conversation that are forgotten on both sides some time after they were read or sent.

use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use smp_chat::profile::{Disappearing, Feature, disappear_after};
use smp_chat::{Contact, Status};
use tokio::time::Instant;

use super::notices::{QUEUED, next_before};
use crate::args::DisappearArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};
use crate::text::span;

/// How long the contact's relay may take to take the wish; later it goes out by itself.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn run(
    args: &DisappearArgs,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    match args.after {
        None => show(&contact, session, output).await,
        Some(seconds) => set(&contact, Disappearing::of_seconds(seconds), session, output).await,
    }
}

async fn show(contact: &Contact, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let profile = session.book().profile(contact).await?;
    tell(contact, disappear_after(contact.disappearing, profile.as_ref()), output);
    Ok(Exit::DONE)
}

async fn set(
    contact: &Contact,
    wish: Disappearing,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Exit> {
    if contact.status != Status::Connected {
        bail!("{} is not connected, so nothing can be agreed with them; try again then", contact.name);
    }
    let number = session.set_disappearing(contact, wish).await?;
    let profile = session.book().profile(contact).await?;
    if !Feature::TimedMessages.is_ours_with(profile.as_ref()) {
        let sentence = format!("{}'s app does not allow it: until it does nothing disappears.", contact.name);
        output.note("not_allowed", json!({ "contact": contact.name }), &sentence);
    }
    tell(contact, disappear_after(Some(wish), profile.as_ref()), output);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match next_before(session, deadline, output).await? {
            Some(Notice::Sent(to, sent)) if to.id == contact.id && sent == number => return Ok(Exit::DONE),
            Some(Notice::SendFailed(to, failed, _)) if to.id == contact.id && failed == number => {
                return Ok(Exit::FAILED);
            }
            // It lasts until they read, or come back.
            Some(Notice::Waiting(of) | Notice::Refused(of)) if of.id == contact.id => break,
            Some(_) => {}
            None => break,
        }
    }
    output.note("queued", json!({ "contact": contact.name }), QUEUED);
    Ok(Exit::NOT_YET)
}

fn tell(contact: &Contact, after: Option<u32>, output: &Output) {
    let name = &contact.name;
    let sentence = match after {
        Some(seconds) => {
            format!("Messages with {name} disappear {} after they were read or sent.", span(seconds))
        }
        None => format!("Messages with {name} stay until they are deleted."),
    };
    output.result("disappearing", json!({ "contact": name, "after": after }), &sentence);
}
