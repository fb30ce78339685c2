//! The feed: happenings that programs are told, kept until they have taken them.
//!
//! A happening is written in the transaction that has its effect, so a program that was down misses none. While the feed is on, texts that
//! come go there, and to no screen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use smp_protocol::chat::Profile;
use smp_sqlite::{Query, Rows};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use tokio::sync::watch;

use super::contacts::{Contact, Person};
use super::items::KeptItem;
use super::{Book, BookError};
use crate::conversation::Order;
use crate::profile::profile_of;
use crate::words::Kind;

/// Whether the feed is on, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Switch {
    is_on: AtomicBool,
    grown: watch::Sender<()>,
}

/// Kind of a happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// An item has come, and is whole.
    Message,
    /// An item got other words.
    Edited,
    /// An item was taken back.
    Deleted,
    /// A reaction was given to an item, or taken back.
    Reaction,
    /// Something about an item for people only.
    Other,
    /// Somebody asks to connect, and waits for an answer.
    Requested,
    /// Somebody who asked is being let in without asking us.
    Accepted,
    /// Somebody uses our invitation.
    Joined,
    /// Messages can be exchanged.
    Connected,
    /// The contact has another profile.
    Profile,
    /// The contact is gone.
    Ended,
}

impl Happening {
    const ALL: [Self; 11] = [
        Self::Message,
        Self::Edited,
        Self::Deleted,
        Self::Reaction,
        Self::Other,
        Self::Requested,
        Self::Accepted,
        Self::Joined,
        Self::Connected,
        Self::Profile,
        Self::Ended,
    ];

    /// The word in the database.
    fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Reaction => "reaction",
            Self::Other => "other",
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Joined => "joined",
            Self::Connected => "connected",
            Self::Profile => "profile",
            Self::Ended => "ended",
        }
    }

    /// The happening that a line is about.
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Edited => Self::Edited,
            Kind::Deleted => Self::Deleted,
            Kind::Reaction => Self::Reaction,
            Kind::Text | Kind::File | Kind::Call | Kind::Group | Kind::Unknown => Self::Message,
        }
    }
}

/// A happening that was not taken yet.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Happened {
    /// Its number: later ones have greater ones.
    pub number: i64,
    /// Its kind.
    pub what: Happening,
    /// The contact, as it is now.
    pub person: Person,
    /// The item that it is about, as it is now.
    pub item: Option<KeptItem>,
    /// The event that said it.
    pub order: Option<Order>,
    /// The contact's profile before, if it was that which became another one.
    pub before: Option<Profile>,
    /// The profile that it became, if there is a newer one meanwhile.
    pub after: Option<Profile>,
}

/// A row of the feed by itself.
struct Entry {
    id: i64,
    contact: i64,
    what: Happening,
    item: Option<i64>,
    order: Option<Order>,
    before: Option<String>,
}

impl FromRow<'_, SqliteRow> for Entry {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let word: String = row.try_get("kind")?;
        let number: Option<i64> = row.try_get("number")?;
        let part: Option<i64> = row.try_get("part")?;
        Ok(Self {
            id: row.try_get("id")?,
            contact: row.try_get("contact")?,
            what: Happening::ALL.into_iter().find(|what| what.word() == word).unwrap_or(Happening::Other),
            item: row.try_get("item")?,
            order: number.zip(part).map(|(number, part)| Order { number, part }),
            before: row.try_get("before")?,
        })
    }
}

impl Book {
    /// Switches the feed on: from now on what happens is kept for programs.
    pub fn feed(&self) {
        self.feed.is_on.store(true, Ordering::Relaxed);
    }

    /// Marked whenever something was added to the feed.
    #[must_use]
    pub fn feed_grows(&self) -> watch::Receiver<()> {
        self.feed.grown.subscribe()
    }

    pub(super) fn is_feeding(&self) -> bool {
        self.feed.is_on.load(Ordering::Relaxed)
    }

    pub(super) fn feed_has_grown(&self) {
        self.feed.grown.send_replace(());
    }

