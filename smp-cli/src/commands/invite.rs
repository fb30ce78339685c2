//! `smp invite`: a one-time link and its QR code.

use std::process::ExitCode;

use serde_json::json;
use smp_agent::{ConnectionId, ShortLinkScheme};

use super::notices::explain;
use super::show_new_texts;
use super::stop::Stop;
use crate::args::InviteArgs;
use crate::book::Status;
use crate::output::Output;
use crate::qr::{self, Picture};
use crate::session::{Notice, Session};

pub(super) async fn run(
    args: &InviteArgs,
    session: &mut Session,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.contact {
        session.book().refuse_known_name(name).await?;
    }
    // Before the invitation is made, so that a wrong name of a file costs none.
    let picture = args.qr.as_deref().map(Picture::create).transpose()?;
    let (connection, link) = create(args, session, output).await?;
    let contact = session
        .book()
        .add(connection.number(), args.contact.as_deref(), Status::Invited, Some(&link))
        .await?;
    show(&contact.name, args.contact.is_some(), &link, output);
    if let Some(picture) = picture {
        let path = picture.write(&link)?.display().to_string();
        output.note("qr", json!({ "file": path }), &format!("The QR code is in {path}."));
    }
    if args.wait { wait(connection.number(), session, output).await } else { Ok(ExitCode::SUCCESS) }
}

async fn create(
    args: &InviteArgs,
    session: &Session,
    output: Output,
) -> anyhow::Result<(ConnectionId, String)> {
    if !args.short {
        let (connection, link) = session.agent().create_invitation().await?;
        return Ok((connection, link.to_string()));
    }
    let (connection, invitation) =
        session.agent().create_short_invitation(&session.shown_with_link()).await?;
    if let Some(short) = invitation.short {
        return Ok((connection, short.to_uri(ShortLinkScheme::Simplex)));
    }
    let sentence = "The relay is too old to keep short links; this is a full one.";
    output.note("no_short_link", json!({}), sentence);
    Ok((connection, invitation.full.to_string()))
}

fn show(name: &str, is_chosen: bool, link: &str, output: Output) {
    if output.is_json() {
        output.result("invitation", json!({ "contact": name, "link": link }), "");
        return;
    }
    if let Ok(code) = qr::terminal(link) {
        output.plain(&code);
    }
    output.plain(link);
    eprintln!("\nGive this link (or the QR code) to one person only, in a way you trust. It works once.");
    eprintln!("They connect with: smp join LINK, or by scanning it in a SimpleX app.");
    let until = if is_chosen { "" } else { " until they tell their name" };
    eprintln!("Keep `smp listen` running to let them in. In your list they are “{name}”{until}.");
}

async fn wait(connection: i64, session: &mut Session, output: Output) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::new()?;
    loop {
        let notice = tokio::select! {
            notice = session.next() => notice?,
            () = stop.wait() => return Ok(ExitCode::from(super::NOT_YET)),
        };
        explain(&notice, output);
        match notice {
            Notice::Connected(contact) if contact.connection == connection => return Ok(ExitCode::SUCCESS),
            Notice::Ended(contact, _) if contact.connection == connection => return Ok(ExitCode::FAILURE),
            Notice::Text => {
                show_new_texts(session, output).await?;
            }
            _ => {}
        }
    }
}
