//! Columns of PostgreSQL's rows.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::fault::fault;
use crate::store::StorageFault;
use crate::store::engine::rows::Columns;

impl Columns for PgRow {
    fn blob(&self, column: usize) -> Result<Option<&[u8]>, StorageFault> {
        self.try_get(column).map_err(|error| fault(&error))
    }

    fn signed(&self, column: usize) -> Result<Option<i64>, StorageFault> {
        self.try_get(column).map_err(|error| fault(&error))
    }
}
