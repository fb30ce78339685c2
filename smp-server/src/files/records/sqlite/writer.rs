//! The writer: takes all changes that wait into one transaction.

use sqlx::{Connection as _, SqliteConnection, query};
use tokio::sync::{mpsc, oneshot};

use super::super::api::{Change, Outcome, RecordsError};
use super::fault::unavailable;
use super::statements;

/// Changes of one transaction.
const TOGETHER: usize = 256;

/// A change, and where to say that it was made.
pub(super) struct Written {
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Outcome, RecordsError>>,
}

pub(super) struct Writer {
    connection: SqliteConnection,
    changes: mpsc::Receiver<Written>,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, changes: mpsc::Receiver<Written>) -> Self {
        Self { connection, changes }
    }

    /// Writes until nobody can make changes any more.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.changes.recv_many(&mut batch, TOGETHER).await > 0 {
            self.write(std::mem::take(&mut batch)).await;
        }
        let _ = self.connection.close().await;
    }

    /// If they cannot be made together, those are refused that cannot be made.
    async fn write(&mut self, batch: Vec<Written>) {
        let changes: Vec<&Change> = batch.iter().map(|written| &written.change).collect();
        match self.transaction(&changes).await {
            Ok(outcomes) => {
                for (written, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = written.answer.send(Ok(outcome));
                }
            }
            Err(_) => {
                for written in batch {
                    let alone = self.transaction(&[&written.change]).await;
                    let alone = alone.map(|mut outcomes| outcomes.pop().unwrap_or(Outcome::Unknown));
                    let _ = written.answer.send(alone.map_err(|error| unavailable(&error)));
                }
            }
        }
    }

    async fn transaction(&mut self, changes: &[&Change]) -> sqlx::Result<Vec<Outcome>> {
        let connection = &mut self.connection;
        query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        let made = async {
            let mut outcomes = Vec::with_capacity(changes.len());
            for change in changes {
                outcomes.push(statements::make(connection, change).await?);
            }
            query("COMMIT").execute(&mut *connection).await?;
            Ok(outcomes)
        };
        let made = made.await;
        if made.is_err() {
            // SQLite may have rolled back already; then this is an error without meaning.
            let _ = query("ROLLBACK").execute(&mut self.connection).await;
        }
        made
    }
}
