//! How the rows of the book are read, and a status is written.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteRow, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, FromRow, Row as _, Sqlite, Type};

use super::{Contact, NewText, Status};

impl FromRow<'_, SqliteRow> for Contact {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            name: row.try_get("name")?,
            status: row.try_get("status")?,
            link: row.try_get("link")?,
            verified_code: row.try_get("verified_code")?,
            name_is_ours: row.try_get("name_is_ours")?,
            own_name: row.try_get("own_name")?,
        })
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

impl Status {
    const ALL: [Self; 4] = [Self::Invited, Self::Joining, Self::Connected, Self::Ended];

    /// The word for it in the database.
    fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Joining => "joining",
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
