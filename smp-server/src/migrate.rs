//! `migrate`: copies a relay's store into another database, from SQLite to PostgreSQL or back.
//!
//! The relay is not running: both stores are held by this process. A copy that was cut off goes on where it was, as a queue that is in the target
//! as it is in the source is left alone. In the end everything is read again from both and compared, and only then the relay's note says that the
//! target is its store: until then it starts from the source, and from then on from the target only.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use smp_transport::durable;

use crate::{
    config::{Config, DatabaseUrl, StoreKind},
    relay::{StartError, postgres_config, presence, sqlite_config},
    served,
    store::{
        DiskDurability, NewQueue, Notifier, OpenError, PostgresConfig, PostgresStore, Presence, QueueId,
        QueueRecord, SqliteConfig, SqliteStore, Store, StoreCounts, StoreError,
    },
};

/// Queues that are read at once.
const PAGE: usize = 500;

/// Queues that are copied at the same time, so that their transactions are shared.
const TOGETHER: usize = 64;

/// The place of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A database of PostgreSQL.
    Postgres(DatabaseUrl),
    /// A directory with a database of SQLite.
    Sqlite(PathBuf),
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err("sqlite: needs a directory behind it".to_owned()),
            Some(directory) => Ok(Self::Sqlite(directory.into())),
            None => DatabaseUrl::new(text)
                .map(Self::Postgres)
                .map_err(|error| format!("{error}, or sqlite:DIRECTORY")),
        }
    }
}

impl Target {
    /// The lines of `[store]` by which a relay uses it.
    #[must_use]
    pub fn settings(&self) -> String {
        match self {
            Self::Postgres(url) => {
                format!("kind = \"postgres\"\nurl = {}", toml::Value::from(url.expose()))
            }
            Self::Sqlite(path) => {
                format!("kind = \"sqlite\"\npath = {}", toml::Value::from(path.display().to_string()))
            }
        }
    }
}

/// A copy that is whole.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// Its content.
    pub counts: StoreCounts,
    /// Queues of it that an earlier attempt had copied.
    pub already_there: u64,
}

/// Why there is no whole copy. The relay starts from the source as before.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The store of the settings, or the target, cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The relay keeps everything in memory.
    #[error("the relay keeps nothing: store.kind or store.durability is \"memory\"")]
    Memory,
    /// Reading or writing failed.
    #[error("{0}; what is copied stays, run the same command again")]
    Store(#[from] StoreError),
    /// The target has queues of another relay.
    #[error(
        "the target has {0} queues that the source has not: it is the store of another relay; choose an empty one"
    )]
    NotEmpty(u64),
    /// The copy is not the same.
    #[error("the copy differs from the source in {0}; please report this, and use the source")]
    Differs(&'static str),
    /// The note of the store cannot be written.
    #[error("the copy is whole, but {0} cannot be written: {1}; run the same command again")]
    Note(PathBuf, #[source] std::io::Error),
}

impl From<OpenError> for MigrateError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.into())
    }
}

/// A store that is open, and its ID.
struct Opened {
    store: Box<dyn Store>,
    id: String,
}

/// Copies the store of a relay that is not running, and has it start from the copy. Needs a tokio runtime.
///
/// # Errors
///
/// [`MigrateError`]; then the relay starts from the source as before.
pub async fn migrate(config: &Config, to: &Target) -> Result<Migrated, MigrateError> {
    let source = open_source(config).await?;
    let result = match open_target(config, to).await {
        Ok(target) => {
            let copied = copy_and_compare(source.store.as_ref(), target.store.as_ref()).await;
            target.store.close().await?;
            copied.map(|migrated| (migrated, target.id))
        }
        Err(error) => Err(error),
    };
    source.store.close().await?;
    let (migrated, id) = result?;
    let note = config.identity.path.join(served::NOTE);
    served::write(&config.identity.path, &id).map_err(|error| MigrateError::Note(note, error))?;
    Ok(migrated)
}

async fn open_source(config: &Config) -> Result<Opened, MigrateError> {
    // A store that is missing must not be taken for an empty one.
    let (_, presence) = presence(config)?;
    let presence = if presence == Presence::MayBeNew { Presence::Required } else { presence };
    match config.store.kind {
        StoreKind::Postgres => postgres(PostgresConfig { presence, ..postgres_config(config) }).await,
        StoreKind::Sqlite | StoreKind::Memory => {
            let sqlite_config = sqlite_config(config).ok_or(MigrateError::Memory)?;
            sqlite(SqliteConfig { presence, ..sqlite_config }).await
        }
    }
}

