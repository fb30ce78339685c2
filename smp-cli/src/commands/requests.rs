//! `smp accept` and `smp refuse`: an answer to somebody who asks to connect by the contact address.

use anyhow::bail;
use serde_json::json;
use smp_chat::{Contact, Status};

use crate::args::RequestArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn accept(args: &RequestArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = asking(args, session).await?;
    session.accept_request(&contact).await?;
    let name = &contact.name;
    let sentence =
        format!("{name} is being let in. Keep `smp listen` running until it says that they are connected.");
    output.result("accepted", json!({ "contact": name }), &sentence);
    Ok(Exit::DONE)
}

pub(super) async fn refuse(args: &RequestArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = asking(args, session).await?;
    session.refuse_request(&contact).await?;
    let name = &contact.name;
    output.result("refused", json!({ "contact": name }), &format!("{name} is refused, and was not told."));
    Ok(Exit::DONE)
}

/// The contact of this name, who asks.
async fn asking(args: &RequestArgs, session: &Session) -> anyhow::Result<Contact> {
    let contact = session.contact(&args.name).await?;
    match contact.status {
        Status::Requested => Ok(contact),
        Status::Joining => bail!("{} does not ask any more: the connection is being made.", contact.name),
        Status::Invited => bail!("{} was invited, and does not ask.", contact.name),
        Status::Connected => {
            bail!("{} is connected already; to end that: smp remove", contact.name)
        }
        Status::Ended => bail!("{} is gone; to forget them: smp remove", contact.name),
    }
}
