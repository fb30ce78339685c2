//! Applies the records of a store log to the new store.

use std::{fs::File, io::BufReader, path::Path};

use futures_util::future::join_all;

use super::{
    fields::Wrong,
    lines::{Line, Lines},
    report::{Damaged, ImportError, ReadCounts},
    store_log::Record,
};
use crate::store::{NewQueue, Store, StoreError};

/// New queues that are written together, and bytes of their lines.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// Reads a whole store log into the store.
pub(super) async fn import(
    path: &Path,
    store: &dyn Store,
    damaged: &mut Damaged,
) -> Result<ReadCounts, ImportError> {
    let failed = |error| ImportError::Read(path.to_path_buf(), error);
    let mut lines = Lines::new(BufReader::new(File::open(path).map_err(failed)?));
    let mut importer =
        Importer { path, store, damaged, counts: ReadCounts::default(), new: Batch::default() };
    while let Some(line) = lines.advance().map_err(failed)? {
        let record = match line {
            Line::Whole if lines.line().is_empty() => continue,
            Line::Whole => Record::read(lines.line()),
            Line::TooLong => Err(Wrong("the line is too long")),
            Line::CutOff => Err(Wrong("the line is cut off")),
        };
        if let Some(record) = importer.damaged.check(path, lines.number(), record)? {
            importer.apply(lines.number(), record, lines.line().len()).await?;
        }
    }
    importer.create_queues().await?;
    Ok(importer.counts)
}

struct Importer<'a> {
    path: &'a Path,
    store: &'a dyn Store,
    damaged: &'a mut Damaged,
    counts: ReadCounts,
    new: Batch,
}

/// Queues that are to be created, with the numbers of their lines.
#[derive(Default)]
struct Batch {
    queues: Vec<(u64, NewQueue)>,
    bytes: usize,
}

impl Importer<'_> {
    /// Almost all records create queues, and these do not depend on one another: they share transactions. Everything
    /// else waits for what was before it.
    async fn apply(&mut self, line: u64, record: Record, bytes: usize) -> Result<(), ImportError> {
        self.counts.records += 1;
        if let Record::Create(queue) = record {
            self.new.queues.push((line, *queue));
            self.new.bytes += bytes;
            let is_full = self.new.queues.len() >= BATCH || self.new.bytes >= BATCH_BYTES;
            return if is_full { self.create_queues().await } else { Ok(()) };
        }
        self.create_queues().await?;
        let result = match record {
            Record::Create(_) => Ok(()),
            Record::Change(queue, change) => self.store.update_queue(&queue, change).await.map(|_| ()),
            Record::Delete(queue) => self.store.delete_queue(&queue).await.map(|_| ()),
            Record::Service(service) => self.store.service(service).await.map(|_| ()),
            Record::Other => Err(StoreError::NotFound),
        };
        match result {
            // A relay goes on after such records, which it writes itself when two clients meet at one queue.
            Err(StoreError::NotFound) => {
                self.counts.ignored_records += 1;
                Ok(())
            }
            result => self.judge(line, result),
        }
    }

    async fn create_queues(&mut self) -> Result<(), ImportError> {
        let batch = std::mem::take(&mut self.new);
        let created = join_all(batch.queues.iter().map(|(_, queue)| self.store.create_queue(queue.clone())));
        for (result, (line, queue)) in created.await.into_iter().zip(&batch.queues) {
            match result.map(|_| ()) {
                Err(StoreError::NotFound) => {
                    self.damaged.note(self.path, *line, "the service of the queue is missing")?;
                    let result = self.store.create_queue(without_services(queue.clone())).await;
                    self.judge(*line, result.map(|_| ()))?;
                }
                result => self.judge(*line, result)?,
            }
        }
        Ok(())
    }

    /// Tells records that make no sense from a store that does not work.
    fn judge(&mut self, line: u64, result: Result<(), StoreError>) -> Result<(), ImportError> {
        let reason = match result {
            Ok(()) => return Ok(()),
            Err(StoreError::Duplicate) => "an ID belongs to another queue or service already",
            Err(StoreError::Refused) => "the record contradicts earlier ones",
            Err(StoreError::ServiceRole) => "the service has another role already",
            Err(error) => return Err(error.into()),
        };
        self.damaged.note(self.path, line, reason)
    }
}

/// The clients will associate it again.
fn without_services(mut queue: NewQueue) -> NewQueue {
    queue.record.recipient_service = None;
    if let Some(notifier) = &mut queue.record.notifier {
        notifier.service = None;
    }
    queue
}
