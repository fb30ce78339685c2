//! Items of the book: what was said, and what was done with it.

use smp_protocol::chat::{ChatEvent, SharedMessageId};
use smp_protocol::xftp::description::FileDescription;
use smp_sqlite::Rows;
use sqlx::SqliteConnection;

use super::contacts::Contact;
use super::state::{ItemRows, Row, number, save, save_items};
use super::{Book, BookError};
use crate::compose::Outgoing;
use crate::conversation::{Delivery, Item, Order, Refusal, Side};

/// An item of a conversation, with the number by which people name it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeptItem {
    /// Its number: of no other item of this book, ever.
    pub number: i64,
    /// The contact's number in the book.
    pub contact_id: i64,
    /// The item.
    pub item: Item,
}

impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for KeptItem {
    fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
        let contact_id = sqlx::Row::try_get(row, "contact")?;
        let Row { id, item } = Row::from_row(row)?;
        Ok(Self { number: id, contact_id, item })
    }
}

impl Book {
    /// Writes down a message of ours before the agent gets it. Returns its number.
    pub async fn write(&self, contact: &Contact, outgoing: &Outgoing, at: i64) -> Result<i64, BookError> {
        let kept = self.write_all([(contact.id, outgoing)].into_iter(), at).await?;
        kept.first().map(|kept| kept.number).ok_or(BookError::Removed)
    }

    /// Writes down messages of ours, each with the number of its contact, before the agent gets them: all or none. Returns their items, in
    /// their order.
    pub async fn write_all<'o>(
        &self,
        messages: impl Iterator<Item = (i64, &'o Outgoing)>,
        at: i64,
    ) -> Result<Vec<KeptItem>, BookError> {
        let mut step = self.pool.begin().await?;
        let last = last_number(&mut step).await?;
        let (mut rows, mut all) = (ItemRows::default(), Vec::new());
        for (number, (contact_id, outgoing)) in (last + 1..).zip(messages) {
            let item = Item::of_ours(outgoing.id.clone(), outgoing.container.clone(), at);
            rows.add(Some(number), contact_id, &item)?;
            all.push(KeptItem { number, contact_id, item });
        }
        rows.bind(sqlx::query(save_items!())).execute(&mut *step).await?;
        step.commit().await?;
        Ok(all)
    }

    /// Writes down a message of ours that goes with our request to connect: the agent has no message of its own for it. Once more, it changes
    /// nothing.
    pub async fn write_greeting(
        &self,
        contact: &Contact,
        outgoing: &Outgoing,
        at: i64,
    ) -> Result<(), BookError> {
        if self.has_own(contact, &outgoing.id).await? {
            return Ok(());
        }
        let mut item = Item::of_ours(outgoing.id.clone(), outgoing.container.clone(), at);
        // Those of the agent begin with 1.
        item.origin = Some(Order { number: 0, part: 0 });
        item.delivery = Delivery::Sent;
        let mut step = self.pool.begin().await?;
        save(&mut step, contact.id, None, &item).await?;
        Ok(step.commit().await?)
    }

    /// Whether a message of ours with this ID was written down.
    pub async fn has_own(&self, contact: &Contact, id: &SharedMessageId) -> Result<bool, BookError> {
        Ok(self.own_by_id(contact, id).await?.is_some())
    }

    /// The number of the message of ours with this ID, if it was written down.
    pub async fn own_by_id(&self, contact: &Contact, id: &SharedMessageId) -> Result<Option<i64>, BookError> {
        let known: Option<i64> =
            sqlx::query_scalar("SELECT id FROM items WHERE contact = ? AND ours = 1 AND shared_id = ?")
                .bind(contact.id)
                .bind(id.as_bytes())
                .fetch_optional(&self.pool)
                .await?;
        Ok(known)
    }

    /// Keeps the description by which the file of a message of ours can be deleted.
    pub async fn set_sent_file(
        &self,
        contact: &Contact,
        number: i64,
        description: &FileDescription,
    ) -> Result<(), BookError> {
        let mut step = self.pool.begin().await?;
        if let Some(mut row) = by_number(&mut step, contact, number).await? {
            row.item.set_sent_file(description);
            save(&mut step, contact.id, Some(row.id), &row.item).await?;
        }
        Ok(step.commit().await?)
    }

