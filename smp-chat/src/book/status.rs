//! The status of a contact: how far the connection has come, in the book one word.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Sqlite, Type};

/// How far a contact has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Our invitation has not been used yet.
    Invited,
    /// They ask to connect, by our contact address, and wait for an answer.
    Requested,
    /// We used their invitation, or they used ours, and the other side has not answered yet.
    Joining,
    /// Messages can be exchanged.
    Connected,
    /// The contact is gone, or the connection failed for good.
    Ended,
}

impl Status {
    const ALL: [Self; 4] = [Self::Invited, Self::Joining, Self::Connected, Self::Ended];

    /// The word for it in the database. A request has that of what it becomes, and a mark of its own.
    fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Requested | Self::Joining => "joining",
            Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }
}

impl Type<Sqlite> for Status {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Status {
    fn encode_by_ref(&self, arguments: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <&str as Encode<'_, Sqlite>>::encode(self.word(), arguments)
    }
}

impl<'r> Decode<'r, Sqlite> for Status {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <&str as Decode<'r, Sqlite>>::decode(value)?;
        let status = Self::ALL.into_iter().find(|status| status.word() == word);
        status
            .ok_or_else(|| format!("a contact's status is “{word}”, which this version does not know").into())
    }
}
