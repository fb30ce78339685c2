//! Statements that change many rows at once. They come in a few sizes, so that all are kept prepared.

use super::Fault;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Rows of one statement.
const SIZES: [usize; 3] = [32, 8, 1];

/// Runs `head (?, …), (?, …) tail` for all rows; `row` is the part for one row.
pub(super) async fn for_rows<'q, T>(
    db: &mut SqliteConnection,
    (head, row, tail): (&str, &str, &str),
    mut rows: &'q [T],
    bind: impl Fn(Query<'q>, &'q T) -> Query<'q>,
) -> Result<(), Fault> {
    for size in SIZES {
        while rows.len() >= size {
            let (now, later) = rows.split_at(size);
            let sql = format!("{head} {} {tail}", vec![row; size].join(", "));
            let query = now.iter().fold(sqlx::query(AssertSqlSafe(sql)), &bind);
            query.execute(&mut *db).await?;
            rows = later;
        }
    }
    Ok(())
}

/// Deletes the rows with these numbers.
pub(super) async fn delete(db: &mut SqliteConnection, head: &str, numbers: &[i64]) -> Result<(), Fault> {
    for_rows(db, (&format!("{head} IN ("), "?", ")"), numbers, |query, number| query.bind(*number)).await
}
