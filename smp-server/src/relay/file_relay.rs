//! The relay of files that the settings ask for: its records, its listeners, and what of it changes while it runs.

use std::{
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use smp_protocol::{address::XftpAddress, xftp};
use smp_transport::{
    connection::ConnectionError,
    identity::{ChainError, RelayIdentity},
    surroundings::Time,
    tls::{TlsError, TlsServer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};

use super::{StartError, make_dir};
use crate::{
    admission::Guest,
    config::{Config, ConfigError, Durability},
    files::{FileIdentity, FileRelay, FileSettings, MemoryRecords, Records, Shared, SqliteRecords},
    node::Node,
    stopping::Stopping,
    sync::{read, write},
};

/// Name of the database in the directory of the files.
pub(crate) const RECORDS: &str = "records.sqlite";

/// How long after the start the first sweep waits, and each one after the one before.
const FIRST_SWEEP: Duration = Duration::from_secs(10);
const SWEEP: Duration = Duration::from_secs(300);

/// A relay of files, and the way in at its own listeners. Clones are the same.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) relay: FileRelay,
    tls: Arc<RwLock<TlsServer>>,
    /// Where it listens for itself.
    pub(crate) local_addrs: Vec<SocketAddr>,
}

/// Opens the relay of files, if the settings ask for one.
pub(super) async fn open(
    node: &Node,
    identity: &RelayIdentity,
    local_addrs: Vec<SocketAddr>,
) -> Result<Option<Files>, StartError> {
    let config = node.config();
    if !config.files.enabled {
        return Ok(None);
    }
    let directory = &config.files.path;
    make_dir(directory)?;
    let durability = config.store.effective_durability();
    let spawner = &node.surroundings.spawner;
    let records: Arc<dyn Records> = match durability {
        Durability::Memory => Arc::new(MemoryRecords::default()),
        Durability::Fsync | Durability::Os => {
            let is_fsync = durability == Durability::Fsync;
            Arc::new(SqliteRecords::open(&directory.join(RECORDS), is_fsync, spawner).await?)
        }
    };
    let shared = Shared {
        clock: node.clock.clone(),
        metrics: node.metrics.clone(),
        surroundings: node.surroundings.clone(),
    };
    let (settings, identity_of_files) = (settings(&config), file_identity(identity)?);
    let opened = FileRelay::open(settings, identity_of_files, records, shared).await;
    let relay = opened.map_err(|error| StartError::Files(directory.clone(), error))?;
    let tls = Arc::new(RwLock::new(tls(identity, &node.surroundings.time)?));
    Ok(Some(Files { relay, tls, local_addrs }))
}

impl Files {
    /// Serves a guest of one of its own listeners.
    pub(super) async fn serve(
        &self,
        node: &Node,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        guest: Arc<Guest>,
        stopping: &Stopping,
    ) {
        let (server, limit) = (read(&self.tls).clone(), node.config().limits.handshake_timeout);
        let accepted = tokio::select! {
            accepted = timeout(limit, Box::pin(server.accept(stream))) => accepted,
            () = stopping.begun() => return,
        };
        match accepted {
            Ok(Ok(session)) => self.relay.serve_guest(session, guest, stopping).await,
            // Scanners and clients that gave up are no concern of the operator.
            Ok(Err(_)) | Err(_) => _ = node.metrics.failed_handshakes.inc(),
        }
    }

    /// The certificate and the settings from now on.
    pub(crate) fn replacement(
        &self,
        config: &Config,
        identity: &RelayIdentity,
        time: &Time,
    ) -> Result<impl FnOnce() + use<>, StartError> {
        let (settings, identity_of_files) = (settings(config), file_identity(identity)?);
        let (tls, files) = (tls(identity, time)?, self.clone());
        Ok(move || {
            *write(&files.tls) = tls;
            files.relay.replace(settings, identity_of_files);
        })
    }

    /// The address for clients; `listening` is the first port of the relay of messages.
    pub(crate) fn address(
        &self,
        config: &Config,
        fingerprint: [u8; 32],
        listening: u16,
    ) -> Result<XftpAddress, ConfigError> {
        config.files_address(fingerprint, self.local_addrs.first().map(SocketAddr::port), listening)
    }
}

/// Removes again and again what is too old.
pub(super) async fn sweep(relay: FileRelay) {
    sleep(FIRST_SWEEP).await;
    loop {
        if let Err(error) = relay.sweep().await {
            tracing::warn!("cannot remove files that are too old: {error}");
        }
        sleep(SWEEP).await;
    }
}

fn settings(config: &Config) -> FileSettings {
    let files = &config.files;
    let (new_chunks, failures) = (files.new_chunks(), config.limits.failures());
    FileSettings {
        directory: files.path.clone(),
        fsync: config.store.effective_durability() == Durability::Fsync,
        quota: files.quota_mib << 20,
        quota_per_network: files.quota_mib_network << 20,
        min_free: config.limits.min_free_disk_mib << 20,
        chunks: files.max_chunks,
        recipients: files.max_recipients,
        sizes: files.chunk_sizes_kib.iter().map(|kib| kib << 10).collect(),
        keep: files.expire,
        new_files: files.new_files,
        password: files.create_password.clone(),
        connections: files.max_connections,
        transfers: files.max_transfers,
        streams: files.max_requests,
        idle: files.idle_timeout,
        transfer: files.transfer_timeout,
        new_chunks: [new_chunks.per_address, new_chunks.per_network, new_chunks.total],
        failures: [failures.per_address, failures.per_network, failures.total],
    }
}

fn file_identity(identity: &RelayIdentity) -> Result<FileIdentity, StartError> {
    let too_long = |_| TlsError::Certificate(ChainError::Length(identity.chain().len()));
    FileIdentity::of(identity).map_err(|error| ConnectionError::Tls(too_long(error)).into())
}

/// At its own listeners nothing else is spoken. Clients without ALPN have an old version of the protocol.
fn tls(identity: &RelayIdentity, time: &Time) -> Result<TlsServer, StartError> {
    let protocols = [xftp::ALPN.as_bytes()];
    TlsServer::speaking(&protocols, identity, time.clone())
        .map_err(|error| ConnectionError::Tls(error).into())
}
