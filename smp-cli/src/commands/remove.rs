//! `smp remove`: end a connection and forget everything about it.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::notices::next_before;

use crate::args::RemoveArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};
use smp_chat::{Contact, Status};

/// How long the contact's relay may take to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &RemoveArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    if !args.quiet && contact.status == Status::Connected && !say_goodbye(&contact, session, output).await? {
        let sentence = format!("{} could not be told now, and will not be.", contact.name);
        output.note("not_told", json!({ "contact": contact.name }), &sentence);
    }
    session.remove(&contact).await?;
    let sentence = format!("{} is removed, with all that was kept of them.", contact.name);
    output.result("removed", json!({ "contact": contact.name }), &sentence);
    Ok(Exit::DONE)
}

/// Otherwise their app would show the contact as alive, and an error for each text. Returns whether their relay has it.
async fn say_goodbye(contact: &Contact, session: &mut Session, output: &Output) -> anyhow::Result<bool> {
    let Some(goodbye) = session.send_goodbye(contact).await? else { return Ok(false) };
    let deadline = Instant::now() + GOODBYE;
    loop {
        match next_before(session, deadline, output).await? {
            Some(Notice::Sent(to, number)) if to.id == contact.id && number == goodbye => return Ok(true),
            Some(Notice::SendFailed(to, number, _)) if to.id == contact.id && number == goodbye => {
                return Ok(false);
            }
            Some(Notice::Ended(ended, _)) if ended.id == contact.id => return Ok(false),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}