    /// The number of the item that a quote is of, in the conversation with the contact.
    pub async fn quoted(&self, contact_id: i64, item: &Item) -> Result<Option<i64>, BookError> {
        let Some(quote) = item.container().and_then(|container| container.quote.as_ref()) else {
            return Ok(None);
        };
        let Some(id) = &quote.message.message_id else { return Ok(None) };
        // As the writer of the item saw it.
        let is_ours = quote.message.sent == (item.side == Side::Ours);
        let number =
            sqlx::query_scalar("SELECT id FROM items WHERE contact = ? AND ours = ? AND shared_id = ?")
                .bind(contact_id)
                .bind(is_ours)
                .bind(id.as_bytes())
                .fetch_optional(&self.pool)
                .await?;
        Ok(number)
    }

    /// The number of a message of ours, by the agent's number of it.
    pub async fn own_number(&self, contact: &Contact, agent_number: i64) -> Result<Option<i64>, BookError> {
        let number = sqlx::query_scalar("SELECT id FROM items WHERE contact = ? AND ours = 1 AND number = ?")
            .bind(contact.id)
            .bind(agent_number)
            .fetch_optional(&self.pool)
            .await?;
        Ok(number)
    }

    /// Notes that the agent has a message of ours, under this number of its own.
    pub async fn handed_over(&self, item: i64, agent_number: i64) -> Result<(), BookError> {
        self.all_handed_over(&[(item, agent_number)]).await
    }

