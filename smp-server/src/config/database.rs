//! Settings of a database of PostgreSQL.

use serde::Deserialize;

/// `store.synchronous_commit`: see PostgreSQL's documentation of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SynchronousCommit {
    /// The message survives a power cut of the server, and of its synchronous standbys if it has any.
    On,
    /// The same, and a standby that is promoted shows it at once.
    RemoteApply,
    /// Standbys have it in memory.
    RemoteWrite,
    /// It survives a power cut of the server only.
    Local,
    /// It survives the death of the relay; a crash of the server loses the last 600 ms.
    Off,
}

/// The address of a database, in which a password may stand: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// An address such as `postgres://USER@HOST:5432/DATABASE`.
    ///
    /// # Errors
    ///
    /// A sentence that says so, without the address.
    pub fn new(text: &str) -> Result<Self, String> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            Ok(Self(text.to_owned()))
        } else {
            Err("the address of a database looks like postgres://USER@HOST:5432/DATABASE".to_owned())
        }
    }

    /// The address, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}
