//! The rules of [`Records`], for each store: histories of changes, after which all stores say the same, also when they are opened again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use smp_crypto::{Ed25519PrivateKey, PublicAuthKey};
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};
use smp_transport::surroundings::Spawner;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Add(u8, usize),
    SetUploaded(u8),
    Acknowledge(u8),
    Delete(u8),
    Expire(u64, usize),
    Clean(u64, usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Step::Create),
        1 => (any::<u8>(), 1..4_usize).prop_map(|(chunk, count)| Step::Add(chunk, count)),
        3 => any::<u8>().prop_map(Step::SetUploaded),
        1 => any::<u8>().prop_map(Step::Acknowledge),
        1 => any::<u8>().prop_map(Step::Delete),
        1 => (0..40_u64, 1..5_usize).prop_map(|(age, at_most)| Step::Expire(age, at_most)),
        1 => (0..40_u64, 1..5_usize).prop_map(|(age, at_most)| Step::Clean(age, at_most)),
        1 => Just(Step::Reopen),
    ]
}

fn key(number: u32) -> PublicAuthKey {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PublicAuthKey::Ed25519(Ed25519PrivateKey::from_bytes(bytes).public_key())
}

fn id<T: for<'a> TryFrom<&'a [u8]> + Default>(kind: u8, number: u32) -> T {
    let mut bytes = [kind; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    T::try_from(&bytes[..]).unwrap_or_default()
}

/// Everything that was ever created, for questions.
#[derive(Default)]
struct Ids {
    chunks: u32,
    recipients: u32,
}

impl Ids {
    fn record(&mut self, created: u64) -> ChunkRecord {
        self.chunks += 1;
        ChunkRecord {
            sender_id: id(1, self.chunks),
            sender_key: key(self.chunks),
            size: 65_536 << (self.chunks % 3),
            digest: [self.chunks as u8; 32],
            created,
            is_uploaded: false,
        }
    }

    fn recipients(&mut self, count: usize) -> Vec<ChunkRecipient> {
        let recipients = (0..count).map(|_| {
            self.recipients += 1;
            ChunkRecipient { id: id(2, self.recipients), key: key(1_000 + self.recipients) }
        });
        recipients.collect()
    }

    /// The change of a step. Chunks and recipients are numbered from 1: number 0, and those to come, do not exist.
    fn change(&mut self, step: &Step, now: u64) -> Option<Change> {
        let chunk = |at: u8, chunks: u32| id(1, u32::from(at) % (chunks + 2));
        Some(match *step {
            Step::Create(count) => Change::Create(self.record(now), self.recipients(count)),
            Step::Add(at, count) => Change::AddRecipients(chunk(at, self.chunks), self.recipients(count), 4),
            Step::SetUploaded(at) => Change::SetUploaded(chunk(at, self.chunks)),
            Step::Acknowledge(at) => Change::Acknowledge(id(2, u32::from(at) % (self.recipients + 2))),
            Step::Delete(at) => Change::Delete(chunk(at, self.chunks), now),
            Step::Expire(age, at_most) => Change::Expire { before: now.saturating_sub(age), at_most, now },
            Step::Clean(..) | Step::Reopen => return None,
        })
    }
}

/// All that a store says.
type Said = (Totals, Vec<Option<Found>>, Vec<ChunkSenderId>);

async fn said(records: &dyn Records, ids: &Ids) -> Said {
    let mut found = Vec::new();
    for number in 0..ids.chunks + 2 {
        let id: ChunkSenderId = id(1, number);
        found.push(records.find(ChunkId::Sender(id.as_bytes())).await.unwrap());
        assert_eq!(records.find(ChunkId::Recipient(id.as_bytes())).await.unwrap(), None, "of the other kind");
    }
    for number in 0..ids.recipients + 2 {
        let id: ChunkRecipientId = id(2, number);
        found.push(records.find(ChunkId::Recipient(id.as_bytes())).await.unwrap());
    }
    let mut removed = records.removed(u64::MAX, usize::MAX).await.unwrap();
    removed.sort();
    (records.totals().await.unwrap(), found, removed)
}

async fn open(path: &Path) -> SqliteRecords {
    SqliteRecords::open(path, false, &Spawner::current()).await.unwrap()
}

async fn stores_agree(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let (memory, mut sqlite) = (MemoryRecords::default(), open(&path).await);
    let mut ids = Ids::default();
    for (now, step) in (1..).zip(&steps) {
        match step {
            Step::Reopen => {
                sqlite.close().await.unwrap();
                assert!(matches!(sqlite.totals().await, Err(RecordsError::Closed)));
                sqlite = open(&path).await;
            }
            Step::Clean(age, at_most) => {
                let before = now - (*age).min(now);
                let noted = sqlite.removed(before, *at_most).await.unwrap();
                assert!(noted.len() <= *at_most);
                for records in [&memory as &dyn Records, &sqlite] {
                    let forgotten = records.change(Change::ForgetRemoved(noted.clone())).await;
                    assert_eq!(forgotten.unwrap(), Outcome::Done);
                }
            }
            step => {
                let change = ids.change(step, now).unwrap();
                let made = memory.change(change.clone()).await.unwrap();
                assert_eq!(sqlite.change(change).await.unwrap(), made, "{step:?}");
            }
        }
    }
    assert_eq!(said(&sqlite, &ids).await, said(&memory, &ids).await);
    check(&said(&memory, &ids).await, &ids);
}

/// Counted are the chunks that were uploaded; and a chunk is there, or noted as gone, or forgotten.
fn check((totals, found, removed): &Said, ids: &Ids) {
    let chunks: HashMap<_, _> =
        found.iter().flatten().map(|found| (found.chunk.sender_id.clone(), found.chunk.clone())).collect();
    let bytes = chunks.values().filter(|chunk| chunk.is_uploaded).map(|chunk| u64::from(chunk.size)).sum();
    assert_eq!(*totals, Totals { chunks: chunks.len() as u64, bytes });
    assert!(removed.iter().all(|id| !chunks.contains_key(id)));
    assert!(chunks.len() + removed.len() <= ids.chunks as usize);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_stores_say_the_same(steps in prop::collection::vec(step(), 0..60)) {
        tokio::runtime::Runtime::new().unwrap().block_on(stores_agree(steps));
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_process_and_changes_that_come_together_are_all_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    let records = Arc::new(open(&path).await);
    let second = SqliteRecords::open(&path, true, &Spawner::current()).await.err();
    assert!(second.unwrap().to_string().contains("another smp-server"));
    let mut ids = Ids::default();
    let changes: Vec<_> = (0..500).map(|_| Change::Create(ids.record(1), ids.recipients(2))).collect();
    // One that cannot be made: the others are.
    let again = changes[7].clone();
    let made = changes.into_iter().chain([again]).map(|change| records.change(change));
    let made = futures_util::future::join_all(made).await;
    assert!(made[..500].iter().all(|made| matches!(made, Ok(Outcome::Done))));
    assert!(matches!(made[500], Err(RecordsError::Unavailable(_))), "{:?}", made[500]);
    assert_eq!(records.totals().await.unwrap(), Totals { chunks: 500, bytes: 0 });
    records.close().await.unwrap();
    assert!(matches!(records.change(Change::ForgetRemoved(Vec::new())).await, Err(RecordsError::Closed)));
    assert_eq!(open(&path).await.totals().await.unwrap().chunks, 500);
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.sqlite");
    std::fs::write(&path, "no database, but a text that somebody has left here").unwrap();
    assert!(SqliteRecords::open(&path, true, &Spawner::current()).await.is_err());
}