    /// Notes that the agent has messages of ours, each under a number of its own.
    pub async fn all_handed_over(&self, messages: &[(i64, i64)]) -> Result<(), BookError> {
        let mut rows = Rows::default();
        messages.iter().for_each(|(item, number)| rows.row().number(*item).number(*number).end());
        let query =
            "UPDATE items SET number = value ->> 1, part = 0, delivery = max(delivery, ?) FROM json_each(?) r
                     WHERE items.id = r.value ->> 0";
        let query = sqlx::query(query).bind(number(Delivery::Queued));
        rows.bind_numbers(query).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets a message that the agent has refused.
    pub async fn withdraw(&self, item: i64) -> Result<(), BookError> {
        sqlx::query("DELETE FROM items WHERE id = ? AND number IS NULL")
            .bind(item)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The last items of a conversation, oldest first: at most `limit`, and only those before the item `before`.
    pub async fn history(
        &self,
        contact: &Contact,
        before: Option<i64>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<KeptItem>, BookError> {
        let mut items: Vec<KeptItem> = sqlx::query_as(
            "SELECT * FROM items WHERE contact = ? AND visible = 1 AND id < ? AND (expires IS NULL OR expires > ?)
             ORDER BY id DESC LIMIT ?",
        )
        .bind(contact.id)
        .bind(before.unwrap_or(i64::MAX))
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        items.reverse();
        Ok(items)
    }

    /// The items of a conversation behind the item `after`, oldest first: at most `limit`.
    pub async fn history_after(
        &self,
        contact: &Contact,
        after: i64,
        limit: u32,
        now: i64,
    ) -> Result<Vec<KeptItem>, BookError> {
        let items = sqlx::query_as(
            "SELECT * FROM items WHERE contact = ? AND visible = 1 AND id > ? AND (expires IS NULL OR expires > ?)
             ORDER BY id LIMIT ?",
        )
        .bind(contact.id)
        .bind(after)
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(items)
    }

    /// The last items in which a text stands, in capital letters or not, oldest first: of one contact, or of all.
    pub async fn search(
        &self,
        contact: Option<&Contact>,
        text: &str,
        limit: usize,
        now: i64,
    ) -> Result<Vec<KeptItem>, BookError> {
        /// Items that are looked at at a time.
        const PAGE: u32 = 1000;
        let wanted = text.to_lowercase();
        let mut found = Vec::new();
        let mut before = i64::MAX;
        loop {
            let page: Vec<KeptItem> = sqlx::query_as(
                "SELECT * FROM items WHERE visible = 1 AND id < ?1 AND (?2 IS NULL OR contact = ?2) AND (expires IS NULL OR expires > ?3)
                 ORDER BY id DESC LIMIT ?4",
            )
            .bind(before)
            .bind(contact.map(|contact| contact.id))
            .bind(now)
            .bind(PAGE)
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = page.last() else { break };
            before = last.number;
            let has = |kept: &KeptItem| {
                kept.item.line().is_some_and(|line| line.text.to_lowercase().contains(&wanted))
            };
            found.extend(page.into_iter().filter(has));
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The item of this number, in the conversation with the contact.
    pub async fn item(&self, contact: &Contact, number: i64) -> Result<KeptItem, BookError> {
        let item = sqlx::query_as("SELECT * FROM items WHERE contact = ? AND id = ? AND visible = 1")
            .bind(contact.id)
            .bind(number)
            .fetch_optional(&self.pool)
            .await?;
        item.ok_or_else(|| BookError::UnknownItem { contact: contact.name.clone(), number })
    }

    /// The event that a change of an item is told by. Nothing is written yet: [`keep_change`](Self::keep_change) does it, when the agent
    /// has the event.
    pub async fn plan_change(
        &self,
        contact: &Contact,
        number: i64,
        change: impl FnOnce(&mut Item) -> Result<ChatEvent, Refusal>,
    ) -> Result<(KeptItem, ChatEvent), BookError> {
        let mut kept = self.item(contact, number).await?;
        let event = change(&mut kept.item).map_err(|refusal| BookError::Refused { number, refusal })?;
        Ok((kept, event))
    }

    /// Writes a change of an item that the agent has. Events about it that came meanwhile stay.
    pub async fn keep_change(
        &self,
        contact: &Contact,
        number: i64,
        change: impl FnOnce(&mut Item) -> Result<ChatEvent, Refusal>,
    ) -> Result<(), BookError> {
        let mut step = self.pool.begin().await?;
        if let Some(mut row) = by_number(&mut step, contact, number).await? {
            // Deleted meanwhile: nothing is left to change.
            if change(&mut row.item).is_ok() {
                save(&mut step, contact.id, Some(row.id), &row.item).await?;
            }
        }
        Ok(step.commit().await?)
    }

    /// Those of our messages that are known by these numbers of the agent, each with that of its contact.
    pub async fn own_items(
        &self,
        messages: impl Iterator<Item = (i64, i64)>,
    ) -> Result<Vec<KeptItem>, BookError> {
        let mut rows = Rows::default();
        messages.for_each(|(contact, number)| rows.row().number(contact).number(number).end());
        let query = "SELECT items.* FROM json_each(?) r CROSS JOIN items ON items.contact = r.value ->> 0 AND items.ours = 1
                     AND items.number = r.value ->> 1 WHERE items.visible = 1";
        Ok(sqlx::query_as(query).bind(rows.json()).fetch_all(&self.pool).await?)
    }

    /// Forgets an item here. The contact is not told.
    pub async fn forget(&self, item: &KeptItem) -> Result<(), BookError> {
        sqlx::query("DELETE FROM items WHERE id = ?").bind(item.number).execute(&self.pool).await?;
        self.clean().await
    }

    /// Forgets all items of a conversation here, but for those that the agent does not have yet. The contact is not told.
    pub async fn forget_conversation(&self, contact: &Contact) -> Result<(), BookError> {
        sqlx::query("DELETE FROM items WHERE contact = ? AND NOT (ours = 1 AND number IS NULL)")
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        self.clean().await
    }

    /// Forgets the items whose time is over at this Unix time in milliseconds, and says when the next one's is.
    pub async fn expire(&self, now: i64) -> Result<Option<i64>, BookError> {
        let gone = sqlx::query("DELETE FROM items WHERE expires <= ?").bind(now).execute(&self.pool).await?;
        if gone.rows_affected() > 0 {
            self.clean().await?;
        }
        let next = "SELECT min(expires) FROM items WHERE expires IS NOT NULL";
        Ok(sqlx::query_scalar(next).fetch_one(&self.pool).await?)
    }

    /// Forgets the items of a book that keeps none, but for those that are not shown or sent yet.
    pub(super) async fn forget_history(&self) -> Result<(), BookError> {
        let query = "DELETE FROM items WHERE CASE ours WHEN 1 THEN delivery >= 2
                     ELSE visible = 1 AND id NOT IN (SELECT item FROM texts WHERE text IS NOT NULL AND item IS NOT NULL)
                          AND id NOT IN (SELECT item FROM feed WHERE item IS NOT NULL) END";
        let gone = sqlx::query(query).execute(&self.pool).await?;
        if gone.rows_affected() > 0 {
            self.clean().await?;
        }
        Ok(())
    }

    /// Messages of ours of which it is not known whether the agent got them: the process ended in between.
    pub async fn not_handed_over(&self) -> Result<Vec<KeptItem>, BookError> {
        let query = "SELECT * FROM items WHERE ours = 1 AND number IS NULL ORDER BY id";
        Ok(sqlx::query_as(query).fetch_all(&self.pool).await?)
    }
}

/// The last number that an item was given.
pub(super) async fn last_number(step: &mut SqliteConnection) -> Result<i64, BookError> {
    let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'items'";
    Ok(sqlx::query_scalar(last).fetch_one(step).await?)
}

async fn by_number(
    step: &mut SqliteConnection,
    contact: &Contact,
    number: i64,
) -> Result<Option<Row>, BookError> {
    Ok(sqlx::query_as("SELECT * FROM items WHERE contact = ? AND id = ?")
        .bind(contact.id)
        .bind(number)
        .fetch_optional(step)
        .await?)
}
