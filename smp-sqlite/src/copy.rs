//! Copies of a database, with the same key, another one, or none.

use crate::{DatabaseKey, Options};
use sqlx::Connection as _;
use std::fmt::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of each page that are set aside for what an encrypted one has besides its content: a nonce and an authenticator.
const RESERVED: u8 = 32;

/// Copies all that is committed into an empty file, or one that does not exist: encrypted if there is a key. Nothing that was
/// deleted is in it. Its content is durable afterwards, its name is not.
///
/// # Errors
/// Of SQLite.
pub async fn copy(from: &Options, to: &Path, key: Option<&DatabaseKey>) -> sqlx::Result<()> {
    let Some(path) = to.to_str() else {
        return Err(sqlx::Error::Configuration("the name of the copy is not valid UTF-8".into()));
    };
    let mut db = from.connect().await?;
    let copied = sqlx::query("VACUUM INTO ?").bind(uri(path, key).as_str()).execute(&mut db).await;
    db.close().await?;
    copied.map(drop)
}

/// The name of a file, with what is to be known of it.
fn uri(path: &str, key: Option<&DatabaseKey>) -> Zeroizing<String> {
    let mut uri = Zeroizing::new(String::with_capacity(3 * path.len() + 128));
    uri.push_str("file:");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    match key {
        Some(key) => {
            uri.push_str("?cipher=chacha20&key=");
            uri.push_str(&key.to_text());
            let _ = write!(uri, "&reserve={RESERVED}");
        }
        // Without this it would be encrypted as what is copied.
        None => uri.push_str("?key=&reserve=0"),
    }
    uri
}
