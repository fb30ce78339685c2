//! Lines that were not shown yet.

use smp_sqlite::{Query, Rows};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _, SqliteConnection};

use super::contacts::Contact;
use super::{Book, BookError};
use crate::conversation::Order;
use crate::words::{Kind, Line};

/// Lines of one event: one is about its own item, and one about each item that was begun before and will not be completed.
const LINES_OF_EVENT: i64 = 64;

/// A line to be shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewLine {
    id: i64,
    connection: i64,
    agent_id: i64,
    part: i64,
    /// The contact's number in the book.
    pub contact_id: i64,
    /// The contact's name.
    pub contact: String,
    /// Whether the contact is muted.
    pub is_muted: bool,
    /// Unix time in milliseconds at which the relay received it.
    pub at: i64,
    /// The number of the item that it is about, if that is kept.
    pub item: Option<i64>,
    /// The line, as its writer wrote it.
    pub line: Line,
}

impl NewLine {
    /// Names the line: the same if it is shown again after a crash, and of no other line of this identity.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}-{}", self.connection, self.agent_id, self.part)
    }
}

impl FromRow<'_, SqliteRow> for NewLine {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            agent_id: row.try_get("agent_id")?,
            part: row.try_get("part")?,
            contact_id: row.try_get("contact_id")?,
            contact: row.try_get("contact")?,
            is_muted: row.try_get("muted")?,
            at: row.try_get("at")?,
            item: row.try_get("item")?,
            line: Line { kind: Kind::of_name(row.try_get("kind")?), text: row.try_get("text")? },
        })
    }
}

/// Where a line came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) order: Order,
    /// How many lines of the same event come behind it.
    pub(super) behind: usize,
}

impl Origin {
    /// Different for each line of an agent's message: the last one of an event has the event's place.
    pub(super) fn part(self) -> i64 {
        match i64::try_from(self.behind) {
            Ok(0) => self.order.part,
            behind => {
                let behind = behind.unwrap_or(LINES_OF_EVENT).min(LINES_OF_EVENT);
                -(self.order.part.saturating_mul(LINES_OF_EVENT).saturating_add(behind))
            }
        }
    }
}

impl Book {
    /// Lines that were recorded and not yet shown, oldest first. Those of muted contacts wait until somebody looks at them.
    pub async fn new_lines(&self) -> Result<Vec<NewLine>, BookError> {
        self.lines("c.muted = 0", None).await
    }

    /// The same with those of muted contacts.
    pub async fn all_new_lines(&self) -> Result<Vec<NewLine>, BookError> {
        self.lines("1", None).await
    }

    /// Lines of one contact, muted or not, that were recorded and not yet shown, oldest first.
    pub async fn new_lines_of(&self, contact: &Contact) -> Result<Vec<NewLine>, BookError> {
        self.lines("c.id = ?1", Some(contact.id)).await
    }

    async fn lines(&self, which: &'static str, contact: Option<i64>) -> Result<Vec<NewLine>, BookError> {
        let query = format!(
            "SELECT t.id, c.connection, t.agent_id, t.part, c.id AS contact_id, c.name AS contact, c.muted, t.at, t.kind, t.text, t.item
             FROM texts t JOIN contacts c ON c.id = t.contact WHERE t.text IS NOT NULL AND {which} ORDER BY t.id"
        );
        Ok(sqlx::query_as(AssertSqlSafe(query)).bind(contact).fetch_all(&self.pool).await?)
    }

    /// Forgets a line that is on the screen, at this Unix time in milliseconds: from now on counts the time after which its item
    /// disappears. [`clean`](Self::clean) is to follow after the last one.
    pub async fn shown(&self, line: &NewLine, now: i64) -> Result<(), BookError> {
        let mut step = self.pool.begin().await?;
        sqlx::query("UPDATE texts SET text = NULL WHERE id = ?").bind(line.id).execute(&mut *step).await?;
        if let Some(item) = line.item {
            let query = if self.keeps_history {
                "UPDATE items SET expires = coalesce(expires, ?2 + ttl * 1000) WHERE id = ?1 AND ours = 0"
            } else {
                "DELETE FROM items WHERE id = ?1 AND ours = 0 AND typing = 0"
            };
            sqlx::query(query).bind(item).bind(now).execute(&mut *step).await?;
        }
        Ok(step.commit().await?)
    }
}

/// A line that is recorded.
pub(super) struct NewRow {
    pub(super) contact: i64,
    pub(super) origin: Origin,
    /// Unix time in milliseconds at which the relay received it.
    pub(super) at: i64,
    pub(super) line: Line,
    pub(super) item: i64,
    /// It goes to programs, and to no screen.
    pub(super) is_fed: bool,
}

/// Records lines. The agent repeats no message that came before those that arrive: the places of lines that were shown are not needed
/// any more.
macro_rules! insert_lines {
    () => {
        "DELETE FROM texts WHERE id IN (SELECT t.id FROM json_each(?) r CROSS JOIN texts t ON t.contact = r.value ->> 0
            AND t.agent_id < r.value ->> 1 WHERE t.text IS NULL);
        INSERT INTO texts (contact, agent_id, part, at, kind, item, text) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,
            value ->> 4, value ->> 5, CAST(substr(?, value ->> 6, value ->> 7) AS TEXT) FROM json_each(?)"
    };
}
pub(super) use insert_lines;

/// Binds to [`insert_lines`] the numbers of the first messages that arrive, by their contacts, and the lines.
pub(super) fn bind<'q>(query: Query<'q>, first_numbers: &[(i64, i64)], lines: &[NewRow]) -> Query<'q> {
    let (mut before, mut new) = (Rows::default(), Rows::default());
    first_numbers.iter().for_each(|(contact, first)| before.row().number(*contact).number(*first).end());
    for line in lines {
        let row = new.row().number(line.contact).number(line.origin.order.number).number(line.origin.part());
        let row = row.number(line.at).word(line.line.kind.name()).number(line.item);
        row.bytes_or_null((!line.is_fed).then_some(line.line.text.as_bytes())).end();
    }
    new.bind(before.bind_numbers(query))
}

/// Takes back the words of an item that was deleted before they were shown.
pub(super) async fn take_back(step: &mut SqliteConnection, item: i64) -> Result<(), BookError> {
    sqlx::query("UPDATE texts SET text = NULL WHERE item = ? AND kind <> ?")
        .bind(item)
        .bind(Kind::Deleted.name())
        .execute(step)
        .await?;
    Ok(())
}
