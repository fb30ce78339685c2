//! Names of contacts and the texts that they sent and nobody has seen yet, in an SQLite file beside the agent's.
//!
//! The agent repeats an event until it is acknowledged, so that a crash loses none. Here an event is recorded under the
//! agent's own number before it is acknowledged: a repeated one changes nothing, and a text is shown once. Then it is forgotten: there is no command that would show it again.

mod rows;
mod schema;

use std::path::Path;

use anyhow::{Context as _, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqliteConnection, SqlitePool};

use crate::conversation::{Kind, Shown};
use crate::names::{MAX_NAME, printable};

/// Pages of the log, of 4096 bytes, after which they are moved into the file.
const LOG_PAGES: &str = "64";

/// How many names are offered instead of one that is not known.
const SUGGESTED_NAMES: usize = 10;

/// How far a contact has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Our invitation has not been used yet.
    Invited,
    /// We used their invitation, or they used ours, and the other side has not answered yet.
    Joining,
    /// Messages can be exchanged.
    Connected,
    /// The contact is gone, or the connection failed for good.
    Ended,
}

/// A contact, as listed.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    pub(crate) connection: i64,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) link: Option<String>,
    pub(crate) verified_code: Option<String>,
    /// Whether the user chose the name.
    name_is_ours: bool,
    /// What the contact last called themselves.
    own_name: Option<String>,
}

impl Contact {
    /// Whether the name is one that the user chose, or the contact told.
    pub(crate) fn is_named(&self) -> bool {
        self.name_is_ours || self.own_name.is_some()
    }

    /// Whether the user chose the name.
    pub(crate) fn is_name_chosen(&self) -> bool {
        self.name_is_ours
    }
}

/// What came of a profile.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) contact: Contact,
    /// The contact's new name for themselves, if it is another one than before and is not their name here.
    pub(crate) renamed: Option<String>,
}

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

/// The open file.
#[derive(Debug, Clone)]
pub(crate) struct Book(SqlitePool);

