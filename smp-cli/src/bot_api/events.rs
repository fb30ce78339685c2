//! Events: what happened, as clients are told.

use std::collections::BTreeSet;

use smp_bot::Response;
use smp_bot::types::{Deletion, reaction_of};
use smp_chat::conversation::Side;
use smp_chat::{Happened, Happening, KeptItem};

use super::desk::Desk;
use crate::session::Notice;
use crate::text::unix_millis;

/// The events of something that is kept. None if there is nothing to say any more.
pub(super) async fn kept(desk: &Desk, happened: &Happened) -> anyhow::Result<Vec<Response>> {
    let person = &happened.person;
    let contact = || desk.seen(person);
    let user = desk.user();
    let event = match (happened.what, &happened.item) {
        (Happening::Message, Some(kept)) if !kept.item.is_deleted => {
            Response::NewChatItems { user, chat_items: vec![desk.item_with(person, kept).await?] }
        }
        (Happening::Edited, Some(kept)) if !kept.item.is_deleted => {
            Response::ChatItemUpdated { user, chat_item: Box::new(desk.item_with(person, kept).await?) }
        }
        (Happening::Deleted, Some(kept)) if kept.item.is_deleted => {
            let deleted_chat_item = desk.item_with(person, kept).await?;
            let chat_item_deletions = vec![Deletion { deleted_chat_item, to_chat_item: None }];
            Response::ChatItemsDeleted { user, chat_item_deletions, by_user: false, timed: false }
        }
        (Happening::Reaction, Some(kept)) => match reaction(desk, happened, kept).await? {
            Some(event) => event,
            None => return Ok(Vec::new()),
        },
        (Happening::Requested, _) => {
            let contact_request = desk.view_of(person, |view| Box::new(view.request()));
            Response::ReceivedContactRequest { user, contact_request }
        }
        (Happening::Accepted, _) => Response::AcceptingContactRequest { user, contact: contact() },
        (Happening::Joined, _) => Response::ContactConnecting { user, contact: contact() },
        (Happening::Connected, _) => {
            let seen = contact();
            return Ok(vec![
                Response::ContactSndReady { user: user.clone(), contact: seen.clone() },
                Response::ContactConnected { user, contact: seen },
            ]);
        }
        (Happening::Profile, _) => {
            let from_contact = desk.contact_with(person, happened.before.as_ref());
            let to_contact = desk.contact_with(person, happened.after.as_ref());
            Response::ContactUpdated { user, from_contact, to_contact }
        }
        (Happening::Ended, _) => Response::ContactDeletedByContact { user, contact: contact() },
        _ => return Ok(Vec::new()),
    };
    Ok(vec![event])
}

/// The reaction that the event gave or took back, if it still stands so.
async fn reaction(desk: &Desk, happened: &Happened, kept: &KeptItem) -> anyhow::Result<Option<Response>> {
    let given = kept
        .item
        .reactions
        .iter()
        .find(|given| given.by == Side::Theirs && Some(given.order) == happened.order);
    let Some(given) = given else { return Ok(None) };
    let chat = desk.item_with(&happened.person, kept).await?;
    let reaction = reaction_of(chat.chat_info, chat.chat_item, Side::Theirs, &given.reaction, unix_millis());
    Ok(Some(Response::ChatItemReaction {
        user: desk.user(),
        added: given.is_given,
        reaction: Box::new(reaction),
    }))
}

/// The event of what is kept nowhere: how far messages of ours have come.
pub(super) async fn passing(desk: &Desk, notices: &[Notice]) -> anyhow::Result<Option<Response>> {
    let messages: BTreeSet<(i64, i64)> = notices.iter().filter_map(message_of_ours).collect();
    if messages.is_empty() {
        return Ok(None);
    }
    let book = desk.identity().book();
    // Edits and reactions have no item of their own.
    let items = book.own_items(messages.into_iter()).await?;
    let people = book.people(items.iter().map(|kept| kept.contact_id)).await?;
    let mut chat_items = Vec::with_capacity(items.len());
    for kept in &items {
        if let Some(person) = people.get(&kept.contact_id) {
            chat_items.push(desk.item_with(person, kept).await?);
        }
    }
    let user = desk.user();
    Ok((!chat_items.is_empty()).then_some(Response::ChatItemsStatusesUpdated { user, chat_items }))
}

/// The numbers of the contact, and of the message, that a notice is about.
fn message_of_ours(notice: &Notice) -> Option<(i64, i64)> {
    match notice {
        Notice::Sent(contact, message)
        | Notice::Received(contact, message)
        | Notice::SendFailed(contact, message, _) => Some((contact.id, message.number())),
        _ => None,
    }
}
