//! `smp join`: use somebody's invitation.

use std::process::ExitCode;

use serde_json::json;
use tokio::time::Instant;

use super::{NOT_YET, next_before};
use crate::args::JoinArgs;
use crate::book::Status;
use crate::output::Output;
use crate::session::{Notice, Session};

pub(super) async fn run(args: &JoinArgs, session: &mut Session, output: Output) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.contact {
        session.book().refuse_known_name(name).await?;
    }
    let own_info = session.own_info();
    let connection = session.agent().join(args.link.trim(), &own_info).await?;
    let contact =
        session.book().add(connection.number(), args.contact.as_deref(), Status::Joining, None).await?;
    output.note("joining", json!({ "contact": contact.name }), "Waiting for the other side.");
    let deadline = Instant::now() + args.timeout;
    let mut relay_down = None;
    while let Some(notice) = next_before(session, deadline, output).await? {
        match notice {
            Notice::Connected(contact) if contact.connection == connection.number() => {
                output.result("contact", json!({ "contact": contact.name }), &contact.name);
                return Ok(ExitCode::SUCCESS);
            }
            // Nothing came of it: there is nobody to keep in the list.
            Notice::Ended(contact, _) if contact.connection == connection.number() => {
                session.remove(&contact).await?;
                return Ok(ExitCode::FAILURE);
            }
            Notice::RelayDown(relay, reason) => relay_down = Some((relay, reason)),
            Notice::RelayUp(up) if relay_down.as_ref().is_some_and(|(relay, _)| *relay == up) => {
                relay_down = None
            }
            _ => {}
        }
    }
    let reason = match relay_down {
        Some((relay, reason)) => format!("Not connected yet: relay {relay} {reason}."),
        None => "They are not there right now.".to_owned(),
    };
    let sentence = format!("{reason} `smp listen` goes on and completes the connection.");
    output.note("not_yet", json!({ "contact": contact.name, "reason": reason }), &sentence);
    Ok(ExitCode::from(NOT_YET))
}