impl Book {
    /// Opens the file, creating or migrating it. It has mode 0600, and so have the files that SQLite makes beside it.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What was deleted is overwritten.
            .pragma("secure_delete", "ON")
            // So that the agent's reserve for a full disk is enough for both.
            .pragma("wal_autocheckpoint", LOG_PAGES);
        make_private(path)?;
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(|error| {
                match error {
                    sqlx::Error::Database(error) => damaged(path, error),
                    error => {
                        anyhow::Error::new(error).context(format!("{} cannot be opened", path.display()))
                    }
                }
            })?;
        // The file is small, and a damaged one must not lose contacts one by one.
        let check: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await;
        match check {
            Ok(said) if said == "ok" => {}
            Ok(said) => return Err(damaged(path, said)),
            Err(error) => return Err(damaged(path, error)),
        }
        schema::migrations().run(&pool).await.context("The contacts file cannot be brought up to date")?;
        Ok(Self(pool))
    }

    /// Whether a file has contacts that were connected. It is not changed.
    pub(crate) async fn has_contacts(path: &Path) -> anyhow::Result<bool> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let contacts: Result<i64, _> =
            sqlx::query_scalar("SELECT count(*) FROM contacts").fetch_one(&pool).await;
        pool.close().await;
        match contacts {
            Ok(contacts) => Ok(contacts > 0),
            // A book that was being made when its process was killed.
            Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => Ok(false),
            Err(error) => Err(damaged(path, error)),
        }
    }

    /// Waits until everything is on disk and closes the file.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    /// Records a new connection. Without a name chosen by the user, one is made until the contact tells theirs.
    pub(crate) async fn add(
        &self,
        connection: i64,
        chosen: Option<&str>,
        status: Status,
        link: Option<&str>,
    ) -> anyhow::Result<Contact> {
        let name = match chosen {
            Some(name) => {
                self.refuse_known_name(name).await?;
                name.to_owned()
            }
            None => self.free_name("contact", connection).await?,
        };
        sqlx::query(
            "INSERT INTO contacts (connection, name, name_is_ours, status, link) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (connection) DO NOTHING",
        )
        .bind(connection)
        .bind(&name)
        .bind(chosen.is_some())
        .bind(status)
        .bind(link)
        .execute(&self.0)
        .await?;
        self.by_connection(connection).await?.context("The contact was removed meanwhile")
    }

    /// Fails if the name is taken or cannot be typed again.
    pub(crate) async fn refuse_known_name(&self, name: &str) -> anyhow::Result<()> {
        if printable(name) != name || name.is_empty() {
            bail!(
                "A contact's name is 1 to {MAX_NAME} visible characters, with single spaces; choose another."
            );
        }
        if self.by_name(name).await?.is_some() {
            bail!("There is a contact called “{name}” already; choose another name.");
        }
        Ok(())
    }

    /// Notes which invitation the contact was joined by.
    pub(crate) async fn set_invitation(&self, contact: &Contact, invitation: &[u8]) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET invitation = ? WHERE id = ?")
            .bind(invitation)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// The contact that was joined by this invitation.
    pub(crate) async fn by_invitation(&self, invitation: &[u8]) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE invitation = ?")
            .bind(invitation)
            .fetch_optional(&self.0)
            .await?)
    }

    /// Everybody, in the order in which they came.
    pub(crate) async fn contacts(&self) -> anyhow::Result<Vec<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts ORDER BY id").fetch_all(&self.0).await?)
    }

    /// The contact called `name`, or an error that says who there is.
    pub(crate) async fn require(&self, name: &str) -> anyhow::Result<Contact> {
        if let Some(contact) = self.by_name(name).await? {
            return Ok(contact);
        }
        let names: Vec<String> = self.contacts().await?.into_iter().map(|contact| contact.name).collect();
        if names.is_empty() {
            bail!("There are no contacts yet; begin with `smp invite` or `smp join LINK`.");
        }
        bail!("There is no contact called “{name}”; {}.", suggestion(name, &names));
    }

    pub(crate) async fn by_connection(&self, connection: i64) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE connection = ?")
            .bind(connection)
            .fetch_optional(&self.0)
            .await?)
    }

    pub(crate) async fn by_name(&self, name: &str) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE name = ?").bind(name).fetch_optional(&self.0).await?)
    }

    /// Notes what the contact calls themselves. Until they are connected it becomes their name here, unless the user chose
    /// one; later the name stays: whoever was compared and verified under it must not become somebody else.
    pub(crate) async fn set_profile(
        &self,
        contact: &Contact,
        display_name: &str,
    ) -> anyhow::Result<Introduction> {
        let contact = self.current(contact).await?;
        let own = printable(display_name);
        if own.is_empty() || contact.own_name.as_ref() == Some(&own) {
            return Ok(Introduction { contact, renamed: None });
        }
        let is_new = matches!(contact.status, Status::Invited | Status::Joining);
        let name = if is_new && !contact.name_is_ours {
            self.free_name(&own, contact.connection).await?
        } else {
            contact.name.clone()
        };
        sqlx::query("UPDATE contacts SET name = ?, own_name = ? WHERE id = ?")
            .bind(name)
            .bind(&own)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        let known = contact.own_name.as_ref().unwrap_or(&contact.name);
        let renamed = (!is_new && *known != own).then_some(own);
        Ok(Introduction { contact: self.current(&contact).await?, renamed })
    }

    /// The contact as it is now.
    async fn current(&self, contact: &Contact) -> anyhow::Result<Contact> {
        self.by_connection(contact.connection).await?.context("The contact was removed meanwhile")
    }

    /// Notes how far the contact has come; a used invitation is forgotten.
    pub(crate) async fn set_status(&self, contact: &Contact, status: Status) -> anyhow::Result<()> {
        let query =
            "UPDATE contacts SET status = ?1, link = CASE WHEN ?1 = 'invited' THEN link END WHERE id = ?2";
        sqlx::query(query).bind(status).bind(contact.id).execute(&self.0).await?;
        Ok(())
    }

    /// The code that was compared does not count any more.
    pub(crate) async fn forget_verified(&self, contact: &Contact) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET verified_code = NULL WHERE id = ?")
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Marks the contact as verified with this security code.
    pub(crate) async fn set_verified(&self, contact: &Contact, code: &str) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET verified_code = ? WHERE id = ?")
            .bind(code)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Forgets the contact and all texts.
    pub(crate) async fn remove(&self, contact: &Contact) -> anyhow::Result<()> {
        sqlx::query("DELETE FROM contacts WHERE id = ?").bind(contact.id).execute(&self.0).await?;
        self.clean().await
    }

    /// Takes what was deleted out of the write-ahead log too.
    pub(crate) async fn clean(&self) -> anyhow::Result<()> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.0).await?;
        Ok(())
    }

    /// Records something to show under the agent's number. A repeated one changes nothing. The agent repeats none that came
    /// before this one: numbers of those that were shown are not needed any more. What the contact was typing is recorded first.
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

    /// `wanted`, or `wanted` with the first number behind it that makes it free for this connection.
    async fn free_name(&self, wanted: &str, connection: i64) -> anyhow::Result<String> {
        let mut name = wanted.to_owned();
        let mut number = 2_u32;
        while self.by_name(&name).await?.is_some_and(|holder| holder.connection != connection) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        Ok(name)
    }
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is damaged ({reason}): the names of your contacts, and who was verified, are in it. Restore it from a backup, or move it away \
         and make a new one without them: smp contacts --new-book",
        path.display()
    )
}

/// The names that are most like this one, or all if they are few.
fn suggestion(name: &str, names: &[String]) -> String {
    if names.len() <= SUGGESTED_NAMES {
        return format!("there are: {}", names.join(", "));
    }
    let mut near: Vec<&String> = names.iter().collect();
    let name = name.to_lowercase();
    near.sort_by_cached_key(|known| strsim::damerau_levenshtein(&known.to_lowercase(), &name));
    let near: Vec<&str> = near.into_iter().take(SUGGESTED_NAMES).map(String::as_str).collect();
    format!("most like it are: {}; `smp contacts` lists all {}", near.join(", "), names.len())
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

/// Creates the file with mode 0600 before SQLite does it with the umask's mode.
fn make_private(path: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests;
