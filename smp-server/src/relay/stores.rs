//! The store that the settings name, and the note by which a relay knows it again.

use std::{path::Path, sync::Arc};

use smp_transport::{durable, surroundings::Surroundings};

use super::StartError;
#[cfg(feature = "postgres")]
use crate::{
    config,
    store::{PostgresConfig, PostgresStore, SynchronousCommit},
};
use crate::{
    config::{Config, Durability, StoreKind},
    served,
    store::{
        DiskDurability, EngineLimits, Maintenance as _, MemoryStore, OpenError, Presence, SqliteConfig,
        SqliteStore, Store,
    },
};

/// Name of the database in the directory of the store.
pub(crate) const DATABASE: &str = "smp-server.sqlite";

/// Opens the store, and notes which one it is.
#[cfg_attr(not(feature = "postgres"), allow(unused_variables, reason = "no other store can be shared"))]
pub(super) async fn open(
    config: &Config,
    shared_at: Option<&str>,
    surroundings: &Surroundings,
) -> Result<Arc<dyn Store>, StartError> {
    match config.store.kind {
        StoreKind::Sqlite | StoreKind::Memory => open_sqlite(config, surroundings).await,
        #[cfg(feature = "postgres")]
        StoreKind::Postgres => open_postgres(config, shared_at, surroundings).await,
        #[cfg(not(feature = "postgres"))]
        StoreKind::Postgres => Err(config.validate().err().map_or_else(
            || OpenError::DatabaseUrl { reason: "built without PostgreSQL".to_owned() }.into(),
            StartError::from,
        )),
    }
}

async fn open_sqlite(config: &Config, surroundings: &Surroundings) -> Result<Arc<dyn Store>, StartError> {
    let Some(sqlite) = sqlite_config(config) else {
        return Ok(Arc::new(MemoryStore::new(config.queues.quota as usize)));
    };
    let (noted, presence) = presence(config)?;
    // A directory that should be mounted is not made in its place.
    if presence != Presence::Required {
        make_dir(&config.store.path)?;
    }
    let file = sqlite.path.clone();
    let sqlite = SqliteConfig { presence, surroundings: surroundings.clone(), ..sqlite };
    let store = SqliteStore::open(sqlite).await?;
    if !check_note(noted.as_deref(), store.id(), presence) {
        store.close().await.map_err(|error| OpenError::of_store(&file, &error))?;
        return Err(OpenError::OtherStore { path: file }.into());
    }
    write_note(config, noted.as_deref(), store.id());
    say(&file.display(), &store);
    Ok(Arc::new(store))
}

#[cfg(feature = "postgres")]
async fn open_postgres(
    config: &Config,
    shared_at: Option<&str>,
    surroundings: &Surroundings,
) -> Result<Arc<dyn Store>, StartError> {
    let (noted, presence) = presence(config)?;
    // For what waits over a restart.
    make_dir(&config.store.path)?;
    let (surroundings, shared_at) = (surroundings.clone(), shared_at.map(str::to_owned));
    let postgres = PostgresConfig { presence, surroundings, shared_at, ..postgres_config(config) };
    let store = PostgresStore::open(postgres).await?;
    let place = store.place().to_owned();
    if !check_note(noted.as_deref(), store.id(), presence) {
        // It has written nothing.
        let _ = store.close().await;
        return Err(OpenError::OtherDatabase { place }.into());
    }
    write_note(config, noted.as_deref(), store.id());
    say(&place, &store);
    Ok(Arc::new(store))
}

/// The ID of the store that the relay has served from, and whether that must be there.
pub(crate) fn presence(config: &Config) -> Result<(Option<String>, Presence), StartError> {
    let identity = &config.identity.path;
    let noted =
        served::read(identity).map_err(|error| StartError::Note(identity.join(served::NOTE), error))?;
    let presence = match (&noted, config.store.accept_loss) {
        (_, true) => Presence::AcceptLoss,
        (Some(_), false) => Presence::Required,
        (None, false) => Presence::MayBeNew,
    };
    Ok((noted, presence))
}

/// Whether a store with this ID is the one that was noted, or may take its place.
fn check_note(noted: Option<&str>, id: &str, presence: Presence) -> bool {
    presence == Presence::AcceptLoss || noted.is_none_or(|noted| !served::is_whole(noted) || noted == id)
}

/// Notes the store that the relay serves from.
fn write_note(config: &Config, noted: Option<&str>, id: &str) {
    let identity = &config.identity.path;
    if noted != Some(id)
        && let Err(error) = served::write(identity, id)
    {
        tracing::warn!(
            "cannot write {}: {error}; should the store be missing at a later start, it will be taken for a new one",
            identity.join(served::NOTE).display()
        );
    }
}

pub(super) fn make_dir(path: &Path) -> Result<(), StartError> {
    durable::make_dir(path).map_err(|error| StartError::Directory(path.to_path_buf(), error))
}

fn say(place: &dyn std::fmt::Display, store: &dyn Store) {
    let counts = store.counts();
    tracing::info!("the store {place} has {} queues and {} messages", counts.queues, counts.messages);
}

/// Limits of memory of a store with an engine.
fn limits(config: &Config) -> EngineLimits {
    let settings = &config.store;
    EngineLimits {
        quota: config.queues.quota as usize,
        queue_cache_bytes: settings.queue_cache_mib << 20,
        body_cache_bytes: settings.body_cache_mib << 20,
        pending_bytes: settings.pending_mib << 20,
        ack_wait: settings.ack_wait,
    }
}

/// The database in the directory of a relay; `None` if it keeps everything in memory, or with a server.
pub(crate) fn sqlite_config(config: &Config) -> Option<SqliteConfig> {
    if config.store.kind == StoreKind::Postgres {
        return None;
    }
    let settings = &config.store;
    let durability = match settings.effective_durability() {
        Durability::Memory => return None,
        Durability::Fsync => DiskDurability::Fsync,
        Durability::Os => DiskDurability::Os,
    };
    Some(SqliteConfig {
        durability,
        limits: limits(config),
        readers: settings.readers,
        reserve_bytes: settings.reserve_mib << 20,
        min_free_bytes: config.limits.min_free_disk_mib << 20,
        overwrite_deleted: settings.overwrite_deleted,
        ..SqliteConfig::new(settings.path.join(DATABASE))
    })
}

/// The database of a relay with a server.
#[cfg(feature = "postgres")]
pub(crate) fn postgres_config(config: &Config) -> PostgresConfig {
    let settings = &config.store;
    PostgresConfig {
        synchronous_commit: match settings.synchronous_commit {
            config::SynchronousCommit::On => SynchronousCommit::On,
            config::SynchronousCommit::RemoteApply => SynchronousCommit::RemoteApply,
            config::SynchronousCommit::RemoteWrite => SynchronousCommit::RemoteWrite,
            config::SynchronousCommit::Local => SynchronousCommit::Local,
            config::SynchronousCommit::Off => SynchronousCommit::Off,
        },
        limits: limits(config),
        readers: settings.readers,
        lease: settings.lease,
        ..PostgresConfig::new(settings.url.as_ref().map_or("", |url| url.expose()))
    }
}
