//! Arrivals: messages of contacts, and what became of ours, taken into the book many at a time, in one transaction.
//!
//! All that they concern is read at once, decided in memory ([`Conversation`]), and written at once: the work of SQLite's thread hardly grows
//! with their number.

use smp_protocol::chat::ChatMessage;
use smp_sqlite::Rows;
use sqlx::SqliteConnection;

use super::contacts::{Contact, set_versions};
use super::gathered::{Arrival, Gathered, Keeping, News, Received};
use super::state::{number, save_items};
use super::{Book, BookError, feed, lines, read};
use crate::conversation::Delivery;

/// Items about which something came before they did; of more the oldest are forgotten.
const MAX_WAITING: i64 = 1000;

impl Book {
    /// Takes what has come, in this order, at this Unix time in milliseconds: all of it or nothing. Repeated, it changes nothing. Returns what is
    /// left to be done for each.
    pub async fn take(&self, arrivals: Vec<Arrival<'_>>, now: i64) -> Result<Vec<Received>, BookError> {
        let mut step = self.pool.begin().await?;
        let mut gathered = Gathered::read(&mut step, &arrivals).await?;
        let mut received = Vec::with_capacity(arrivals.len());
        let keeping = Keeping { is_feeding: self.is_feeding(), keeps_history: self.keeps_history };
        for arrival in arrivals {
            received.push(match arrival.news {
                News::Message { at, messages } => {
                    gathered.receive(keeping, arrival.contact, arrival.number, at, messages)
                }
                News::Delivered(delivery) => {
                    gathered.delivered(self.forgets(delivery), arrival.contact, arrival.number, delivery);
                    Received::default()
                }
            });
        }
        self.write_gathered(&mut step, gathered, now).await?;
        step.commit().await?;
        if self.is_feeding() && received.iter().any(|received| received.has_lines) {
            self.feed_has_grown();
        }
        Ok(received)
    }

    /// Takes the chat messages of one agent's message: as [`take`](Self::take).
    pub async fn receive(
        &self,
        contact: &Contact,
        number: i64,
        at: i64,
        messages: Vec<(i64, ChatMessage)>,
    ) -> Result<Received, BookError> {
        let news = News::Message { at, messages };
        let received = self.take(vec![Arrival { contact, number, news }], at).await?;
        Ok(received.into_iter().next().unwrap_or_default())
    }

    /// Notes how far a message of ours has come, by the agent's number, at this Unix time in milliseconds. Less than is known changes nothing.
    pub async fn delivered(
        &self,
        contact: &Contact,
        number: i64,
        delivery: Delivery,
        now: i64,
    ) -> Result<(), BookError> {
        let news = News::Delivered(delivery);
        self.take(vec![Arrival { contact, number, news }], now).await.map(drop)
    }

    async fn write_gathered(
        &self,
        step: &mut SqliteConnection,
        gathered: Gathered<'_>,
        now: i64,
    ) -> Result<(), BookError> {
        let query = gathered.items()?.bind(sqlx::query(WRITE));
        let query = lines::bind(query, &gathered.first_numbers(), gathered.lines());
        let query = feed::bind(query, gathered.happened());
        let query = self.bind_deliveries(query, gathered.deliveries(), now);
        query.execute(&mut *step).await?;
        // The rest is rare.
        for (contact, item) in &gathered.appeared {
            read::appeared(step, *contact, *item).await?;
        }
        for item in &gathered.taken_back {
            lines::take_back(step, *item).await?;
        }
        for item in &gathered.forgotten {
            forget(step, *item).await?;
        }
        for contact in &gathered.waiting {
            limit_waiting(step, *contact).await?;
        }
        for (contact, versions) in gathered.versions() {
            set_versions(step, contact, versions).await?;
        }
        Ok(())
    }

    /// Whether a message of ours is forgotten once it has come so far.
    fn forgets(&self, delivery: Delivery) -> bool {
        !self.keeps_history && delivery >= Delivery::Failed
    }

    fn bind_deliveries<'q>(
        &self,
        query: smp_sqlite::Query<'q>,
        deliveries: impl Iterator<Item = ((i64, i64), Delivery)>,
        now: i64,
    ) -> smp_sqlite::Query<'q> {
        let (mut changed, mut gone) = (Rows::default(), Rows::default());
        for ((contact, message), delivery) in deliveries {
            if self.forgets(delivery) {
                gone.row().number(contact).number(message).end();
                continue;
            }
            let sent = (delivery >= Delivery::Sent).then_some(now);
            changed.row().number(contact).number(message).number(number(delivery)).number(sent).end();
        }
        gone.bind_numbers(changed.bind_numbers(query))
    }
}

/// All that is not rare.
const WRITE: &str = concat!(
    save_items!(),
    ";",
    lines::insert_lines!(),
    ";",
    feed::insert_happened!(),
    ";",
    "UPDATE items SET delivery = max(delivery, r.value ->> 2), expires = coalesce(expires, (r.value ->> 3) + ttl * 1000)
        FROM json_each(?) r WHERE items.contact = r.value ->> 0 AND items.ours = 1 AND items.number = r.value ->> 1;
    DELETE FROM items WHERE id IN (SELECT i.id FROM json_each(?) r CROSS JOIN items i ON i.contact = r.value ->> 0 AND i.ours = 1
        AND i.number = r.value ->> 1)"
);

/// Forgets an item that is not being typed.
async fn forget(step: &mut SqliteConnection, item: i64) -> Result<(), BookError> {
    sqlx::query("DELETE FROM items WHERE id = ? AND typing = 0").bind(item).execute(step).await?;
    Ok(())
}

async fn limit_waiting(step: &mut SqliteConnection, contact: i64) -> Result<(), BookError> {
    sqlx::query(
        "DELETE FROM items WHERE id IN
         (SELECT id FROM items WHERE contact = ? AND ours = 0 AND number IS NULL AND visible = 0 AND typing = 0
          ORDER BY id DESC LIMIT -1 OFFSET ?)",
    )
    .bind(contact)
    .bind(MAX_WAITING)
    .execute(step)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
