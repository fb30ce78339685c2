//! Texts of the book that were received and not shown yet, and the text that a contact is typing.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};

use super::Book;
use super::contacts::Contact;
use crate::conversation::{Kind, Shown};

/// A text received and not shown yet.
#[derive(Debug, Clone)]
pub(crate) struct NewText {
    id: i64,
    connection: i64,
    agent_id: i64,
    part: i64,
    pub(crate) contact_id: i64,
    pub(crate) contact: String,
    /// Unix time in milliseconds at which the relay received it.
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl NewText {
    /// Names the text: the same if it is shown again after a crash, and of no other text of this identity.
    pub(crate) fn key(&self) -> String {
        format!("{}-{}-{}", self.connection, self.agent_id, self.part)
    }
}

/// Where a received text came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextOrigin {
    /// The agent's number of the message.
    pub(crate) agent_id: i64,
    /// Which of the texts in that message.
    pub(crate) part: i64,
}

impl TextOrigin {
    /// Of what is recorded on the occasion of this one, and before it.
    fn before(self) -> Self {
        Self { part: -1 - self.part, ..self }
    }
}

impl FromRow<'_, SqliteRow> for NewText {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            agent_id: row.try_get("agent_id")?,
            part: row.try_get("part")?,
            contact_id: row.try_get("contact_id")?,
            contact: row.try_get("contact")?,
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            text: row.try_get("text")?,
        })
    }
}

impl Book {
    /// Records something to show under the agent's number. A repeated one changes nothing. The agent repeats none that came
    /// before this one: numbers of those that were shown are not needed any more. A text that the contact was typing is recorded first.
    pub(crate) async fn add_incoming(
        &self,
        contact: &Contact,
        origin: TextOrigin,
        at: i64,
        shown: &Shown,
    ) -> anyhow::Result<()> {
        let mut step = self.0.begin().await?;
        let unfinished = take_live(&mut step, contact, None).await?;
        if let Some(unfinished) = unfinished {
            insert(&mut step, contact, origin.before(), at, &unfinished).await?;
        }
        insert(&mut step, contact, origin, at, shown).await?;
        Ok(step.commit().await?)
    }

    /// Notes what the contact is typing. Another text that they were typing will not be completed: it is recorded as it was.
    pub(crate) async fn set_live(
        &self,
        contact: &Contact,
        origin: TextOrigin,
        at: i64,
        message: &[u8],
        shown: &Shown,
    ) -> anyhow::Result<bool> {
        let mut step = self.0.begin().await?;
        let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT message FROM live WHERE contact = ?")
            .bind(contact.id)
            .fetch_optional(&mut *step)
            .await?;
        let other = match known {
            Some(known) if known != message => take_live(&mut step, contact, None).await?,
            _ => None,
        };
        if let Some(other) = &other {
            insert(&mut step, contact, origin.before(), at, other).await?;
        }
        sqlx::query(
            "INSERT INTO live (contact, message, kind, text) VALUES (?, ?, ?, ?)
             ON CONFLICT (contact) DO UPDATE SET message = excluded.message, kind = excluded.kind, text = excluded.text",
        )
        .bind(contact.id)
        .bind(message)
        .bind(shown.kind.name())
        .bind(&shown.text)
        .execute(&mut *step)
        .await?;
        step.commit().await?;
        Ok(other.is_some())
    }

    /// Records other words for a message: `complete` if the contact was typing it until now, else `edited`.
    pub(crate) async fn change(
        &self,
        contact: &Contact,
        origin: TextOrigin,
        at: i64,
        message: &[u8],
        (complete, edited): (&Shown, &Shown),
    ) -> anyhow::Result<()> {
        let mut step = self.0.begin().await?;
        let was_live = take_live(&mut step, contact, Some(message)).await?.is_some();
        insert(&mut step, contact, origin, at, if was_live { complete } else { edited }).await?;
        Ok(step.commit().await?)
    }

    /// Texts that were recorded and not yet shown, oldest first.
    pub(crate) async fn new_texts(&self) -> anyhow::Result<Vec<NewText>> {
        let query = "SELECT t.id, c.connection, t.agent_id, t.part, c.id AS contact_id, c.name AS contact, t.at, t.kind, t.text
                     FROM texts t JOIN contacts c ON c.id = t.contact WHERE t.text IS NOT NULL ORDER BY t.id";
        Ok(sqlx::query_as(query).fetch_all(&self.0).await?)
    }

    /// Forgets a text that is on the screen. [`clean`](Self::clean) is to follow after the last one.
    pub(crate) async fn shown(&self, text: &NewText) -> anyhow::Result<()> {
        sqlx::query("UPDATE texts SET text = NULL WHERE id = ?").bind(text.id).execute(&self.0).await?;
        Ok(())
    }
}

/// Takes what the contact was typing, any message or this one.
async fn take_live(
    step: &mut SqliteConnection,
    contact: &Contact,
    message: Option<&[u8]>,
) -> anyhow::Result<Option<Shown>> {
    let taken: Option<(String, String)> = sqlx::query_as(
        "DELETE FROM live WHERE contact = ?1 AND (?2 IS NULL OR message = ?2) RETURNING kind, text",
    )
    .bind(contact.id)
    .bind(message)
    .fetch_optional(step)
    .await?;
    Ok(taken.map(|(_, text)| Shown { kind: Kind::Text, text: format!("{text} …") }))
}

async fn insert(
    step: &mut SqliteConnection,
    contact: &Contact,
    origin: TextOrigin,
    at: i64,
    shown: &Shown,
) -> anyhow::Result<()> {
    sqlx::query("DELETE FROM texts WHERE contact = ? AND agent_id < ? AND text IS NULL")
        .bind(contact.id)
        .bind(origin.agent_id)
        .execute(&mut *step)
        .await?;
    sqlx::query(
        "INSERT INTO texts (contact, agent_id, part, at, kind, text) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(contact.id)
    .bind(origin.agent_id)
    .bind(origin.part)
    .bind(at)
    .bind(shown.kind.name())
    .bind(&shown.text)
    .execute(step)
    .await?;
    Ok(())
}
