//! A book with many contacts and messages, made in seconds: some messages by the library, the others as copies of them.

use std::path::Path;

use anyhow::{Context as _, Result};
use smp_chat::{Book, Status, compose};
use smp_protocol::chat::decode_messages;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Messages of the conversation that is copied: every second one is ours.
const MADE: i64 = 20;
/// Each contact of this many has written something that was not read.
const UNREAD: i64 = 10;

/// How many there are to be.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Contacts.
    pub contacts: i64,
    /// Messages of all of them together.
    pub messages: i64,
}

/// The name of a contact, from number 1 on.
#[must_use]
pub fn name(number: i64) -> String {
    format!("person {number:04}")
}

/// Makes a book, unencrypted, without contacts before: with connections of the agent from this number on. The messages of all contacts
/// alternate, so that the contact with the greatest number is the one who wrote last; those of a tenth of the contacts are unread.
///
/// # Errors
/// If the file cannot be written, or is no book.
pub async fn fill(file: &Path, size: Size, first_connection: i64) -> Result<()> {
    let book = Book::open(file, None, true).await?;
    let contact = book.add(first_connection, Some(&name(1)), Status::Connected, None).await?;
    for number in 1..=MADE {
        let text = format!("message {number}: the quick brown fox jumps over the lazy dog");
        let mut sent = compose::messages(&text, None, None, true, &mut rand::rng())?;
        let outgoing = sent.pop().context("a text makes a message")?;
        if number % 2 == 0 {
            let item = book.write(&contact, &outgoing, number).await?;
            book.handed_over(item, number).await?;
        } else {
            let messages = decode_messages(&outgoing.body).into_iter().collect::<Result<Vec<_>, _>>()?;
            book.receive(&contact, number, number, (0..).zip(messages).collect()).await?;
        }
    }
    book.read(&contact, i64::MAX, 0).await?;
    book.close().await;
    copy(file, size, first_connection).await
}

/// Copies the contact and the messages that were made.
async fn copy(file: &Path, size: Size, first_connection: i64) -> Result<()> {
    let mut db = SqliteConnectOptions::new().filename(file).connect().await?;
    let contacts =
        "WITH RECURSIVE numbers (n) AS (VALUES (2) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
        INSERT INTO contacts (id, connection, name, name_is_ours, status)
        SELECT n, ?2 + n - 1, printf('person %04d', n), 1, 'connected' FROM numbers";
    // An hour lies between two messages of one contact.
    let messages = "WITH RECURSIVE numbers (n) AS (VALUES (?3) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1 - 1)
        INSERT INTO items (contact, ours, shared_id, number, part, at, delivery, visible, typing, state)
        SELECT n % ?2 + 1, made.ours, randomblob(12), 1000 + n, 0, 1700000000000 + n / ?2 * 3600000, made.ours * 4, 1, 0, made.state
        FROM numbers JOIN items made ON made.id = 1 + n / ?2 % ?3";
    let read = "UPDATE contacts SET read_to = (SELECT max(id) FROM items WHERE contact = contacts.id) - CASE id % ?1 WHEN 0 THEN ?2 ELSE 0 END";
    let mut step = db.begin().await?;
    if size.contacts > 1 {
        sqlx::query(contacts).bind(size.contacts).bind(first_connection).execute(&mut *step).await?;
    }
    if size.messages > MADE {
        sqlx::query(messages).bind(size.messages).bind(size.contacts).bind(MADE).execute(&mut *step).await?;
    }
    sqlx::query(read).bind(UNREAD).bind(4 * size.contacts).execute(&mut *step).await?;
    step.commit().await?;
    Ok(db.close().await?)
}
