//! Messages that were received, taken into the book in one transaction for each of the agent's messages.

use smp_protocol::chat::{ChatEvent, ChatMessage, Profile, SharedMessageId};
use sqlx::SqliteConnection;

use super::contacts::{Contact, set_versions};
use super::feed;
use super::lines::{self, Origin};
use super::read;
use super::state::{Row, save};
use super::{Book, BookError};
use crate::conversation::{Conversation, Effect, Item, Order, named};

/// Items about which something came before they did; of more the oldest are forgotten.
const MAX_WAITING: i64 = 1000;

/// The contents of an agent's message besides the items that it changed.
#[derive(Debug, Default)]
pub struct Received {
    /// Whether there are new lines to show.
    pub has_lines: bool,
    /// The contact is to get these, also if they were sent before.
    pub answers: Vec<ChatEvent>,
    /// The contact's last profile.
    pub profile: Option<Box<Profile>>,
    /// Whether the contact has deleted us.
    pub has_ended: bool,
}

impl Book {
    /// Takes the chat messages of an agent's message, by its number, which the relay received at this Unix time in milliseconds. Each
    /// comes with its place among those of the body. Repeated, it changes nothing.
    pub async fn receive(
        &self,
        contact: &Contact,
        number: i64,
        at: i64,
        messages: Vec<(i64, ChatMessage)>,
    ) -> Result<Received, BookError> {
        let mut received = Received::default();
        let mut versions = None;
        let mut step = self.pool.begin().await?;
        for (part, message) in messages {
            versions = Some(message.versions);
            let order = Order { number, part };
            self.receive_one(&mut step, contact, order, at, message, &mut received).await?;
        }
        if let Some(versions) = versions {
            set_versions(&mut step, contact, versions).await?;
        }
        step.commit().await?;
        if received.has_lines && self.is_feeding() {
            self.feed_has_grown();
        }
        Ok(received)
    }

    async fn receive_one(
        &self,
        step: &mut SqliteConnection,
        contact: &Contact,
        order: Order,
        at: i64,
        message: ChatMessage,
        received: &mut Received,
    ) -> Result<(), BookError> {
        let known = concerned(step, contact, order, &named(&message)).await?;
        let mut rows: Vec<Option<i64>> = known.iter().map(|row| Some(row.id)).collect();
        let hidden: Vec<i64> = known.iter().filter(|row| !row.item.is_visible()).map(|row| row.id).collect();
        let mut conversation = Conversation { items: known.into_iter().map(|row| row.item).collect() };
        let outcome = conversation.receive(message, order, at);
        rows.resize(conversation.items.len(), None);
        for index in outcome.changed {
            let (Some(item), Some(row)) = (conversation.items.get(index), rows.get_mut(index)) else {
                continue;
            };
            let id = save(step, contact.id, *row, item).await?;
            if item.is_visible() && hidden.contains(&id) {
                read::appeared(step, contact, id).await?;
            }
            if item.is_deleted {
                lines::take_back(step, id).await?;
            }
            if row.is_none() && is_waiting(item) {
                limit_waiting(step, contact).await?;
            }
            *row = Some(id);
        }
        let shown = outcome.effects.iter().filter(|effect| matches!(effect, Effect::Show(..))).count();
        let mut origins = (0..shown).rev().map(|behind| Origin { order, behind });
        for effect in outcome.effects {
            match effect {
                Effect::Show(line, index) => {
                    let Some(origin) = origins.next() else { continue };
                    let item = rows.get(index).copied().flatten();
                    let feed_item = item.filter(|_| self.is_feeding());
                    let is_new =
                        lines::insert(step, contact, origin, at, &line, item, feed_item.is_some()).await?;
                    if let Some(item) = feed_item.filter(|_| is_new) {
                        feed::insert(step, contact, line.kind, origin.order, item).await?;
                    }
                    received.has_lines |= is_new;
                    if !is_new && !self.keeps_history {
                        // It was shown and forgotten, and the event has come again.
                        forget(step, item).await?;
                    }
                }
                Effect::Answer(event) => received.answers.push(*event),
                Effect::Profile(profile) => received.profile = Some(profile),
                Effect::Ended => received.has_ended = true,
            }
        }
        Ok(())
    }
}

/// The items that an event can concern.
async fn concerned(
    step: &mut SqliteConnection,
    contact: &Contact,
    order: Order,
    ids: &[SharedMessageId],
) -> Result<Vec<Row>, BookError> {
    let mut rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM items WHERE contact = ?1 AND typing = 1
         UNION SELECT * FROM items WHERE contact = ?1 AND ours = 0 AND number = ?2 AND part = ?3",
    )
    .bind(contact.id)
    .bind(order.number)
    .bind(order.part)
    .fetch_all(&mut *step)
    .await?;
    for id in ids {
        let named: Vec<Row> =
            sqlx::query_as("SELECT * FROM items WHERE contact = ? AND ours IN (0, 1) AND shared_id = ?")
                .bind(contact.id)
                .bind(id.as_bytes())
                .fetch_all(&mut *step)
                .await?;
        for row in named {
            if rows.iter().all(|known| known.id != row.id) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// Whether only something about the item has come.
fn is_waiting(item: &Item) -> bool {
    item.origin.is_none() && item.event.is_none()
}

/// Forgets an item that is not being typed.
async fn forget(step: &mut SqliteConnection, item: Option<i64>) -> Result<(), BookError> {
    sqlx::query("DELETE FROM items WHERE id = ? AND typing = 0").bind(item).execute(step).await?;
    Ok(())
}

async fn limit_waiting(step: &mut SqliteConnection, contact: &Contact) -> Result<(), BookError> {
    sqlx::query(
        "DELETE FROM items WHERE id IN
         (SELECT id FROM items WHERE contact = ? AND ours = 0 AND number IS NULL AND visible = 0 AND typing = 0
          ORDER BY id DESC LIMIT -1 OFFSET ?)",
    )
    .bind(contact.id)
    .bind(MAX_WAITING)
    .execute(step)
    .await?;
    Ok(())
}
