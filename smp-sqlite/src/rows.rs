//! Rows for a statement that takes any number of them: their numbers and texts in a JSON array, their bytes in one blob.
//!
//! So a statement has the same text however many rows it writes, stays prepared, and shares its turn of SQLite's thread with the others of its
//! transaction: `INSERT … SELECT value ->> 0, substr(?, value ->> 1, value ->> 2) FROM json_each(?)`.

use sqlx::Sqlite;
use sqlx::sqlite::SqliteArguments;
use std::fmt::Write as _;

/// A statement to which rows are bound.
pub type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Rows of one statement.
#[derive(Debug, Default)]
pub struct Rows {
    json: String,
    blob: Vec<u8>,
}

/// A row that is being added, value by value.
#[derive(Debug)]
pub struct Row<'r>(&'r mut Rows);

impl Rows {
    /// Adds a row. Its values are those that are added to it, in this order: bytes are two, where they begin and how many they are.
    #[must_use = "a row has an end"]
    pub fn row(&mut self) -> Row<'_> {
        self.separate();
        self.json.push('[');
        Row(self)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// Adds a row of one number, which is `value` itself.
    pub fn number(&mut self, number: i64) {
        self.separate();
        self.write(number);
    }

    fn separate(&mut self) {
        self.json.push(if self.json.is_empty() { '[' } else { ',' });
    }

    fn write(&mut self, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.json, "{value}");
    }

    /// Binds them to a statement that takes bytes: first the blob, then the array.
    pub fn bind<'q>(mut self, query: Query<'q>) -> Query<'q> {
        let blob = (!self.blob.is_empty()).then(|| std::mem::take(&mut self.blob));
        let query = query.bind(blob);
        self.bind_numbers(query)
    }

    /// Binds them to a statement that takes none.
    pub fn bind_numbers<'q>(self, query: Query<'q>) -> Query<'q> {
        query.bind(self.json())
    }

    /// The array, of rows without bytes. None of no rows: of NULL there are none.
    #[must_use]
    pub fn json(mut self) -> Option<String> {
        if self.json.is_empty() {
            return None;
        }
        self.json.push(']');
        Some(self.json)
    }
}

impl Row<'_> {
    fn separated(self) -> Self {
        if !self.0.json.ends_with('[') {
            self.0.json.push(',');
        }
        self
    }

    /// A number; None is NULL.
    #[must_use]
    pub fn number(self, number: impl Into<Option<i64>>) -> Self {
        let row = self.separated();
        match number.into() {
            Some(number) => row.0.write(number),
            None => row.0.json.push_str("null"),
        }
        row
    }

    /// 0 or 1.
    #[must_use]
    pub fn flag(self, flag: bool) -> Self {
        self.number(i64::from(flag))
    }

    /// Bytes, for `substr`, which counts from 1 and makes NULL of what is cut out of nothing.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        if self.0.blob.is_empty() {
            self.0.blob.push(0);
        }
        let begin = self.0.blob.len() + 1;
        self.0.blob.extend_from_slice(bytes);
        let row = self.separated();
        row.0.write(format_args!("{begin},{}", bytes.len()));
        row
    }

    /// A few bytes, for `unhex`; None is NULL.
    #[must_use]
    pub fn hex<'b>(self, bytes: impl Into<Option<&'b [u8]>>) -> Self {
        let row = self.separated();
        match bytes.into() {
            Some(bytes) => {
                row.0.json.push('"');
                bytes.iter().for_each(|byte| row.0.write(format_args!("{byte:02x}")));
                row.0.json.push('"');
            }
            None => row.0.json.push_str("null"),
        }
        row
    }

    /// The same; None is NULL.
    #[must_use]
    pub fn bytes_or_null(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.number(None).number(None),
        }
    }

    /// A word in which nothing has to be quoted.
    #[must_use]
    pub fn word(self, word: &'static str) -> Self {
        let row = self.separated();
        row.0.write(format_args!("\"{word}\""));
        row
    }

    /// A text in JSON, quoted.
    #[must_use]
    pub fn json_text(self, quoted: &str) -> Self {
        let row = self.separated();
        row.0.json.push_str(quoted);
        row
    }

    /// Ends the row.
    pub fn end(self) {
        self.0.json.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_sqlite_reads_them() {
        let mut rows = Rows::default();
        rows.row().number(-1).number(None).bytes(b"ab").hex(&[0x0a, 0xff][..]).hex(None).end();
        rows.row().flag(true).bytes(b"").bytes(b"c").json_text("\"t\"").end();
        rows.row().bytes_or_null(None).bytes_or_null(Some(b"d")).word("w").end();
        assert_eq!(rows.json, "[[-1,null,2,2,\"0aff\",null],[1,4,0,4,1,\"t\"],[null,null,5,1,\"w\"]");
        assert_eq!(rows.blob, b"\0abcd");
        let mut numbers = Rows::default();
        numbers.number(i64::MIN);
        numbers.number(7);
        assert_eq!(numbers.json, "[-9223372036854775808,7");
    }
}