async fn open_target(config: &Config, to: &Target) -> Result<Opened, MigrateError> {
    let mut settings = config.clone();
    match to {
        Target::Postgres(url) => {
            settings.store.kind = StoreKind::Postgres;
            settings.store.url = Some(url.clone());
            postgres(postgres_config(&settings)).await
        }
        Target::Sqlite(path) => {
            durable::make_dir(path).map_err(|error| StartError::Directory(path.clone(), error))?;
            settings.store.kind = StoreKind::Sqlite;
            settings.store.path.clone_from(path);
            let sqlite_config = sqlite_config(&settings).ok_or(MigrateError::Memory)?;
            // Nobody is told anything before the end; closing flushes.
            sqlite(SqliteConfig { durability: DiskDurability::Os, ..sqlite_config }).await
        }
    }
}

async fn postgres(config: PostgresConfig) -> Result<Opened, MigrateError> {
    let store = PostgresStore::open(config).await?;
    Ok(Opened { id: store.id().to_owned(), store: Box::new(store) })
}

async fn sqlite(config: SqliteConfig) -> Result<Opened, MigrateError> {
    let store = SqliteStore::open(config).await?;
    Ok(Opened { id: store.id().to_owned(), store: Box::new(store) })
}

async fn copy_and_compare(source: &dyn Store, target: &dyn Store) -> Result<Migrated, MigrateError> {
    let foreign = each_queue(target, |queue| is_missing(source, queue)).await?;
    if foreign > 0 {
        return Err(MigrateError::NotEmpty(foreign));
    }
    for service in source.services().await? {
        let id = service.id.clone();
        if target.service(service).await? != id {
            return Err(MigrateError::Differs("the ID of a service"));
        }
    }
    let already_there = each_queue(source, |queue| copy(source, target, queue)).await?;
    each_queue(source, |queue| compare(source, target, queue)).await?;
    let (from, to) = (source.counts(), target.counts());
    if from != to || source.services().await? != target.services().await? {
        return Err(MigrateError::Differs("the number of its parts"));
    }
    target.save_clock(source.saved_clock().await?).await?;
    Ok(Migrated { counts: to, already_there })
}

/// Does something with each queue; counts those for which it says so.
async fn each_queue<F>(source: &dyn Store, run: impl Fn(Arc<QueueRecord>) -> F) -> Result<u64, MigrateError>
where
    F: Future<Output = Result<bool, MigrateError>>,
{
    let (mut after, mut count) = (None, 0);
    loop {
        let page = source.queue_page(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(last.recipient_id.clone());
        let done: Vec<bool> = stream::iter(page).map(&run).buffer_unordered(TOGETHER).try_collect().await?;
        count += done.into_iter().filter(|said| *said).count() as u64;
    }
}

async fn is_missing(source: &dyn Store, queue: Arc<QueueRecord>) -> Result<bool, MigrateError> {
    Ok(source.find_queue(QueueId::Recipient(&queue.recipient_id)).await?.is_none())
}

/// Copies a queue. `true` if it was there already.
async fn copy(source: &dyn Store, target: &dyn Store, queue: Arc<QueueRecord>) -> Result<bool, MigrateError> {
    let id = &queue.recipient_id;
    if target.find_queue(QueueId::Recipient(id)).await?.is_some() {
        if compare(source, target, queue.clone()).await.is_ok() {
            return Ok(true);
        }
        // The copying was cut off in it, or the source has served since.
        target.delete_queue(id).await?;
    }
    let link_data = source.link_data(id).await?;
    target.create_queue(NewQueue { record: (*queue).clone(), link_data }).await?;
    let messages = source.messages(id).await?;
    target.restore_messages(id, messages.iter().map(|message| (**message).clone()).collect()).await?;
    Ok(false)
}

async fn compare(
    source: &dyn Store,
    target: &dyn Store,
    queue: Arc<QueueRecord>,
) -> Result<bool, MigrateError> {
    let id = &queue.recipient_id;
    let found = target.find_queue(QueueId::Recipient(id)).await?;
    if !found.is_some_and(|found| is_same(&queue, &found)) {
        return Err(MigrateError::Differs("a queue"));
    }
    if source.link_data(id).await? != target.link_data(id).await? {
        return Err(MigrateError::Differs("the data of a link"));
    }
    if source.messages(id).await? != target.messages(id).await? {
        return Err(MigrateError::Differs("messages"));
    }
    Ok(true)
}

/// Whether all of a record is the same.
fn is_same(one: &QueueRecord, other: &QueueRecord) -> bool {
    let notifier = |notifier: &Notifier| {
        (notifier.id.clone(), notifier.key, *notifier.dh.as_bytes(), notifier.service.clone())
    };
    (&one.recipient_id, &one.recipient_keys, &one.sender_id, &one.sender_key)
        == (&other.recipient_id, &other.recipient_keys, &other.sender_id, &other.sender_key)
        && one.recipient_dh.as_bytes() == other.recipient_dh.as_bytes()
        && (&one.mode, &one.link, &one.status) == (&other.mode, &other.link, &other.status)
        && (&one.updated, &one.recipient_service) == (&other.updated, &other.recipient_service)
        && one.notifier.as_ref().map(notifier) == other.notifier.as_ref().map(notifier)
}
