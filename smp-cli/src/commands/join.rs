//! `smp join`: use somebody's invitation.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use smp_protocol::link::{ConnectionLink, ConnectionRequest, ContactKind, ShortLink};
use smp_protocol::pasted;
use tokio::time::Instant;

use super::notices::next_before;
use crate::args::JoinArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::scan;
use crate::session::{Identity, Notice, Session};
use crate::text::unix_millis;
use smp_chat::compose::{self, Outgoing};
use smp_chat::{Book, Contact, Status};
use smp_crypto::hash::sha256;
use smp_protocol::chat::{MessageContent, SharedMessageId};

/// Takes the invitation from where it is.
pub(crate) fn resolve(mut args: JoinArgs) -> anyhow::Result<JoinArgs> {
    if args.link == "-" {
        args.link = read_input()?;
    } else if scan::is_picture(&args.link) {
        args.link = scan::link_in(Path::new(&args.link))?;
    }
    Ok(args)
}

fn read_input() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_INPUT).read_to_end(&mut bytes).context("Standard input cannot be read")?;
    String::from_utf8(bytes).context("Standard input is not text in UTF-8")
}

pub(super) async fn run(args: &JoinArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    refuse_groups(&args.link)?;
    let invitation = invitation_id(&args.link);
    if let Some(invitation) = &invitation {
        refuse_joined(invitation, session).await?;
    }
    if let Some(name) = &args.contact.name {
        session.book().refuse_known_name(name).await?;
    }
    let greeting = args.greeting.as_deref().map(|text| greeting(&args.link, text)).transpose()?;
    let contact = begin(&args.link, args.contact.name.as_deref(), greeting.as_ref(), session).await?;
    if contact.status == Status::Connected {
        return Ok(connected(&contact, output));
    }
    let connection = contact.connection;
    output.note("joining", json!({ "contact": contact.name }), "Waiting for the other side.");
    let deadline = Instant::now() + args.timeout;
    let mut relay_down = None;
    while let Some(notice) = next_before(session, deadline, output).await? {
        match notice {
            Notice::Connected(contact) if contact.connection == connection => {
                return Ok(connected(&contact, output));
            }
            // Nothing came of it: there is nobody to keep in the list.
            Notice::Ended(contact, _) if contact.connection == connection => {
                session.remove(&contact).await?;
                return Ok(Exit::FAILED);
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
    Ok(Exit::NOT_YET)
}

fn connected(contact: &Contact, output: &Output) -> Exit {
    output.result("contact", json!({ "contact": contact.name }), &contact.name);
    Exit::DONE
}

/// Begins to connect by a link, and enters the contact that comes of it. After a kill the connection may be there, and the contact
/// without the name.
pub(crate) async fn begin(
    link: &str,
    name: Option<&str>,
    greeting: Option<&Outgoing>,
    identity: &Identity,
) -> anyhow::Result<Contact> {
    let (own_info, request) = (identity.own_info(), identity.contact_request(greeting));
    let connection = identity.agent().ask(link, &own_info, &request).await?;
    let contact = match (identity.book().by_connection(connection.number()).await?, name) {
        (None, name) => identity.book().add(connection.number(), name, Status::Joining, None).await?,
        (Some(contact), None) => contact,
        (Some(contact), Some(name)) => renamed(contact, name, identity.book()).await?,
    };
    if let Some(invitation) = invitation_id(link) {
        identity.book().set_invitation(&contact, &invitation).await?;
    }
    if let Some(greeting) = greeting {
        identity.book().write_greeting(&contact, greeting, unix_millis()).await?;
    }
    Ok(contact)
}

/// The message that goes with a request, under the same ID if it is made once more.
fn greeting(link: &str, text: &str) -> anyhow::Result<Outgoing> {
    if invitation_id(link).is_some() {
        bail!(
            "A greeting goes with a request to a contact address, and this is an invitation: join without --greeting, and `smp send` the text."
        );
    }
    if text.trim().is_empty() || text.chars().count() > MAX_GREETING {
        bail!("A greeting has 1 to {MAX_GREETING} characters; send the rest when you are connected.");
    }
    let id = sha256(format!("{} {text}", link.trim()).as_bytes());
    let id = SharedMessageId::from_bytes(id[..ID_LENGTH].to_vec());
    Ok(compose::message(id, MessageContent::text(text), None, None, false, false)?)
}

/// Longest greeting in characters: a picture is in the same request.
const MAX_GREETING: usize = 500;
/// Bytes of the ID of a message, as applications have it.
const ID_LENGTH: usize = 12;

async fn renamed(mut contact: Contact, name: &str, book: &Book) -> anyhow::Result<Contact> {
    book.rename(&contact, name).await?;
    name.clone_into(&mut contact.name);
    Ok(contact)
}

/// How much of standard input is read: what is longer is no link.
const MAX_INPUT: u64 = smp_protocol::pasted::MAX_PASTED as u64 + 1;

/// Groups and channels take requests as people do, and would answer in ways that mean nothing here.
pub(crate) fn refuse_groups(link: &str) -> anyhow::Result<()> {
    let what = match pasted::link(link) {
        Ok(ConnectionLink::Short(ShortLink::Contact(link))) => match link.kind {
            ContactKind::Contact => return Ok(()),
            ContactKind::Group => "a group",
            ContactKind::Channel => "a channel",
            ContactKind::Relay => "a relay of groups",
        },
        Ok(ConnectionLink::Full(ConnectionRequest::Contact(request)))
            if is_group(request.client_data.as_deref()) =>
        {
            "a group"
        }
        _ => return Ok(()),
    };
    bail!(
        "This is the link of {what}. Groups and channels are not there yet: join it in a SimpleX app, or ask for a link to a person."
    );
}

/// Whether SimpleX apps marked a full link as that of a group.
fn is_group(client_data: Option<&str>) -> bool {
    let data: Option<Value> = client_data.and_then(|data| serde_json::from_str(data).ok());
    data.is_some_and(|data| data["type"] == "group" || !data["groupLinkId"].is_null())
}

/// The part that two writings of one link have in common. None if it is no link of an invitation.
pub(crate) fn invitation_id(link: &str) -> Option<Vec<u8>> {
    match pasted::link(link).ok()? {
        ConnectionLink::Full(ConnectionRequest::Invitation(request)) => {
            Some(request.queues.first().address.sender_id.as_bytes().to_vec())
        }
        ConnectionLink::Short(ShortLink::Invitation(link)) => Some(link.link_id.as_bytes().to_vec()),
        _ => None,
    }
}

/// The relay would say that somebody used the invitation, and not that it was us.
async fn refuse_joined(invitation: &[u8], session: &Session) -> anyhow::Result<()> {
    let Some(Contact { name, status, .. }) = session.book().by_invitation(invitation).await? else {
        return Ok(());
    };
    match status {
        Status::Invited | Status::Requested | Status::Joining => {
            bail!("You joined this already, as “{name}” in your list; `smp listen` completes it.")
        }
        Status::Connected => bail!("You joined this already: it is your contact “{name}”."),
        Status::Ended => bail!(
            "You joined this already, and nothing came of it; ask for a new invitation (and remove “{name}”)."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_same_in_all_its_forms() {
        let short = "simplex:/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?h=smp.example.com&c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI";
        let id = invitation_id(short).unwrap();
        let web = short.replace("simplex:/", "https://simplex.chat/");
        assert_eq!(invitation_id(&format!(" {web}\n")), Some(id.clone()));
        assert_ne!(invitation_id(&short.replace("9_Vv", "8_Vv")), Some(id));
        assert_eq!(invitation_id("https://example.com/"), None);
    }
}
