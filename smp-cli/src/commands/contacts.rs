//! `smp contacts`: who there is, and how far each has come.

use serde_json::json;

use crate::book::{Contact, Status};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;
use crate::trouble::Trouble;

pub(super) async fn run(session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contacts = session.book().contacts().await?;
    if contacts.is_empty() {
        output.hint("There are no contacts yet; begin with `smp invite` or `smp join LINK`.");
    }
    let troubles = session.book().troubles().await?;
    let width = contacts.iter().map(|contact| contact.name.chars().count()).max().unwrap_or_default();
    for contact in &contacts {
        let troubles: Vec<&Trouble> =
            troubles.iter().filter(|trouble| trouble.contact == contact.id).collect();
        let fields = json!({
            "contact": contact.name,
            "status": contact.status,
            "verified": contact.verified_code.is_some(),
            "link": contact.link,
            "troubles": troubles,
        });
        output.result(
            "contact",
            fields,
            &format!("{:width$}  {}{}", contact.name, describe(contact), in_words(&troubles)),
        );
    }
    Ok(Exit::DONE)
}

fn describe(contact: &Contact) -> &'static str {
    match (contact.status, contact.verified_code.is_some()) {
        (Status::Invited, _) => "invited: has not used the link yet",
        (Status::Joining, _) => "connecting: waits for the other side",
        (Status::Connected, true) => "connected, verified",
        (Status::Connected, false) => "connected",
        (Status::Ended, _) => "gone",
    }
}

/// What is wrong, behind the rest of the line.
fn in_words(troubles: &[&Trouble]) -> String {
    troubles.iter().map(|trouble| format!("; {}: {}", trouble.kind.describe(), trouble.reason)).collect()
}
