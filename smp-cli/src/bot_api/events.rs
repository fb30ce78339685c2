//! Events: what happened, as clients are told.

use smp_agent::MessageId;
use smp_bot::Response;
use smp_bot::types::{Deletion, reaction_of};
use smp_chat::conversation::Side;
use smp_chat::{Contact, Happened, Happening, KeptItem};

use super::desk::Desk;
use crate::session::Notice;
use crate::text::unix_millis;

/// The events of something that is kept. None if there is nothing to say any more.
pub(super) async fn kept(desk: &Desk, happened: &Happened) -> anyhow::Result<Vec<Response>> {
    let contact = &happened.contact;
    let user = desk.user();
    let event = match (happened.what, &happened.item) {
        (Happening::Message, Some(kept)) if !kept.item.is_deleted => {
            Response::NewChatItems { user, chat_items: vec![desk.item_in_chat(contact, kept).await?] }
        }
        (Happening::Edited, Some(kept)) if !kept.item.is_deleted => {
            Response::ChatItemUpdated { user, chat_item: Box::new(desk.item_in_chat(contact, kept).await?) }
        }
        (Happening::Deleted, Some(kept)) if kept.item.is_deleted => {
            let deleted_chat_item = desk.item_in_chat(contact, kept).await?;
            let chat_item_deletions = vec![Deletion { deleted_chat_item, to_chat_item: None }];
            Response::ChatItemsDeleted { user, chat_item_deletions, by_user: false, timed: false }
        }
        (Happening::Reaction, Some(kept)) => match reaction(desk, happened, kept).await? {
            Some(event) => event,
            None => return Ok(Vec::new()),
        },
        (Happening::Requested, _) => {
            let contact_request = desk.view(contact, |view| Box::new(view.request())).await?;
            Response::ReceivedContactRequest { user, contact_request }
        }
        (Happening::Accepted, _) => {
            Response::AcceptingContactRequest { user, contact: desk.contact(contact).await? }
        }
        (Happening::Joined, _) => Response::ContactConnecting { user, contact: desk.contact(contact).await? },
        (Happening::Connected, _) => {
            let seen = desk.contact(contact).await?;
            return Ok(vec![
                Response::ContactSndReady { user: user.clone(), contact: seen.clone() },
                Response::ContactConnected { user, contact: seen },
            ]);
        }
        (Happening::Profile, _) => {
            let from_contact = desk.contact_with(contact, happened.before.as_ref()).await?;
            let to_contact = desk.contact_with(contact, happened.after.as_ref()).await?;
            Response::ContactUpdated { user, from_contact, to_contact }
        }
        (Happening::Ended, _) => {
            Response::ContactDeletedByContact { user, contact: desk.contact(contact).await? }
        }
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
    let chat = desk.item_in_chat(&happened.contact, kept).await?;
    let reaction = reaction_of(chat.chat_info, chat.chat_item, Side::Theirs, &given.reaction, unix_millis());
    Ok(Some(Response::ChatItemReaction {
        user: desk.user(),
        added: given.is_given,
        reaction: Box::new(reaction),
    }))
}

/// The event of something that is kept nowhere.
pub(super) async fn passing(desk: &Desk, notice: &Notice) -> anyhow::Result<Option<Response>> {
    match notice {
        Notice::Sent(contact, message)
        | Notice::Received(contact, message)
        | Notice::SendFailed(contact, message, _) => status(desk, contact, *message).await,
        _ => Ok(None),
    }
}

/// How far a message of ours has come.
async fn status(desk: &Desk, contact: &Contact, message: MessageId) -> anyhow::Result<Option<Response>> {
    let book = desk.identity().book();
    // Edits and reactions have no item of their own.
    let Some(number) = book.own_number(contact, message.number()).await? else { return Ok(None) };
    let kept = book.item(contact, number).await?;
    let chat_items = vec![desk.item_in_chat(contact, &kept).await?];
    Ok(Some(Response::ChatItemsStatusesUpdated { user: desk.user(), chat_items }))
}
