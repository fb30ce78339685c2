//! `smp invite`: a one-time link and its QR code.

use serde_json::json;
use smp_agent::{ConnectionId, ShortLinkScheme};

use super::notices::{explain, tell_no_short_link};
use super::stop::Stop;
use super::texts::show_new_texts;
use crate::args::InviteArgs;
use crate::exit::Exit;
use crate::names::argument;
use crate::output::{Code, Output};
use crate::session::{Notice, Session};
use smp_chat::Status;

pub(super) async fn run(args: &InviteArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = match unused(args, session).await? {
        Some(contact) => contact,
        None => create(args, session, output).await?,
    };
    show(&contact, output)?;
    if args.wait { wait(contact.connection, session, output).await } else { Ok(Exit::DONE) }
}

/// An invitation as it is shown.
struct Invitation {
    connection: i64,
    name: String,
    /// Whether the user chose the name.
    is_chosen: bool,
    link: String,
}

/// The invitation of this name that nobody has used yet: it is shown once more.
async fn unused(args: &InviteArgs, session: &Session) -> anyhow::Result<Option<Invitation>> {
    let Some(name) = &args.contact.name else { return Ok(None) };
    let contact = session.book().by_name(name).await?;
    Ok(contact.filter(|contact| contact.status == Status::Invited).and_then(|contact| {
        let is_chosen = contact.is_name_chosen();
        Some(Invitation {
            connection: contact.connection,
            name: contact.name,
            is_chosen,
            link: contact.link?,
        })
    }))
}

async fn create(args: &InviteArgs, session: &Session, output: &Output) -> anyhow::Result<Invitation> {
    if let Some(name) = &args.contact.name {
        session.book().refuse_known_name(name).await?;
    }
    let (connection, link) = make_link(args, session, output).await?;
    let chosen = args.contact.name.as_deref();
    let contact = session.book().add(connection.number(), chosen, Status::Invited, Some(&link)).await?;
    Ok(Invitation { connection: contact.connection, name: contact.name, is_chosen: chosen.is_some(), link })
}

async fn make_link(
    args: &InviteArgs,
    session: &Session,
    output: &Output,
) -> anyhow::Result<(ConnectionId, String)> {
    if args.full {
        let (connection, link) = session.agent().create_invitation().await?;
        return Ok((connection, link.to_string()));
    }
    let (connection, invitation) =
        session.agent().create_short_invitation(&session.shown_with_link()).await?;
    if let Some(short) = invitation.short {
        return Ok((connection, short.to_uri(ShortLinkScheme::Simplex)));
    }
    tell_no_short_link(output);
    Ok((connection, invitation.full.to_string()))
}

/// The code comes last, so that nothing moves it off the screen.
fn show(invitation: &Invitation, output: &Output) -> anyhow::Result<()> {
    let Invitation { name, link, is_chosen, .. } = invitation;
    output.result("invitation", json!({ "contact": name, "link": link }), link);
    output.hint("\nGive this link (or the QR code) to one person only, in a way you trust. It works once.");
    output.hint("They connect with: smp join LINK, or by scanning it in a SimpleX app.");
    let until = if *is_chosen { "" } else { " until they tell their name" };
    output
        .hint(&format!("Keep `smp listen` running to let them in. In your list they are “{name}”{until}.\n"));
    output.code(&Code::link(link, Some(&format!("smp invite {}", argument(name)))))
}

async fn wait(connection: i64, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    loop {
        let notice = tokio::select! {
            notice = session.next() => notice?,
            () = stop.wait() => return Ok(Exit::NOT_YET),
        };
        explain(&notice, output);
        match notice {
            Notice::Connected(contact) if contact.connection == connection => return Ok(Exit::DONE),
            Notice::Ended(contact, _) if contact.connection == connection => return Ok(Exit::FAILED),
            Notice::Text => {
                show_new_texts(session, output).await?;
            }
            _ => {}
        }
    }
}