    /// Keeps something that happened to a contact, if the feed is on. The same one again, before it was taken, changes nothing.
    pub async fn happened(&self, contact: &Contact, what: Happening) -> Result<(), BookError> {
        if self.is_feeding() {
            sqlx::query("INSERT INTO feed (contact, kind) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(contact.id)
                .bind(what.word())
                .execute(&self.pool)
                .await?;
            self.feed_has_grown();
        }
        Ok(())
    }

    /// The happenings behind this number that were not taken, in order.
    pub async fn happenings(&self, after: i64, limit: u32) -> Result<Vec<Happened>, BookError> {
        let entries: Vec<Entry> = sqlx::query_as("SELECT * FROM feed WHERE id > ? ORDER BY id LIMIT ?")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let people = self.people(entries.iter().map(|entry| entry.contact)).await?;
        let mut items = Rows::default();
        entries.iter().filter_map(|entry| entry.item).for_each(|item| items.number(item));
        let items = sqlx::query_as("SELECT * FROM items WHERE id IN (SELECT value FROM json_each(?))")
            .bind(items.json());
        let items: Vec<KeptItem> = items.fetch_all(&self.pool).await?;
        let items: HashMap<i64, KeptItem> = items.into_iter().map(|kept| (kept.number, kept)).collect();
        let mut happenings = Vec::with_capacity(entries.len());
        for Entry { id: number, contact, what, item, order, before } in entries {
            // Removed meanwhile, and so is the entry.
            let Some(person) = people.get(&contact).cloned() else { continue };
            let after = match what {
                Happening::Profile => self.profile_after(&person.contact, number).await?,
                _ => None,
            };
            let [before, after] = [before, after].map(|profile| profile.as_deref().and_then(profile_of));
            let item = item.and_then(|item| items.get(&item).cloned());
            happenings.push(Happened { number, what, person, item, order, before, after });
        }
        Ok(happenings)
    }

    /// The profile that a happening made the contact's: that before the next one, if there is one.
    async fn profile_after(&self, contact: &Contact, number: i64) -> Result<Option<String>, BookError> {
        let query =
            "SELECT before FROM feed WHERE contact = ? AND kind = 'profile' AND id > ? ORDER BY id LIMIT 1";
        let next: Option<Option<String>> =
            sqlx::query_scalar(query).bind(contact.id).bind(number).fetch_optional(&self.pool).await?;
        Ok(next.flatten())
    }

    /// Forgets the happenings up to this number, at this Unix time in milliseconds: from now on counts the time after which their items
    /// disappear.
    pub async fn taken(&self, number: i64, now: i64) -> Result<(), BookError> {
        let mut step = self.pool.begin().await?;
        let items = "SELECT item FROM feed WHERE id <= ?1 AND item IS NOT NULL";
        let query = if self.keeps_history {
            format!(
                "UPDATE items SET expires = coalesce(expires, ?2 + ttl * 1000) WHERE id IN ({items}) AND ours = 0 AND ttl IS NOT NULL"
            )
        } else {
            format!("DELETE FROM items WHERE id IN ({items}) AND ours = 0 AND typing = 0 AND ?2 IS NOT NULL")
        };
        sqlx::query(sqlx::AssertSqlSafe(query)).bind(number).bind(now).execute(&mut *step).await?;
        sqlx::query("DELETE FROM feed WHERE id <= ?").bind(number).execute(&mut *step).await?;
        Ok(step.commit().await?)
    }
}

/// A happening of an item that is kept.
pub(super) struct NewRow {
    contact: i64,
    what: Happening,
    order: Order,
    item: i64,
}

impl NewRow {
    /// The happening that a line is about.
    pub(super) fn of(contact: &Contact, kind: Kind, order: Order, item: i64) -> Self {
        Self { contact: contact.id, what: Happening::of(kind), order, item }
    }
}

/// Keeps happenings of items.
macro_rules! insert_happened {
    () => {
        "INSERT INTO feed (contact, kind, item, number, part)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)"
    };
}
pub(super) use insert_happened;

/// Binds them to [`insert_happened`].
pub(super) fn bind<'q>(query: Query<'q>, happened: &[NewRow]) -> Query<'q> {
    let mut rows = Rows::default();
    for NewRow { contact, what, order, item } in happened {
        rows.row()
            .number(*contact)
            .word(what.word())
            .number(*item)
            .number(order.number)
            .number(order.part)
            .end();
    }
    rows.bind_numbers(query)
}
